/** How long things take, in milliseconds. */
export interface Pace {
  /** A stream says something at least every 15 s: after two and a half times that, it is dead. */
  watchdogMs: number;
  /** A stream whose answer has not begun by then is held back by something. */
  openMs: number;
  /** So is one that has begun and says nothing: the server says `ping` at once. */
  deliverMs: number;
  /** Between two tries at a stream that is held back. */
  trialMs: number;
  /** Between two looks at the list while streams do not get through. */
  pollMs: number;
  /** Before the first try again, and before any later one at the most. */
  retryMs: { first: number; most: number };
  /** Between two looks at a room that has no stream, besides those when its row in the list changes. */
  refreshMs: number;
  /** A stream that lived for so long was a good one: the next delay is the first one again. */
  settleMs: number;
  /** A visible tab that hears nothing from the leading tab for so long asks whether it is there: above `watchdogMs`. */
  silenceMs: number;
  /** And without an answer by then takes the lead. */
  answerMs: number;
  /** For so long somebody types. */
  typingMs: number;
}

export const PACE: Pace = {
  watchdogMs: 37_500,
  openMs: 10_000,
  deliverMs: 5_000,
  trialMs: 60_000,
  pollMs: 5_000,
  retryMs: { first: 1_000, most: 30_000 },
  refreshMs: 15_000,
  settleMs: 5_000,
  silenceMs: 45_000,
  answerMs: 2_000,
  typingMs: 5_000,
};

/**
 * Milliseconds before the next try, drawn between half of the first delay and a bound that doubles ("full jitter":
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that a crowd does not return as one.
 * @param failures so far, the first one is 0
 * @param atLeast what the server asked for (Retry-After)
 */
export function retryDelay({ first, most }: Pace["retryMs"], failures: number, atLeast = 0): number {
  const bound = Math.min(most, first * 2 ** Math.min(failures, 30));
  return atLeast + first / 2 + Math.random() * (bound - first / 2);
}

/** A fifth more or less, for what is done at intervals. */
export const about = (ms: number): number => ms * (0.8 + Math.random() * 0.4);
