/** What one turn of a contestant measured: figures by name. */
export type Sample = Record<string, number>;

export interface Contestant {
  /** As the results name it. */
  name: string;
  /** One turn. @throws whatever went wrong: a turn with errors is no measurement */
  run(): Promise<Sample>;
}

/** The samples of each contestant, round by round. */
export type Samples = Map<string, Sample[]>;

/**
 * Lets contestants take turns: each once a round, every round beginning with another one, so that what the machine does
 * meanwhile meets them alike.
 * @param onTurn told after every turn
 */
export async function interleave(
  contestants: Contestant[],
  rounds: number,
  onTurn: () => void = () => {},
): Promise<Samples> {
  const samples: Samples = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const first = round % contestants.length;
    for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      try {
        samples.get(contestant.name)?.push(await contestant.run());
      } catch (error) {
        throw new Error(`${contestant.name}, round ${round + 1}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      onTurn();
    }
  }
  return samples;
}

/** How many times the other's figure ours is: round by round, then the one in the middle and the outermost. */
export interface Ratio {
  median: number;
  least: number;
  most: number;
  rounds: number;
}

/**
 * Compares two contestants of one interleaved run, each round by itself.
 * @param figure the name of what is compared
 * @throws Error where one of them has no such figure
 */
export function ratio(samples: Samples, ours: string, theirs: string, figure: string): Ratio {
  const [a, b] = [ours, theirs].map((name) => samples.get(name) ?? []) as [Sample[], Sample[]];
  const rounds = Math.min(a.length, b.length);
  const ratios = Array.from({ length: rounds }, (_, i) => (a[i]?.[figure] ?? NaN) / (b[i]?.[figure] ?? NaN));
  if (rounds === 0 || ratios.some(Number.isNaN)) throw new Error(`no ${figure} of ${ours} and ${theirs}`);
  ratios.sort((x, y) => x - y);
  return { median: median(ratios), least: ratios[0] as number, most: ratios.at(-1) as number, rounds };
}

/** @param sorted ascending, at least one */
export function median(sorted: number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/**
 * The figure under which a share of all lies, the nearest rank.
 * @param sorted ascending, at least one
 * @param share from 0 to 1
 */
export const percentile = (sorted: number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
