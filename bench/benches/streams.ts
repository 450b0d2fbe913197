import { migrate } from "../../src/db/migrate.ts";
import type { Bench, Context } from "../bench.ts";
import { BARE, startBare } from "../broadcasters.ts";
import { interleave, ratio, type Sample } from "../contest.ts";
import { fillCrowd } from "../crowd.ts";
import { AT_ONCE, Listeners, type StreamOf } from "../listeners.ts";
import type { Program } from "../programs.ts";

const SIZES = {
  full: { streams: 10_000, users: 1_000, rounds: 2 },
  quick: { streams: 2_000, users: 500, rounds: 1 },
};
/** Milliseconds in which nothing happens: one interval of pings. */
const IDLE_MS = 15_000;
const ROOMS = 1_000;
const EACH = 20;
/** Streams that come and go before memory is looked at: what a server needs once, it has then. */
const WARM_UP = 500;
/** Milliseconds until what the opening has stirred up has settled; garbage is collected when little is going on. */
const SETTLE_MS = 3_000;
/** Seconds within which everybody is to be back. */
const BACK = 10;
const LOSE_MS = 30_000;
const TARGET = `${BACK} s`;

const WHY_MEMORY =
  "Of each stream Foyer keeps whose it is and by which right, where its client stands, and how it has taken what was sent; a bare stream is a controller in a set.";

interface Contestant {
  name: string;
  streams: StreamOf[];
  /** @param port the one it had before */
  start(port?: number): Promise<Program>;
}

/** Streams of the room list that stay open: what each takes, and how all come back. */
export const streams: Bench = {
  name: "streams",
  needs: [],
  async measure(context: Context) {
    const { streams, users, rounds } = context.quick ? SIZES.quick : SIZES.full;
    const contestants = [
      await foyer(context, streams, users),
      {
        name: BARE,
        streams: Array<StreamOf>(streams).fill({ path: "/stream" }),
        start: (port?: number) => startBare(context, port),
      },
    ];
    const turn = context.progress("streams", contestants.length * rounds);
    const listeners = new Listeners();
    const samples = await interleave(
      contestants.map((contestant) => ({
        name: contestant.name,
        run: () => stay(contestant, listeners),
      })),
      rounds,
      turn,
    );
    await listeners.stop();
    samples.set(TARGET, Array(rounds).fill({ back: BACK }));
    const many = streams.toLocaleString("en");
    const of = (what: string, figure: string) => ({
      what: `${many} streams: ${what}`,
      against: BARE,
      ratio: ratio(samples, "Foyer", BARE, figure),
      better: "less" as const,
    });
    return [
      {
        title: "Streams that stay open",
        about: `The room list of ${users.toLocaleString("en")} people in ${EACH} rooms each, open ${streams / users} times each: the memory that came with the streams (Pss) and the CPU of ${IDLE_MS / 1_000} s in which nothing happens but pings and Foyer's looks for what no hint told of, the memory at their end; then a restart, after which all come back with the cursor that they had, ${AT_ONCE} on their way at a time. ${BARE} looks nothing up, and begins each stream with the same few bytes. A stream counts as open when its first answer is there. The last row is no comparison: the seconds from the first of all to come back until the last had its answer, of the ${BACK} that they may take; an error would have ended the run.`,
        rows: [
          { ...of("memory", "memory"), target: { most: 1.5 }, why: WHY_MEMORY },
          of("CPU while nothing happens", "idle"),
          of("time to open all", "open"),
          of("time until all are back after a restart", "back"),
          {
            what: `${many} streams: seconds until all are back after a restart`,
            against: TARGET,
            ratio: ratio(samples, "Foyer", TARGET, "back"),
            better: "less",
            target: { most: 1 },
            why: "Each stream that comes back is a request of its own: who it is, what it may, and its list from where it stands, a fifth of a millisecond of the server's CPU and as much of Postgres's; the clients share the cores.",
          },
        ],
      },
    ];
  },
};

async function foyer({ databases, programs }: Context, streams: number, users: number): Promise<Contestant> {
  const database = await databases.empty("streams");
  await migrate(database.url);
  await fillCrowd(database.db, { users, rooms: ROOMS, each: EACH });
  const userIds = Array.from({ length: users }, (_, i) => i + 1);
  const tokens = await databases.tokens(database.db, userIds);
  const path = "/chat/api/stream/rooms";
  return {
    name: "Foyer",
    streams: Array.from({ length: streams }, (_, i) => ({ path, token: tokens[i % users] as string })),
    start: (port) => programs.foyer(database.url, {}, port),
  };
}

async function stay({ streams, start }: Contestant, listeners: Listeners): Promise<Sample> {
  const program = await start();
  await listeners.open(program.url, streams.slice(0, WARM_UP), "\nid: ");
  await listeners.close();
  await Bun.sleep(SETTLE_MS);
  const empty = await program.memory();
  const open = await listeners.open(program.url, streams, "\nid: ");
  await Bun.sleep(SETTLE_MS);
  const cpu = await program.cpu();
  await Bun.sleep(IDLE_MS);
  const idle = (await program.cpu()) - cpu;
  const memory = (await program.memory()) - empty;
  const lost = listeners.lose(LOSE_MS);
  await program.stop();
  await lost;
  const again = await start(Number(new URL(program.url).port));
  const back = await listeners.reopen(again.url);
  await listeners.close();
  await again.stop();
  return { memory, open, idle, back };
}
