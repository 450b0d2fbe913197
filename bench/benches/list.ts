import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import type { Bench, Context, Row, Target } from "../bench.ts";
import { type Contestant, interleave, median, ratio, type Sample, type Samples } from "../contest.ts";
import type { Person } from "../databases.ts";
import { askPatiently } from "../patient.ts";
import { FLASK_WORKERS, Flask, startConstant, startFastify } from "../peers.ts";
import { pgbench } from "../pgbench.ts";
import { wrk } from "../wrk.ts";

const MESSAGES = { full: 10_000_000, quick: 1_000_000 };
const ROOMS = [20, 500];
const CONNECTIONS = [1, 32];
/** Of those that answer at once; and of Foyer beside Flask, whose turns last until there are some answers. */
const PACE = {
  full: { rounds: 5, seconds: 2, slow: { rounds: 3, seconds: 2, most: 24 } },
  quick: { rounds: 2, seconds: 1, slow: { rounds: 1, seconds: 1, most: 3 } },
};
/** Milliseconds an answer from which on wrk's turns would be too short for it. */
const SLOW_MS = 100;
/** Fewer answers than that have no 99th percentile. */
const LEAST_FOR_PERCENTILES = 100;

const POOL = readConfig({}).databasePool;
const SQL = new URL("../../src/rooms/list.sql", import.meta.url);

const FOYER = "Foyer";
const BEFORE = "Flask + SQLAlchemy, N + 1 queries";
const AFTER = "Flask + SQLAlchemy, 3 queries";
const FASTIFY = "Fastify + pg, the same query";
const PGBENCH = "pgbench, the query alone";
const CONSTANT = "bare Bun.serve, the same bytes";

const NAMES = { p50: "median latency", p99: "99th percentile of latency" };

const PICTURE: Record<string, string> = {
  [BEFORE]: "Flask, N + 1 queries",
  [AFTER]: "Flask, 3 queries",
  [FASTIFY]: "Fastify, with Foyer's own query",
};

/** A room in the answers of all. */
interface Entry {
  id: number;
  unreadCount: number;
  lastMessage: { seq: number } | null;
}

/** The room list beside what one would use instead, and beside what the query and the server allow at most. */
export const list: Bench = {
  name: "list",
  needs: ["wrk", "pgbench", "node", "flask"],
  async measure(context: Context) {
    const pace = context.quick ? PACE.quick : PACE.full;
    const database = await context.databases.filled(context.quick ? MESSAGES.quick : MESSAGES.full);
    const foyer = await context.programs.foyer(database.url);
    const fastify = await startFastify(context.programs, database);
    const flasks = new Map([
      [BEFORE, new Flask(context.programs, database, "before")],
      [AFTER, new Flask(context.programs, database, "after")],
    ]);
    const few = await context.databases.person(database, 1);
    for (const flask of flasks.values()) {
      await flask.start();
      await flask.warm(few);
    }
    const folder = await mkdtemp(join(tmpdir(), "foyer-list-"));
    const script = await listScript();
    const turns = 4 * pace.rounds + 3 * pace.slow.rounds;
    const turn = context.progress("list", ROOMS.length * CONNECTIONS.length * turns);
    const rows: Row[] = [];

    for (const wanted of ROOMS) {
      const person = await context.databases.person(database, wanted);
      const headers = { authorization: `Bearer ${person.token}` };
      const body = await answerOf(foyer.url, person);
      if (withoutCursor(body) !== withoutCursor(await answerOf(fastify.url, person))) {
        throw new Error(`${FASTIFY} answers something else than Foyer`);
      }
      const took = new Map<string, number>();
      for (const [name, flask] of flasks) {
        await answerOf(flask.url, person); // what it reads may not be in memory yet
        const began = performance.now();
        compare(name, body, await answerOf(flask.url, person));
        took.set(name, performance.now() - began);
      }
      const file = join(folder, `${wanted}.json`);
      await Bun.write(file, body);
      const constant = await startConstant(context.programs, file);

      for (const connections of CONNECTIONS) {
        const load = (url: string, seconds: number) =>
          wrk(`${url}/chat/api/rooms`, { connections, seconds, headers });
        const fast = await interleave(
          [
            { name: FOYER, run: () => load(foyer.url, pace.seconds) },
            { name: FASTIFY, run: () => load(fastify.url, pace.seconds) },
            {
              name: PGBENCH,
              run: () =>
                pgbench(database, script, {
                  clients: Math.min(connections, POOL),
                  seconds: pace.seconds,
                  searchPath: "foyer",
                  variables: parametersOf(person),
                }),
            },
            { name: CONSTANT, run: () => load(constant.url, pace.seconds) },
          ],
          pace.rounds,
          turn,
        );
        const slow = await interleave(
          [
            { name: FOYER, run: () => load(foyer.url, pace.slow.seconds) },
            ...[...flasks].map(
              ([name, flask]): Contestant => ({
                name,
                run: () => askFlask(flask, few, { connections, headers }, took.get(name) ?? 0, pace.slow),
              }),
            ),
          ],
          pace.slow.rounds,
          turn,
        );
        rows.push(...rowsOf(context, wanted, connections, fast, slow));
      }
      await constant.stop();
    }

    for (const flask of flasks.values()) await flask.stop();
    await Promise.all([foyer.stop(), fastify.stop()]);
    const millions = (context.quick ? MESSAGES.quick : MESSAGES.full) / 1e6;
    return [
      {
        title: "The room list beside its peers",
        picture: "Room list: requests a second, over 32 connections",
        about: `${millions} M messages; people in 20 and in 500 rooms. Before the turns all are asked once: Flask has to answer the same rooms with the same unread counts and last messages as Foyer, Fastify the same bytes but for the cursor. Foyer, Fastify and pgbench have ${POOL} connections to Postgres, Flask's ${FLASK_WORKERS} workers (two a core and one, as gunicorn recommends) have one each. All remember for five seconds whose a token is, and log only what goes wrong; Foyer's rate limits are off. The ceiling is the slower of two: \`pgbench -M prepared\` running \`list.sql\` over as many connections, up to ${POOL}, without any answer being made of it; and a bare \`Bun.serve\` that answers Foyer's bytes from memory. Where Flask takes more than ${SLOW_MS} ms an answer, its figures go up to its last answer, and not to the end of its turn. The 99th percentile is compared where each has given ${LEAST_FOR_PERCENTILES} answers a round.`,
        rows,
      },
    ];
  },
};

/** list.sql as pgbench takes it: its parameters become pgbench's variables, each of them a parameter again. */
async function listScript(): Promise<string> {
  const sql = await Bun.file(SQL).text();
  return sql.replace(/--.*$/gm, "").replace(/\$(\d)/g, ":p$1");
}

/** What src/rooms/list.ts passes for a whole list; the others are null. */
const parametersOf = ({ id }: Person) => ({ p1: `{${id}}`, p2: "{NULL}", p3: "{NULL}", p4: "false" });

async function answerOf(url: string, { token }: Person): Promise<string> {
  const response = await fetch(`${url}/chat/api/rooms`, { headers: { authorization: `Bearer ${token}` } });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${body.slice(0, 200)}`);
  return body;
}

const withoutCursor = (body: string) => body.replace(/"cursor":"[^"]*"/, "");

/** @throws Error unless both tell of the same rooms, in the same order, the same unread counts and last messages */
function compare(name: string, foyers: string, others: string): void {
  const [a, b] = [foyers, others].map((body) =>
    (JSON.parse(body).rooms as Entry[]).map(({ id, unreadCount, lastMessage }) =>
      [id, unreadCount, lastMessage?.seq].join(),
    ),
  ) as [string[], string[]];
  const at = a.findIndex((entry, i) => entry !== b[i]);
  if (at >= 0 || a.length !== b.length) {
    throw new Error(
      `${name} answers ${b[at]} (of ${b.length}), where Foyer answers ${a[at]} (of ${a.length})`,
    );
  }
}

/**
 * A turn of Flask's: as long as its workers need for a few answers each. What it has not answered when the turn is over
 * must not burden the next one's.
 */
async function askFlask(
  flask: Flask,
  few: Person,
  load: { connections: number; headers: Record<string, string> },
  took: number,
  { seconds, most }: { seconds: number; most: number },
): Promise<Sample> {
  const url = `${flask.url}/chat/api/rooms`;
  if (took < SLOW_MS) {
    const sample = await wrk(url, { ...load, seconds });
    await flask.settle();
    return sample;
  }
  const atOnce = Math.min(load.connections, FLASK_WORKERS);
  const needed = (2.5 * took * Math.max(1, atOnce / 2)) / 1e3;
  const sample = await askPatiently(
    url,
    { ...load, seconds: Math.min(Math.max(needed, seconds), most) },
    atOnce,
  );
  await flask.stop();
  await flask.start();
  await flask.warm(few);
  return sample;
}

/** What is to be reached; beside Flask, at the full run's number of messages: it is slower the more there are. */
const PEERS: { against: string; target: Target; why: string; full?: true }[] = [
  {
    against: BEFORE,
    target: { least: 200 },
    full: true,
    why: "It reads Foyer's own tables, where the primary key finds the last message of a room and those that wait without a search; each of its queries is cheap then, and there are as many as rooms. With few rooms, most of Foyer's answer is what any answer over HTTP costs.",
  },
  {
    against: AFTER,
    target: { least: 500 },
    full: true,
    why: "Its three queries read every message of the person's rooms: with few rooms those are not so many, and Foyer's own answer of 500 rooms takes Postgres some milliseconds.",
  },
  {
    against: FASTIFY,
    target: { least: 1.5 },
    why: "Both wait for the same query, which makes the JSON of the rooms too: what a server does beside it is the smaller part, and with one connection nearly nothing. The gain over the usual way is in the query.",
  },
];
const WHY_BELOW_CEILING =
  "pgbench has all cores for the query, and drops its answer unread; with Foyer, HTTP, the reading of the answer and the load itself want their share of the same two cores: of a list of 20 rooms, a quarter of the CPU is the server's.";

function rowsOf(context: Context, rooms: number, connections: number, fast: Samples, slow: Samples): Row[] {
  const what = `${rooms} rooms, ${connections} ${connections === 1 ? "connection" : "connections"}`;
  const rows: Row[] = [];
  for (const { against, target, why, full } of PEERS) {
    const samples = against === FASTIFY ? fast : slow;
    const picture = connections > 1 && `${rooms} rooms: ${PICTURE[against]}`;
    rows.push({
      what: `${what}: requests/s`,
      against,
      ratio: ratio(samples, FOYER, against, "perSecond"),
      better: "more",
      ...(!(full && context.quick) && { target, why }),
      ...(picture && { picture }),
    });
  }
  const ceiling = ceilingOf(fast);
  rows.push({
    what: `${what}: requests/s`,
    against: `the ceiling (${ceiling})`,
    ratio: ratio(fast, FOYER, ceiling, "perSecond"),
    better: "more",
    target: { least: 0.8 },
    why: WHY_BELOW_CEILING,
  });
  for (const { against } of PEERS) {
    const samples = against === FASTIFY ? fast : slow;
    const answers = [FOYER, against]
      .flatMap((name) => samples.get(name) ?? [])
      .map(({ requests = 0 }) => requests);
    if (Math.min(...answers) < LEAST_FOR_PERCENTILES) continue;
    for (const figure of ["p50", "p99"] as const) {
      rows.push({
        what: `${what}: ${NAMES[figure]}`,
        against,
        ratio: ratio(samples, FOYER, against, figure),
        better: "less",
      });
    }
  }
  return rows;
}

/** The slower of the two that set the ceiling. */
function ceilingOf(samples: Samples): string {
  const perSecond = (name: string) =>
    median((samples.get(name) ?? []).map(({ perSecond = 0 }) => perSecond).sort((a, b) => a - b));
  return perSecond(PGBENCH) < perSecond(CONSTANT) ? PGBENCH : CONSTANT;
}
