import type { Bench, Context, Row } from "../bench.ts";
import { type Contestant, interleave, ratio } from "../contest.ts";
import type { BenchDatabase } from "../databases.ts";
import { wrk } from "../wrk.ts";

const SIZES = { full: [1_000_000, 10_000_000, 30_000_000], quick: [100_000, 1_000_000] };
const PACE = { full: { rounds: 7, seconds: 3 }, quick: { rounds: 5, seconds: 1 } };

const words = (messages: number) => (messages >= 1e6 ? `${messages / 1e6} M` : `${messages / 1e3} k`);

/** The room list while history grows: itself, on databases of which each has more messages than the one before. */
export const growth: Bench = {
  name: "growth",
  async measure(context: Context) {
    const sizes = context.quick ? SIZES.quick : SIZES.full;
    const { rounds, seconds } = context.quick ? PACE.quick : PACE.full;
    const databases: [number, BenchDatabase][] = [];
    for (const messages of sizes) databases.push([messages, await context.databases.filled(messages)]);
    const turn = context.progress("growth", sizes.length * 2 * rounds);
    const rows: Row[] = [];
    for (const wanted of [20, 500]) {
      const contestants: Contestant[] = [];
      const programs = [];
      for (const [messages, database] of databases) {
        const program = await context.programs.foyer(database.url);
        programs.push(program);
        const { token } = await context.databases.person(database, wanted);
        contestants.push({
          name: words(messages),
          run: () =>
            wrk(`${program.url}/chat/api/rooms`, {
              connections: 1,
              seconds,
              headers: { authorization: `Bearer ${token}` },
            }),
        });
      }
      const samples = await interleave(contestants, rounds, turn);
      await Promise.all(programs.map((program) => program.stop()));
      const [least] = sizes.map(words) as [string];
      for (const most of sizes.slice(1).map(words)) {
        rows.push({
          what: `${wanted} rooms: median latency at ${most} messages`,
          against: `Foyer at ${least}`,
          ratio: ratio(samples, most, least, "p50"),
          target: { most: 1.15 },
        });
      }
    }
    return [
      {
        title: "The room list while history grows",
        about:
          "One connection, one list after the other, on databases that differ in the number of messages alone.",
        rows,
      },
    ];
  },
};
