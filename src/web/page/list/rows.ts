/** Pixels: as in styles/list.css. */
export const ROW = 68;
/** Rows that are drawn above and below what is to be seen, so that quick scrolling shows no gaps. */
const SPARE = 6;

/** Which rows of a long list are drawn. @returns indices, from inclusive, to exclusive */
export function rowsToDraw(scrollTop: number, height: number, count: number): { from: number; to: number } {
  const from = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
  return { from, to: Math.min(count, Math.ceil((scrollTop + height) / ROW) + SPARE) };
}

/**
 * Where to scroll so that what is in sight stays where it is although rows above it came, went or moved.
 * @param before the ids in the order in which they were, and `after` as they are now
 */
export function keepInSight(scrollTop: number, before: readonly number[], after: readonly number[]): number {
  if (scrollTop === 0) return 0; // who looks at the top wants to see what comes to the top
  const first = Math.ceil(scrollTop / ROW);
  // By how much most of the first rows in sight have moved: one of them may have leapt to the top.
  const moves = before.slice(first, first + 3).flatMap((id, index) => {
    const place = after.indexOf(id);
    return place < 0 ? [] : [place - (first + index)];
  });
  const move = moves.find((candidate, index) => moves.indexOf(candidate) !== index) ?? moves[0] ?? 0;
  return Math.max(0, scrollTop + move * ROW);
}
