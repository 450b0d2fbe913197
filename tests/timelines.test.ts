import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "../src/db/client.ts";
import { markerMoved, messagesChanged, roomChanged, typing } from "../src/live/hints.ts";
import { Hub, type Source } from "../src/live/hub.ts";
import { timelineSource } from "../src/messages/timeline.ts";
import { markRead } from "../src/rooms/read.ts";
import { eventually } from "./support/eventually.ts";
import { HubBench, newHub, Reader } from "./support/hub.ts";

let bench: HubBench;
beforeAll(async () => {
  bench = await HubBench.open();
});
afterAll(() => bench.close());

/** The seqs of the messages that a reader was brought, event by event. */
const seqs = (reader: Reader): number[][] =>
  reader.all("messages").map(({ messages }) => messages.map(({ seq }: { seq: number }) => seq));
const last = (reader: Reader): number => seqs(reader).flat().at(-1) ?? 0;

test("a thousand who watch a room cost one query and one reading of each message, encoded once", async () => {
  const { userIds, roomId } = await bench.crowd(1_000);
  const { source, seen } = await bench.watched();
  const hub = newHub(source);
  const readers = userIds.map((userId) => {
    const reader = new Reader();
    bench.openTimeline(hub, userId, roomId, reader);
    return reader;
  });
  await eventually(() => readers.every(({ events }) => events.length === 1));
  expect(seen).toMatchObject({ timelines: 1, timelineAsks: 1, lists: 0 });

  await bench.send(userIds[0] as number, roomId);
  hub.hear(roomChanged(roomId));
  await eventually(() => readers.every((reader) => last(reader) === 1));
  expect(seen).toMatchObject({ timelines: 2, timelineAsks: 2, read: 1, most: 1 });
  const [first, ...others] = readers.map(({ frames }) => frames.at(-1));
  for (const other of others) expect(other).toBe(first as Uint8Array);
  hub.shutDown();
});

test("while a query is under way marks gather: many sends in many rooms are few queries, one at a time", async () => {
  const rooms = await Promise.all([bench.crowd(3), bench.crowd(3), bench.crowd(3)]);
  const { source, seen } = await bench.watched();
  const hub = newHub(source);
  const watchers = rooms.flatMap(({ userIds, roomId }) =>
    userIds.map((userId) => {
      const reader = new Reader();
      bench.openTimeline(hub, userId, roomId, reader);
      bench.openList(hub, userId, new Reader());
      return reader;
    }),
  );
  await Promise.all(
    Array.from({ length: 150 }, async (_, i) => {
      const { userIds, roomId } = rooms[i % 3] as (typeof rooms)[number];
      await bench.send(userIds[i % 2] as number, roomId);
      hub.hear(roomChanged(roomId));
    }),
  );
  await eventually(() => watchers.every((reader) => last(reader) === 50));
  for (const reader of watchers)
    expect(seqs(reader).flat()).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(seen.most).toBe(1);
  expect(seen.timelines).toBeLessThan(150);
  hub.shutDown();
});

test("a full wire gets nothing until it drains, then all that it missed, once, and the newest of each marker", async () => {
  const { userIds, roomId } = await bench.crowd(3);
  const [sender, slowOne, reads] = userIds as [number, number, number];
  const { source, seen } = await bench.watched();
  const hub = newHub(source);
  const [slow, quick] = [new Reader(), new Reader()];
  bench.openTimeline(hub, slowOne, roomId, slow);
  bench.openTimeline(hub, sender, roomId, quick);
  await eventually(() => slow.events.length + quick.events.length === 2);
  for (let round = 1; round <= 3; round++) {
    slow.full = true;
    const before = slow.frames.length;
    const { timelines, timelineAsks } = seen;
    for (let i = 1; i <= 10; i++) {
      const { message } = await bench.send(sender, roomId);
      await markRead(bench.db.sql, reads, roomId, message.seq);
      hub.hear(roomChanged(roomId));
      hub.hear(markerMoved(reads, roomId));
      hub.hear(typing(reads, roomId));
      await eventually(() => last(quick) === message.seq);
    }
    await eventually(() => quick.all("typing").length === round * 10);
    expect(slow.frames).toHaveLength(before);
    expect(seen.timelineAsks - timelineAsks).toBe(seen.timelines - timelines); // nothing was asked for it
    const read = seen.read;
    slow.full = false;
    await eventually(() => last(slow) === round * 10);
    expect(seen.read - read).toBe(10);
    expect(seqs(slow).at(-1)).toHaveLength(10);
    const told = slow.all("read").slice(-2);
    expect(told).toContainEqual({ userId: reads, lastReadSeq: round * 10 });
    expect(told).toContainEqual({ userId: sender, lastReadSeq: round * 10 });
    expect(slow.all("read")).toHaveLength(round * 2);
  }
  expect(slow.all("typing")).toEqual([]); // that somebody typed a while ago is no news
  hub.shutDown();
});

test("the markers that moved while the only one who watches did not read are told when they do", async () => {
  const { userIds, roomId } = await bench.crowd(3);
  const [ada, ben, eve] = userIds as [number, number, number];
  const { source } = await bench.watched();
  const hub = newHub(source);
  const slow = new Reader();
  bench.openTimeline(hub, ada, roomId, slow);
  await eventually(() => slow.events.length === 1);
  slow.full = true;
  for (let i = 0; i < 3; i++) {
    const { message } = await bench.send(ben, roomId);
    await markRead(bench.db.sql, eve, roomId, message.seq);
    hub.hear(roomChanged(roomId));
    hub.hear(markerMoved(eve, roomId));
  }
  await eventually(() => !slow.writable() && hub.state.queries >= 3);
  slow.full = false;
  await eventually(() => last(slow) === 3 && slow.all("read").length >= 2);
  const told = new Map(slow.all("read").map(({ userId, lastReadSeq }) => [userId, lastReadSeq]));
  expect(told).toEqual(
    new Map([
      [ben, 3],
      [eve, 3],
    ]),
  );
  hub.shutDown();
});

test("what a connection missed in many rooms is read room by room, as far as its wire takes it", async () => {
  const rooms = await Promise.all(Array.from({ length: 30 }, () => bench.crowd(2)));
  const { sql } = bench.database;
  const [ada] = (rooms[0] as (typeof rooms)[number]).userIds as [number];
  for (const { roomId } of rooms) {
    await sql`insert into memberships (user_id, room_id) values (${ada}, ${roomId}) on conflict do nothing`;
  }
  const { source, seen } = await bench.watched();
  const hub = newHub(source);
  const slow = new Reader();
  const connection = bench.connect(hub, ada, slow);
  for (const { roomId } of rooms) hub.openTimeline(connection, roomId, "0.0", () => {});
  await eventually(() => slow.events.length === 30);
  slow.full = true;
  for (const { roomId, userIds } of rooms) {
    await sql`
      with room as (update rooms set last_seq = 100 where id = ${roomId})
      insert into messages (room_id, seq, sender_id, body)
      select ${roomId}, i, ${userIds[1] as number}, 'missed' from generate_series(1, 100) i`;
    hub.hear(roomChanged(roomId));
  }
  await eventually(() => seen.now === 0 && hub.state.queries > 1);
  const read = seen.read;
  // From now on the wire is full after every message event, until it is looked at again.
  const send = slow.send.bind(slow);
  slow.send = (frame) => {
    send(frame);
    slow.full = true;
    setTimeout(() => {
      slow.full = false;
    }, 1);
  };
  slow.full = false;
  await eventually(() => slow.all("messages").length === 60, "all are told", 20_000);
  expect(seen.read - read).toBeLessThan(2 * 30 * 100);
  hub.shutDown();
});

test("a stretch of more than a megabyte comes in parts, each with its cursor", async () => {
  const { userIds, roomId } = await bench.crowd(2);
  const [ada, ben] = userIds as [number, number];
  await bench.database.sql`
    with room as (update rooms set last_seq = 300 where id = ${roomId})
    insert into messages (room_id, seq, sender_id, body)
    select ${roomId}, i, ${ben}, repeat('x', 10000) from generate_series(1, 300) i`;
  const { source } = await bench.watched();
  const hub = newHub(source);
  const reader = new Reader();
  bench.openTimeline(hub, ada, roomId, reader, "0.0");
  await eventually(() => last(reader) === 300);
  expect(seqs(reader).flat()).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  expect(reader.events.map(({ id }) => id)).toEqual(["105.0", "210.0", "300.0"]);
  expect(reader.all("messages").map(({ reset, cursor }) => [reset, cursor])).toEqual([
    [false, "105.0"],
    [false, "210.0"],
    [false, "300.0"],
  ]);
  expect(reader.all("read")).toEqual([]); // they are of before

  await bench.database.sql`
    with room as (update rooms set last_seq = 600 where id = ${roomId})
    insert into messages (room_id, seq, sender_id, body)
    select ${roomId}, i, ${ben}, repeat('x', 10000) from generate_series(301, 600) i`;
  hub.hear(roomChanged(roomId));
  await eventually(() => last(reader) === 600);
  expect(seqs(reader).flat()).toEqual(Array.from({ length: 600 }, (_, i) => i + 1));
  expect(reader.all("read").at(-1)).toEqual({ userId: ben, lastReadSeq: 600 });
  hub.shutDown();
});

test("what no hint told of is found by itself, also where nobody has a room list open", async () => {
  const { userIds, roomId } = await bench.crowd(2);
  const [ada, ben] = userIds as [number, number];
  const { source } = await bench.watched();
  const hub = newHub(source);
  hub.sweep(); // as at every start, when the bus begins to listen
  const reader = new Reader();
  bench.openTimeline(hub, ada, roomId, reader);
  await eventually(() => reader.events.length === 1);
  await bench.send(ben, roomId);
  await eventually(() => last(reader) === 1, "the message is told", 20_000);
  hub.shutDown();
});

test("a hint that is lost, doubled or of nobody does no harm", async () => {
  const { userIds, roomId } = await bench.crowd(2);
  const [ada, ben] = userIds as [number, number];
  const { source, seen } = await bench.watched();
  const hub = newHub(source);
  const reader = new Reader();
  bench.openTimeline(hub, ada, roomId, reader);
  await eventually(() => reader.events.length === 1);
  await bench.send(ben, roomId); // lost: only the sweep finds it
  hub.sweep();
  await eventually(() => last(reader) === 1);
  const { timelines } = seen;
  for (const nonsense of ["c999999", "y1.999999", `y999999.${roomId}`, "y1", "c"]) hub.hear(nonsense);
  for (let i = 0; i < 5; i++) hub.hear(messagesChanged(roomId)); // nothing has changed: a look, and no event
  await eventually(() => seen.timelines > timelines && seen.now === 0);
  expect(seqs(reader)).toEqual([[], [1]]);
  hub.shutDown();
});

test("a query that fails is tried again, and nothing is lost", async () => {
  const { userIds, roomId } = await bench.crowd(2);
  const [ada, ben] = userIds as [number, number];
  const { source } = await bench.watched();
  let failing = 3;
  const failures: unknown[] = [];
  const flaky: Source = {
    ...source,
    timelines: (asks, pairs) =>
      failing-- > 0 ? Promise.reject(new Error("away")) : source.timelines(asks, pairs),
  };
  const hub = new Hub(flaky, { pingMs: 15_000, idleMs: 60_000 }, (error) => failures.push(error));
  const reader = new Reader();
  bench.openTimeline(hub, ada, roomId, reader);
  await eventually(() => reader.events.length === 1);
  expect(failures).toHaveLength(3);
  failing = 2;
  await bench.send(ben, roomId);
  await markRead(bench.db.sql, ada, roomId, 1);
  hub.hear(roomChanged(roomId));
  hub.hear(markerMoved(ada, roomId));
  hub.hear(typing(ben, roomId));
  await eventually(() => !hub.ready);
  await eventually(() => last(reader) === 1);
  expect(reader.all("read")).toContainEqual({ userId: ada, lastReadSeq: 1 });
  expect(reader.all("typing")).toHaveLength(1);
  expect(hub.ready).toBe(true);
  hub.shutDown();
});

test("lists that cannot be read keep no timeline from going on, nor the other way about", async () => {
  const { userIds, roomId } = await bench.crowd(2);
  const [ada, ben] = userIds as [number, number];
  const { source } = await bench.watched();
  const failing: { list?: true; timelines?: true } = {};
  const away = () => Promise.reject(new Error("away"));
  const hub = new Hub(
    {
      ...source,
      list: (asks) => (failing.list ? away() : source.list(asks)),
      timelines: (asks, pairs) => (failing.timelines ? away() : source.timelines(asks, pairs)),
    },
    { pingMs: 15_000, idleMs: 60_000 },
    () => {},
  );
  const [list, timeline] = [new Reader(), new Reader()];
  bench.openList(hub, ada, list);
  bench.openTimeline(hub, ada, roomId, timeline);
  await eventually(() => list.events.length + timeline.events.length === 2);
  const send = async () => {
    await bench.send(ben, roomId);
    hub.hear(roomChanged(roomId));
  };
  failing.list = true;
  await send();
  await eventually(() => last(timeline) === 1);
  expect(list.lastSeq).toBe(0);
  delete failing.list;
  failing.timelines = true;
  await send();
  await eventually(() => list.lastSeq === 2);
  expect(last(timeline)).toBe(1);
  delete failing.timelines;
  await eventually(() => last(timeline) === 2);
  hub.shutDown();
});

test("who is removed while a query is under way gets nothing of it, nor of what comes later", async () => {
  const { userIds, roomId } = await bench.crowd(2);
  const [ada, ben] = userIds as [number, number];
  const { source } = await bench.watched();
  let held: Promise<void> | undefined;
  let asked = 0;
  const hub = newHub({
    ...source,
    timelines: async (asks, pairs) => {
      asked++;
      await held; // and asks only then
      return source.timelines(asks, pairs);
    },
  });
  const reader = new Reader();
  bench.openTimeline(hub, ada, roomId, reader);
  await eventually(() => reader.events.length === 1);
  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  hub.hear(roomChanged(roomId));
  await eventually(() => asked === 2);
  // Removed by another server, whose hints are late; then a message that is not theirs to see.
  await bench.database.sql`
    with left_room as (update memberships set left_at = now() where user_id = ${ada} and room_id = ${roomId})
    update rooms set removal_count = removal_count + 1 where id = ${roomId}`;
  await bench.send(ben, roomId, "secret");
  resolve();
  await eventually(() => reader.all("bye").length === 1);
  expect(reader.all("bye")).toEqual([{ reason: "removed" }]);
  expect(seqs(reader)).toEqual([[]]);
  hub.shutDown();
});

test("who was removed before the first answer gets none", async () => {
  const { roomId } = await bench.crowd(1);
  const { userIds } = await bench.crowd(1);
  const { source } = await bench.watched();
  const hub = newHub(source);
  const reader = new Reader();
  bench.openTimeline(hub, userIds[0] as number, roomId, reader);
  await eventually(() => reader.events.length > 0);
  expect(reader.events.map(({ event, data }) => [event, data])).toEqual([["bye", { reason: "removed" }]]);
  hub.shutDown();
});

test("that a newcomer has been told of a message does not keep its sender's marker from the others", async () => {
  const { userIds, roomId } = await bench.crowd(3);
  const [ada, ben, eve] = userIds as [number, number, number];
  const { source } = await bench.watched();
  const hub = newHub(source);
  const [first, newcomer] = [new Reader(), new Reader()];
  bench.openTimeline(hub, ada, roomId, first);
  await eventually(() => first.events.length === 1);
  await bench.send(ben, roomId);
  bench.openTimeline(hub, eve, roomId, newcomer);
  await eventually(() => last(newcomer) === 1);
  hub.hear(roomChanged(roomId));
  await eventually(() => last(first) === 1);
  expect(first.all("read")).toEqual([{ userId: ben, lastReadSeq: 1 }]);
  hub.shutDown();
});

test("more newcomers than one query may carry are served one batch after the other", async () => {
  const rooms = await Promise.all(Array.from({ length: 60 }, () => bench.crowd(1)));
  const { source, seen } = await bench.watched();
  const hub = newHub(source);
  const readers = rooms.map(({ userIds, roomId }) => {
    const reader = new Reader();
    bench.openTimeline(hub, userIds[0] as number, roomId, reader, "0.0");
    return reader;
  });
  await eventually(() => readers.every(({ events }) => events.length === 1));
  expect(seen.timelines).toBe(15); // 500 messages each at the most, 2,000 a query
  expect(seen.timelineAsks).toBe(60);
  hub.shutDown();
});

test("the live query keeps its plan: to make one takes longer than to ask", async () => {
  const { roomId } = await bench.crowd(1);
  const db = connect(bench.database.target, { pool: 1, statementTimeout: 5 });
  const source = timelineSource(db.sql);
  for (let asks = 1; asks <= 10; asks++) {
    await source.timelines(
      Array.from({ length: asks }, () => ({ roomId, position: null })),
      [],
    );
  }
  const plans = await db.sql`
    select generic_plans as kept, custom_plans as made from pg_prepared_statements where statement like ${"%asked as%"}`;
  expect([...plans]).toEqual([{ kept: 5, made: 5 }]);
  await db.close();
});
