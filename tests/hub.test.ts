import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect, type Database } from "../src/db/client.ts";
import { Connection, type Wire } from "../src/live/connection.ts";
import type { Frame } from "../src/live/frame.ts";
import { membershipChanged, roomChanged } from "../src/live/hints.ts";
import { Hub, type Source } from "../src/live/hub.ts";
import { Person } from "../src/live/lists/audience.ts";
import { Sweep } from "../src/live/lists/sweep.ts";
import { sendMessage } from "../src/messages/queries.ts";
import { readCursors } from "../src/rooms/cursor.ts";
import { liveSource } from "../src/source.ts";
import type { RoomList } from "./support/client.ts";
import { freshDatabase, type TestDatabase } from "./support/database.ts";
import { eventually } from "./support/eventually.ts";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await freshDatabase();
  db = connect(database.target, { pool: 8, statementTimeout: 5 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

let credential: string;

/** So many people in one room, and a session that the streams of a test hang on. */
async function crowd(people: number): Promise<{ userIds: number[]; roomId: number }> {
  const { sql } = database;
  const [room] =
    await sql`insert into rooms (kind, name, member_count) values ('open', 'crowd', ${people}) returning id`;
  const users = await sql`
    with u as (
      insert into users (handle, name) select 'u' || ${room?.id} || '.' || i, 'U' || i from generate_series(1, ${people}::int) i returning id
    ), m as (insert into memberships (user_id, room_id) select id, ${room?.id} from u)
    select id from u`;
  const [session] = await sql`
    insert into sessions (user_id, secret_hash, expires_at)
    values (${users[0]?.id}, sha256(${`${room?.id}`}::bytea), now() + interval '1 day') returning 's' || id as credential`;
  credential = session?.credential;
  return { userIds: users.map(({ id }) => id), roomId: room?.id };
}

/** The real source, watched: how many queries, and how many at once. */
async function watched() {
  const real = liveSource(db.sql, await readCursors(db.sql));
  const seen = { lists: 0, asks: 0, most: 0, now: 0 };
  const watch =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A) => {
      seen.most = Math.max(seen.most, ++seen.now);
      try {
        return await call(...args);
      } finally {
        seen.now--;
      }
    };
  const source: Source = {
    rooms: watch(real.rooms),
    timelines: watch(real.timelines),
    members: watch(real.members),
    lapsed: watch(real.lapsed),
    list: watch((asks) => {
      seen.lists++;
      seen.asks += asks.length;
      return real.list(asks);
    }),
  };
  return { source, seen };
}

/** A wire into this test, full whenever the test says so. */
class Reader implements Wire {
  full = false;
  readonly frames: Uint8Array[] = [];
  readonly lists: RoomList[] = [];
  writable = () => !this.full;
  send({ sse }: Frame): void {
    this.frames.push(sse);
    const data = /^event: rooms\nid: .*\ndata: (.*)\n\n$/.exec(Buffer.from(sse).toString())?.[1];
    if (data) this.lists.push(JSON.parse(data));
  }
  close(): void {}
  drop(): void {}
  get lastSeq(): number {
    return this.lists.at(-1)?.rooms[0]?.lastSeq ?? 0;
  }
}

const open = (hub: Hub, userId: number, wire: Reader, cursor = "") => {
  const connection = new Connection(userId, credential, wire, Date.now(), () => {});
  hub.join(connection);
  hub.openList(connection, cursor);
  return connection;
};

const newHub = (source: Source) =>
  new Hub(source, { pingMs: 15_000, idleMs: 60_000 }, (error) => {
    throw error;
  });

test("there is one live query at a time, and it takes all that is dirty, however many streams", async () => {
  const { userIds, roomId } = await crowd(300);
  const { source, seen } = await watched();
  const hub = newHub(source);
  const readers = userIds.map((userId) => {
    const reader = new Reader();
    open(hub, userId, reader);
    return reader;
  });
  await eventually(() => readers.every((reader) => reader.lists.length === 1));
  expect(seen.lists).toBe(1); // 300 streams opened at once: one list query

  const before = seen.lists;
  const sends = 200;
  await Promise.all(
    Array.from({ length: sends }, async (_, i) => {
      const sender = userIds[i % userIds.length] as number;
      await sendMessage(db.sql, sender, roomId, { body: "x", clientId: null, replyTo: null });
      hub.hear(roomChanged(roomId));
    }),
  );
  await eventually(() => readers.every((reader) => reader.lastSeq === sends));
  expect(seen.most).toBe(1);
  expect(seen.lists - before).toBeLessThan(sends); // what came meanwhile went together
  hub.shutDown();
});

test("states never go backwards on one stream, and a full wire gets nothing until it drains", async () => {
  const { userIds, roomId } = await crowd(4);
  const { source } = await watched();
  const hub = newHub(source);
  const readers = userIds.map(() => new Reader());
  for (const [i, userId] of userIds.entries()) open(hub, userId, readers[i] as Reader);
  await eventually(() => readers.every((reader) => reader.lists.length === 1));
  const [slow] = readers as [Reader];
  for (let round = 0; round < 10; round++) {
    slow.full = true;
    const sent = slow.frames.length;
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        await sendMessage(db.sql, userIds[i % 4] as number, roomId, {
          body: "x",
          clientId: null,
          replyTo: null,
        });
        hub.hear(roomChanged(roomId));
      }),
    );
    await eventually(() => readers.slice(1).every((reader) => reader.lastSeq === (round + 1) * 20));
    expect(slow.frames.length).toBe(sent);
    slow.full = false;
    await eventually(() => slow.lastSeq === (round + 1) * 20);
    expect(slow.frames.length).toBe(sent + 1); // twenty states, merged into the newest
  }
  for (const reader of readers) {
    const seqs = reader.lists.flatMap(({ rooms }) => rooms.map((room) => room.lastSeq));
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  }
  hub.shutDown();
});

test("a hint that is lost, doubled or of nobody does no harm", async () => {
  const { userIds, roomId } = await crowd(2);
  const { source, seen } = await watched();
  const hub = newHub(source);
  const reader = new Reader();
  open(hub, userIds[0] as number, reader);
  await eventually(() => reader.lists.length === 1);
  const send = () =>
    sendMessage(db.sql, userIds[1] as number, roomId, { body: "x", clientId: null, replyTo: null });

  await send(); // lost: only the sweep finds it
  hub.sweep();
  await eventually(() => reader.lastSeq === 1);
  await send();
  for (let i = 0; i < 5; i++) hub.hear(roomChanged(roomId));
  await eventually(() => reader.lastSeq === 2);
  const { lists } = seen;
  for (const nonsense of ["r999999", "m1.1", "u999999", "s999999", "", "r", "x1", "r1.5", "m1"])
    hub.hear(nonsense);
  hub.hear(roomChanged(roomId)); // nothing has changed: a look, and no event
  await eventually(() => seen.lists > lists && seen.now === 0);
  expect(reader.lists.map(({ rooms }) => rooms[0]?.lastSeq)).toEqual([0, 1, 2]);
  hub.shutDown();
});

test("a frame that several streams of one person get is encoded once", async () => {
  const { userIds, roomId } = await crowd(2);
  const { source } = await watched();
  const hub = newHub(source);
  const readers = [new Reader(), new Reader(), new Reader()];
  for (const reader of readers) open(hub, userIds[0] as number, reader);
  await eventually(() => readers.every((reader) => reader.lists.length === 1));
  await sendMessage(db.sql, userIds[1] as number, roomId, { body: "x", clientId: null, replyTo: null });
  hub.hear(roomChanged(roomId));
  await eventually(() => readers.every((reader) => reader.lastSeq === 1));
  const [first, ...others] = readers.map((reader) => reader.frames.at(-1));
  for (const other of others) expect(other).toBe(first as Uint8Array);
  hub.shutDown();
});

test("a query that fails is tried again, and nothing is lost", async () => {
  const { userIds, roomId } = await crowd(2);
  const { source } = await watched();
  let failing = 3;
  const failures: unknown[] = [];
  const flaky: Source = {
    ...source,
    list: (asks) => (failing-- > 0 ? Promise.reject(new Error("away")) : source.list(asks)),
  };
  const hub = new Hub(flaky, { pingMs: 15_000, idleMs: 60_000 }, (error) => failures.push(error));
  const reader = new Reader();
  open(hub, userIds[0] as number, reader);
  await eventually(() => reader.lists.length === 1);
  expect(failures).toHaveLength(3);
  failing = 2;
  await sendMessage(db.sql, userIds[1] as number, roomId, { body: "x", clientId: null, replyTo: null });
  hub.hear(roomChanged(roomId));
  await eventually(() => !hub.ready); // new streams are refused meanwhile
  await eventually(() => reader.lastSeq === 1);
  expect(hub.ready).toBe(true);
  hub.shutDown();
});

test("a message that is sent while its reader's entry into the room is being looked up is not missed", async () => {
  const { userIds, roomId } = await crowd(2);
  const [room] =
    await database.sql`insert into rooms (kind, name, member_count) values ('open', 'entered', 1) returning id`;
  const entered = room?.id as number;
  await database.sql`insert into memberships (user_id, room_id) values (${userIds[1] as number}, ${entered})`;
  const { source } = await watched();
  let held: Promise<void> | undefined;
  const hub = newHub({
    ...source,
    list: async (asks) => {
      const answer = await source.list(asks);
      await held; // the query has seen what it has seen
      return answer;
    },
  });
  const reader = new Reader();
  open(hub, userIds[0] as number, reader);
  await eventually(() => reader.lists.length === 1);

  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  await database.sql`insert into memberships (user_id, room_id) values (${userIds[0] as number}, ${entered})`;
  hub.hear(membershipChanged(userIds[0] as number, entered));
  await eventually(() => hub.state.queries === 3); // rooms, the first list, this one
  await sendMessage(db.sql, userIds[1] as number, entered, { body: "x", clientId: null, replyTo: null });
  hub.hear(roomChanged(entered));
  held = undefined;
  resolve();
  // Well before the next sweep, which would find it anyway.
  await eventually(
    () => reader.lists.some(({ rooms }) => rooms.some(({ id, lastSeq }) => id === entered && lastSeq === 1)),
    "the message is told",
    3_000,
  );
  hub.hear(roomChanged(roomId));
  hub.shutDown();
});

test("a hub whose streams have all gone while the database was away is ready for new ones", async () => {
  const { userIds } = await crowd(1);
  const { source } = await watched();
  let away = true;
  const hub = new Hub(
    { ...source, list: (asks) => (away ? Promise.reject(new Error("away")) : source.list(asks)) },
    { pingMs: 15_000, idleMs: 60_000 },
    () => {},
  );
  const gone = open(hub, userIds[0] as number, new Reader());
  await eventually(() => !hub.ready);
  hub.leave(gone);
  await eventually(() => hub.ready);
  away = false;
  const reader = new Reader();
  open(hub, userIds[0] as number, reader);
  await eventually(() => reader.lists.length === 1);
  hub.shutDown();
});

test("a sweep ends once everybody was looked at, whatever else goes on, and the next one is due after a pause", async () => {
  const [first, second] = [new Person(1), new Person(2)];
  const sweep = new Sweep();
  expect(sweep.due).toBe(true);
  sweep.begin([first, second]);
  sweep.done(first);
  sweep.settle();
  expect(sweep.due).toBe(false);
  sweep.missed(first); // the query failed
  sweep.done(second);
  sweep.settle();
  expect(sweep.due).toBe(false);
  sweep.done(first);
  sweep.settle();
  await eventually(() => sweep.due);
});
