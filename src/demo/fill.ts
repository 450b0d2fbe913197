import type { Connection } from "../db/borrow.ts";
import { arrayLiteral } from "../db/client.ts";
import { migrateBy } from "../db/migrate.ts";
import BODIES from "./bodies.sql" with { type: "text" };
import { type Fill, lockFills, ownFills, removeUnfinished, reserve, type Size } from "./fills.ts";
import MESSAGES from "./messages.sql" with { type: "text" };
import PLAN from "./plan.sql" with { type: "text" };
import { Progress, type Screen } from "./progress.ts";
import PUBLISH from "./publish.sql" with { type: "text" };
import { LINES, NAMES, OPENERS, ROOM_NAMES, TAILS, THINGS, TOPICS } from "./words.ts";

/** Rows in one statement: about a second and a half, so that the bar moves and Ctrl-C is heard. */
const BATCH = 100_000;
/** Different texts that messages draw from, at most. */
const MOST_BODIES = 40_000;

/** The database is not one to fill; the message is for whoever asked. */
export class FillRefused extends Error {
  override name = "FillRefused";
}

/**
 * Fills the database, unless a demo is there already.
 * @param connection the plan lives in its temporary tables
 * @param options.force fills although people are there
 * @param options.batch messages in one statement
 * @returns the fill that is there now, and whether it is new
 * @throws FillRefused for a database of people who are not a demo's, or while another fill is under way
 * @throws the signal's reason when it was told to stop; what was written is removed then
 */
export async function fill(
  connection: Connection,
  size: Size,
  options: { force: boolean; signal: AbortSignal; batch?: number; screen?: Screen },
): Promise<{ fill: Fill; isNew: boolean }> {
  const { force, signal, batch = BATCH, screen } = options;
  if (!(await lockFills(connection))) throw new FillRefused("Another demo is being filled in this database.");
  const [latest] = await ownFills(connection);
  if (latest && !force) return { fill: latest, isNew: false };
  const [row] = await connection`select count(*) as people from users`;
  if (row?.people > 0 && !force) {
    throw new FillRefused(
      `The database has people already (${row?.people}), and none of a demo's: nothing filled. --force adds a demo to them.`,
    );
  }
  await removeUnfinished(connection);

  const id = await reserve(connection, size);
  const bodies = Math.min(MOST_BODIES, size.messages);
  await plan(connection, id, bodies);
  await setIndexAside(connection);
  const progress = new Progress("messages", size.messages, screen);
  for (let done = 0; done < size.messages; ) {
    if (signal.aborted) {
      progress.stop();
      await removeUnfinished(connection);
      await migrateBy(connection);
      throw signal.reason;
    }
    const upto = Math.min(done + batch, size.messages);
    await connection.unsafe(MESSAGES, [done + 1, upto, bodies]);
    progress.to(upto);
    done = upto;
  }
  await index(connection, screen);
  await publish(connection, screen);
  const [fresh] = await ownFills(connection);
  return { fill: fresh as Fill, isNew: true };
}

async function plan(connection: Connection, id: number, bodies: number): Promise<void> {
  await connection
    .unsafe(`
    set work_mem = '64MB';
    set jit = off;
    set enable_memoize = off; -- every draw is another: remembering them costs a third
    drop table if exists demo_options, demo_names, demo_bodies, demo_people, demo_pairs, demo_rooms, demo_members, demo_slots;
    drop function if exists pg_temp.draw;
    create temp table demo_names (what text, n int, word text);
    create temp table demo_bodies (n bigint primary key, body text);
  `)
    .simple();
  await connection.unsafe(`
    create temp table demo_options as
    select id as fill, seed, users, rooms, messages, first_user_id, first_room_id, started_at as at
      from demo_fills where id = ${id}`);
  for (const [what, words] of Object.entries({ person: NAMES, room: ROOM_NAMES, topic: TOPICS })) {
    await connection`
      insert into demo_names
      select ${what}, n, word from unnest(${arrayLiteral(words)}::text[]) with ordinality as w (word, n)`;
  }
  await connection.unsafe(PLAN).simple();
  await connection.unsafe(BODIES, [...[LINES, THINGS, OPENERS, TAILS].map(arrayLiteral), bodies]);
  await connection.unsafe("analyze demo_bodies");
}

/**
 * Takes the migration back that made the index of words: made at the end, it costs a fraction of what it costs message
 * by message. Should we be killed, whoever starts next makes it, server or demo: it is a migration that is missing.
 * In a database that has rooms it stays, for those who search them.
 */
async function setIndexAside(connection: Connection): Promise<void> {
  await connection.begin(async (tx) => {
    await tx`lock table rooms in share mode`;
    const [row] = await tx`select exists (select from rooms) as has_rooms`;
    if (row?.has_rooms) return;
    await tx`drop index if exists messages_search`;
    await tx`delete from migrations where name = '0005_search.sql'`;
  });
}

/** Makes the index again, before anybody can see a room. */
async function index(connection: Connection, screen: Screen = process.stderr): Promise<void> {
  screen.write("index of words …\n");
  await connection`set maintenance_work_mem = '256MB'`;
  await migrateBy(connection);
}

/** Makes the people, rooms and memberships, in one transaction, then tells the planner. */
async function publish(connection: Connection, screen: Screen = process.stderr): Promise<void> {
  screen.write("people, rooms, read markers …\n");
  await connection.unsafe(PUBLISH).simple(); // statements sent together are one transaction
  screen.write("vacuum, analyze …\n");
  // Marks pages as visible to all: index-only scans would look into every page otherwise.
  for (const table of ["messages", "mentions", "memberships", "rooms", "users"]) {
    await connection.unsafe(`vacuum (analyze) ${table}`);
  }
}
