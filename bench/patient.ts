import { percentile } from "./contest.ts";
import type { Load, LoadOptions } from "./wrk.ts";

/**
 * As `wrk`, for servers that take seconds to answer: the figures go up to the last answer that came in time, so that
 * what is still under way when the time is up does not count against them, as it would with wrk.
 * @param least so many answers are waited for, whatever the time
 * @throws Error where anything but a good answer came
 */
export async function askPatiently(
  url: string,
  { connections, seconds, headers = {} }: LoadOptions,
  least: number,
): Promise<Load> {
  const took: number[] = [];
  const enough = Promise.withResolvers<void>();
  const stop = new AbortController();
  const began = performance.now();
  const until = began + seconds * 1e3;
  let last = began;

  const look = () => {
    if (performance.now() >= until && took.length >= least) enough.resolve();
  };
  const ask = async () => {
    while (!stop.signal.aborted) {
      const asked = performance.now();
      const response = await fetch(url, { headers, signal: stop.signal });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`answered ${response.status}`);
      last = performance.now();
      took.push(last - asked);
      look();
    }
  };
  for (let i = 0; i < connections; i++) ask().catch(enough.reject);
  const timeUp = setTimeout(look, seconds * 1e3);
  try {
    await enough.promise;
  } finally {
    clearTimeout(timeUp);
    stop.abort();
  }
  const sorted = took.toSorted((a, b) => a - b);
  return {
    requests: sorted.length,
    perSecond: (sorted.length * 1e3) / (last - began),
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
  };
}
