/** A text in parts: what was found in it, and what lies between. */
export function partsOf(text: string, ranges: readonly (readonly [number, number])[]) {
  const parts: { text: string; found: boolean }[] = [];
  let at = 0;
  for (const [from, to] of ranges) {
    if (from < at || to <= from) continue;
    if (from > at) parts.push({ text: text.slice(at, from), found: false });
    parts.push({ text: text.slice(from, to), found: true });
    at = to;
  }
  if (at < text.length) parts.push({ text: text.slice(at), found: false });
  return parts;
}

/**
 * A text with what was found in it marked.
 * @param ranges from, to, in UTF-16 code units; ascending, none inside another
 */
export const Marked = ({
  text,
  ranges,
}: {
  text: string;
  ranges: readonly (readonly [number, number])[];
}) => <>{partsOf(text, ranges).map((part) => (part.found ? <mark>{part.text}</mark> : part.text))}</>;
