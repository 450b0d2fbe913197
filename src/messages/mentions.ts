// Not after what could be a part of an address or another handle: "ada@example.com" mentions nobody.
const MENTION = /(?<![\p{L}\p{N}._@/-])@([a-z0-9._-]{2,})/giu;

/** Handles looked at in one message: more are not people, but a flood. */
const MOST = 50;

/** The longest handle. */
const LONGEST = 32;
const MARKS = "._-";

/**
 * The handles that a text may mention, in lower case: every `@handle`, and the same without trailing dots and
 * dashes, which may be the sentence's own. Which of them are members is for the database to say.
 */
export function mentionedHandles(body: string): string[] {
  const handles = new Set<string>();
  for (const [, match] of body.matchAll(MENTION)) {
    if (handles.size >= MOST) break;
    let end = (match as string).length;
    while (end > LONGEST && MARKS.includes((match as string)[end - 1] as string)) end--;
    for (; end >= 2 && end <= LONGEST; end--) {
      handles.add((match as string).slice(0, end).toLowerCase());
      if (!MARKS.includes((match as string)[end - 1] as string)) break;
    }
  }
  return [...handles];
}
