// Not after what could be a part of an address or another handle: "ada@example.com" mentions nobody.
const MENTION = /(?<![\p{L}\p{N}._@/-])@([a-z0-9._-]{2,})/giu;

/** Handles looked at in one message: more are not people, but a flood. */
const MOST = 50;

/**
 * The handles that a text may mention, in lower case: every `@handle`, and the same without trailing dots and
 * dashes, which may be the sentence's own. Which of them are members is for the database to say.
 */
export function mentionedHandles(body: string): string[] {
  const handles = new Set<string>();
  for (const [, match] of body.matchAll(MENTION)) {
    if (handles.size >= MOST) break;
    let handle = (match as string).toLowerCase();
    while (true) {
      if (handle.length >= 2 && handle.length <= 32) handles.add(handle);
      if (!/[._-]$/.test(handle) || handle.length <= 2) break;
      handle = handle.slice(0, -1);
    }
  }
  return [...handles];
}
