import type { Bench, Context, Row } from "../bench.ts";
import { ratio } from "../contest.ts";
import type { BenchDatabase } from "../databases.ts";
import { askInTurn } from "../turns.ts";

const SIZES = { full: [1_000_000, 10_000_000, 30_000_000], quick: [100_000, 1_000_000] };
const PACE = { full: { rounds: 7, seconds: 6 }, quick: { rounds: 5, seconds: 2 } };
const WHY =
  "As many look-ups, in larger tables and deeper indexes: probably, with 128 MB of buffers in the Postgres that Foyer brings along, more of their pages come from the system's cache.";

const words = (messages: number) => (messages >= 1e6 ? `${messages / 1e6} M` : `${messages / 1e3} k`);

/** The room list while history grows: itself, on databases of which each has more messages than the one before. */
export const growth: Bench = {
  name: "growth",
  needs: [],
  async measure(context: Context) {
    const sizes = context.quick ? SIZES.quick : SIZES.full;
    const pace = context.quick ? PACE.quick : PACE.full;
    const databases: [number, BenchDatabase][] = [];
    for (const messages of sizes) databases.push([messages, await context.databases.filled(messages)]);
    const programs = new Map<number, string>();
    for (const [messages, { url }] of databases)
      programs.set(messages, (await context.programs.foyer(url)).url);
    const turn = context.progress("growth", 2 * pace.rounds);
    const rows: Row[] = [];
    for (const wanted of [20, 500]) {
      const asked = [];
      for (const [messages, database] of databases) {
        const { token } = await context.databases.person(database, wanted);
        asked.push({ name: words(messages), url: programs.get(messages) ?? "", token });
      }
      const samples = await askInTurn(asked, pace, turn);
      const [least] = sizes.map(words) as [string];
      for (const most of sizes.slice(1).map(words)) {
        rows.push({
          what: `${wanted} rooms: median latency at ${most} messages`,
          against: `Foyer at ${least}`,
          ratio: ratio(samples, most, least, "p50"),
          better: "less",
          target: { most: 1.15 },
          why: WHY,
        });
      }
    }
    await context.programs.stopAll();
    return [
      {
        title: "The room list while history grows",
        about:
          "One connection, one list after the other, by turns on databases that differ in the number of messages alone.",
        rows,
      },
    ];
  },
};
