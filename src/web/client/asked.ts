/**
 * When an answer was asked for, against when something was last heard. Neither clock nor content tells which of two
 * states is newer, but this does: what is heard after a request was sent may be newer than its answer, and if it is
 * older, then the stream that told it has the newer one still to tell. So whoever is in doubt keeps what was heard.
 */
let now = 0;
const asked = new WeakMap<object, number>();

/** The next moment; every one is later than all before. */
export const tick = (): number => ++now;

/** Notes when an answer was asked for. */
export function noteAsked(answer: unknown, at: number): void {
  if (typeof answer === "object" && answer !== null) asked.set(answer, at);
}

/** When it was asked for; what no request brought is as of now. */
export const askedAt = (answer: object): number => asked.get(answer) ?? tick();
