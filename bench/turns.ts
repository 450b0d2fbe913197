import { median, type Samples } from "./contest.ts";

/** Somebody's room list, at a server. */
export interface Asked {
  name: string;
  url: string;
  token: string;
}

/**
 * Asks for room lists again and again over one connection, one after the other, each as often the first: what is
 * compared differs by so little that even a second of the machine's must meet all of them.
 * @param seconds of a round, for all of them together
 * @returns `p50` of each, round by round: milliseconds
 */
export async function askInTurn(
  all: Asked[],
  { rounds, seconds }: { rounds: number; seconds: number },
  onRound: () => void,
): Promise<Samples> {
  const samples: Samples = new Map(all.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const took = new Map<string, number[]>(all.map(({ name }) => [name, []]));
    const until = performance.now() + seconds * 1e3;
    for (let pass = 0; performance.now() < until; pass++) {
      for (const { name, url, token } of pass % 2 === 0 ? all : all.toReversed()) {
        const asked = performance.now();
        const response = await fetch(`${url}/chat/api/rooms`, {
          headers: { authorization: `Bearer ${token}` },
        });
        await response.arrayBuffer();
        if (!response.ok) throw new Error(`${name}: answered ${response.status}`);
        took.get(name)?.push(performance.now() - asked);
      }
    }
    for (const [name, ms] of took) samples.get(name)?.push({ p50: median(ms.sort((a, b) => a - b)) });
    onRound();
  }
  return samples;
}
