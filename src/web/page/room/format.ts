/** A piece of a message's text. All pieces' `text` together are the message's, but for the marks of code. */
export type Piece =
  | { kind: "text"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "mention"; text: string; handle: string }
  | { kind: "code"; text: string }
  | { kind: "block"; text: string };

const FENCE = /\n?```(?:[\w+-]*\n)?([\s\S]+?)\n?```\n?/g; // with the line ends around it: a block has lines of its own
const CODE = /(?<!`)`([^`\n]+)`(?!`)/g;
/** Bounded, for what follows looks at each end again. As far as the server looks for handles (messages/mentions.ts): not after what could be a part of an address. */
const WORD = /\bhttps?:\/\/[^\s<>"]{1,2000}|(?<![\p{L}\p{N}._@/-])@[a-z0-9._-]{2,64}/giu;
/** What ends a sentence rather than an address. */
const TAIL = /[.,:;!?'"*_~]+$/;

/**
 * Takes a message's text apart: blocks of code between three backticks, code between single ones, addresses of the web, and
 * mentions of the members that the server found in it. Nothing else is marked up, and nothing is ever read as HTML.
 * @param handles of those who are mentioned, in lower case
 */
export function format(body: string, handles: ReadonlySet<string>): Piece[] {
  return split(
    body,
    FENCE,
    (text) => ({ kind: "block", text }),
    (rest) =>
      split(
        rest,
        CODE,
        (text) => ({ kind: "code", text }),
        (plain) => words(plain, handles),
      ),
  );
}

/** Cuts at each match of a pattern, whose first group is the piece; what lies between is taken apart by `between`. */
function split(
  text: string,
  pattern: RegExp,
  piece: (inside: string) => Piece,
  between: (rest: string) => Piece[],
): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) pieces.push(...between(text.slice(end, match.index)));
    pieces.push(piece(match[1] as string));
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push(...between(text.slice(end)));
  return pieces;
}

function words(text: string, handles: ReadonlySet<string>): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(WORD)) {
    const piece = found.startsWith("@") ? mention(found, handles) : link(found);
    if (!piece) continue;
    if (index > end) pieces.push({ kind: "text", text: text.slice(end, index) });
    pieces.push(piece);
    end = index + piece.text.length;
  }
  if (end < text.length) pieces.push({ kind: "text", text: text.slice(end) });
  return pieces;
}

/** The longest handle that begins a match: dots and dashes at its end may be the sentence's own. */
function mention(found: string, handles: ReadonlySet<string>): Piece | null {
  for (let text = found; text.length > 2; text = text.slice(0, -1)) {
    const handle = text.slice(1).toLowerCase();
    if (handles.has(handle)) return { kind: "mention", text, handle };
    if (!/[._-]$/.test(text)) return null;
  }
  return null;
}

function link(found: string): Piece | null {
  let text = found.replace(TAIL, "");
  // A bracket belongs to the sentence unless it was opened inside the address.
  while (/[)\]}]$/.test(text) && count(text, /[([{]/g) < count(text, /[)\]}]/g))
    text = text.slice(0, -1).replace(TAIL, "");
  const url = URL.parse(text);
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) return null;
  return { kind: "link", text, href: url.href };
}

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;
