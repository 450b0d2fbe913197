/** A part of a message around what was found in it. */
export interface Snippet {
  text: string;
  /** Where in `text` the words are: UTF-16 code units, as `slice` takes them; ascending, none inside another. */
  ranges: [from: number, to: number][];
}

/** UTF-16 code units: of the body, and of those before the first word found. */
const LENGTH = 200;
const BEFORE = 60;
/** A cut goes back by so many for a whole word, or else for a whole character. */
const SLACK = 30;

const SEGMENTERS = (["word", "grapheme"] as const).map(
  (granularity) => new Intl.Segmenter(undefined, { granularity }),
);

/**
 * The words of a query as Postgres prints it (`'foo' & 'bar'`), without those that must not occur if it is the
 * output of `querytree`.
 */
export const lexemesOf = (query: string): string[] => [
  ...new Set(
    Array.from(query.matchAll(/'((?:[^'\\]|''|\\.)*)'/gs), ([, lexeme = ""]) =>
      lexeme.replace(/''|\\./gs, (escaped) => escaped.charAt(1)),
    ),
  ),
];

/**
 * Finds these words in texts, one after another; null if there are none. Postgres's parser `simple` only lowers case,
 * so a lexeme is there literally; where it is found in other places than the parser's, the text is the same.
 */
export function wordsPattern(lexemes: string[]): RegExp | null {
  if (lexemes.length === 0) return null;
  const longestFirst = lexemes.toSorted((a, b) => b.length - a.length);
  const words = longestFirst.map((lexeme) => lexeme.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.join("|")})(?![\\p{L}\\p{N}])`, "giu");
}

/**
 * The part of a body around the first of the words, with `…` where it is cut.
 * @param pattern of wordsPattern; where it matches nothing, the body's beginning without ranges
 */
export function snippetOf(body: string, pattern: RegExp | null): Snippet {
  const found: [number, number][] = [];
  let from = 0;
  let to = cut(body, LENGTH);
  for (const match of pattern ? body.matchAll(pattern) : []) {
    const [start, end] = [match.index, match.index + match[0].length];
    if (found.length === 0) {
      from = cut(body, Math.max(0, Math.min(start - BEFORE, body.length - LENGTH)));
      to = Math.max(cut(body, from + LENGTH), end);
    }
    if (end > to) break;
    found.push([start, end]);
  }
  const before = from > 0 ? "…" : "";
  const after = to < body.length ? "…" : "";
  const shift = before.length - from;
  return {
    text: before + body.slice(from, to) + after,
    ranges: found.map(([start, end]) => [start + shift, end + shift]),
  };
}

/** The place at or before `at` where a text may be cut: between words, characters as people see them, or code points. */
function cut(text: string, at: number): number {
  if (at <= 0 || at >= text.length) return Math.min(Math.max(at, 0), text.length);
  for (const segmenter of SEGMENTERS) {
    const start = segmenter.segment(text).containing(at)?.index ?? at;
    if (at - start <= SLACK) return start;
  }
  return text.codePointAt(at - 1) === text.charCodeAt(at - 1) ? at : at - 1;
}
