import { afterAll, beforeAll, expect, test } from "bun:test";
import { membershipChanged, roomChanged, userChanged } from "../src/live/hints.ts";
import { Hub, type Source } from "../src/live/hub.ts";
import { Person } from "../src/live/lists/audience.ts";
import { Sweep } from "../src/live/lists/sweep.ts";
import { eventually } from "./support/eventually.ts";
import { HubBench, newHub, Reader } from "./support/hub.ts";

let bench: HubBench;
beforeAll(async () => {
  bench = await HubBench.open();
});
afterAll(() => bench.close());

test("there is one live query at a time, and it takes all that is dirty, however many streams", async () => {
  const { userIds, roomId } = await bench.crowd(300);
  const { source, seen } = await bench.watched();
  const hub = newHub(source);
  const readers = userIds.map((userId) => {
    const reader = new Reader();
    bench.openList(hub, userId, reader);
    return reader;
  });
  await eventually(() => readers.every((reader) => reader.lists.length === 1));
  expect(seen.lists).toBe(1); // 300 streams opened at once: one list query

  const before = seen.lists;
  const sends = 200;
  await Promise.all(
    Array.from({ length: sends }, async (_, i) => {
      const sender = userIds[i % userIds.length] as number;
      await bench.send(sender, roomId);
      hub.hear(roomChanged(roomId));
    }),
  );
  await eventually(() => readers.every((reader) => reader.lastSeq === sends));
  expect(seen.most).toBe(1);
  expect(seen.lists - before).toBeLessThan(sends); // what came meanwhile went together
  hub.shutDown();
});

test("what ended is refused; an identity, which may have come back, is asked for at once", async () => {
  const { userIds } = await bench.crowd(1);
  const { source } = await bench.watched();
  const asked: string[][] = [];
  const hub = newHub({
    ...source,
    lapsed: (credentials) => {
      asked.push(credentials);
      return source.lapsed(credentials);
    },
  });
  const [userId] = userIds as [number];
  hub.hear(bench.credential);
  bench.connect(hub, userId, new Reader());
  expect(hub.state.streams).toBe(0);
  bench.credential = "j987654"; // of nobody
  hub.hear(bench.credential);
  const late = bench.connect(hub, userId, new Reader());
  expect(hub.state.streams).toBe(1);
  await new Promise(setImmediate); // sooner than any sweep
  expect(asked).toEqual([["j987654"]]);
  await eventually(() => late.ended);
  hub.shutDown();
});

test("who is said to have changed is asked at once whether they still have the right; nobody else is", async () => {
  const { userIds } = await bench.crowd(2);
  const [first, second] = userIds as [number, number];
  const { source } = await bench.watched();
  const asked: string[][] = [];
  const hub = newHub({
    ...source,
    lapsed: (credentials) => {
      asked.push(credentials);
      return source.lapsed(credentials);
    },
  });
  const readers = [new Reader(), new Reader()] as const;
  bench.openList(hub, first, readers[0]);
  const { credential } = bench;
  bench.credential = "j987654"; // of no identity
  bench.openList(hub, second, readers[1]);
  await eventually(() => readers.every((reader) => reader.lists.length === 1));
  hub.hear(userChanged(first));
  await eventually(() => asked.length === 1);
  hub.hear(userChanged(second));
  await eventually(() => asked.length === 2);
  await eventually(() => readers[1].all("bye").length === 1);
  expect(asked).toEqual([[credential], ["j987654"]]);
  expect(readers[0].all("bye")).toEqual([]);
  hub.shutDown();
});

test("states never go backwards on one stream, and a full wire gets nothing until it drains", async () => {
  const { userIds, roomId } = await bench.crowd(4);
  const { source } = await bench.watched();
  const hub = newHub(source);
  const readers = userIds.map(() => new Reader());
  for (const [i, userId] of userIds.entries()) bench.openList(hub, userId, readers[i] as Reader);
  await eventually(() => readers.every((reader) => reader.lists.length === 1));
  const [slow] = readers as [Reader];
  for (let round = 0; round < 10; round++) {
    slow.full = true;
    const sent = slow.frames.length;
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        await bench.send(userIds[i % 4] as number, roomId);
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
  const { userIds, roomId } = await bench.crowd(2);
  const { source, seen } = await bench.watched();
  const hub = newHub(source);
  const reader = new Reader();
  bench.openList(hub, userIds[0] as number, reader);
  await eventually(() => reader.lists.length === 1);
  const send = () => bench.send(userIds[1] as number, roomId);

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
  const { userIds, roomId } = await bench.crowd(2);
  const { source } = await bench.watched();
  const hub = newHub(source);
  const readers = [new Reader(), new Reader(), new Reader()];
  for (const reader of readers) bench.openList(hub, userIds[0] as number, reader);
  await eventually(() => readers.every((reader) => reader.lists.length === 1));
  await bench.send(userIds[1] as number, roomId);
  hub.hear(roomChanged(roomId));
  await eventually(() => readers.every((reader) => reader.lastSeq === 1));
  const [first, ...others] = readers.map((reader) => reader.frames.at(-1));
  for (const other of others) expect(other).toBe(first as Uint8Array);
  hub.shutDown();
});

test("a query that fails is tried again, and nothing is lost", async () => {
  const { userIds, roomId } = await bench.crowd(2);
  const { source } = await bench.watched();
  let failing = 3;
  const failures: unknown[] = [];
  const flaky: Source = {
    ...source,
    list: (asks) => (failing-- > 0 ? Promise.reject(new Error("away")) : source.list(asks)),
  };
  const hub = new Hub(flaky, { pingMs: 15_000, idleMs: 60_000 }, (error) => failures.push(error));
  const reader = new Reader();
  bench.openList(hub, userIds[0] as number, reader);
  await eventually(() => reader.lists.length === 1);
  expect(failures).toHaveLength(3);
  failing = 2;
  await bench.send(userIds[1] as number, roomId);
  hub.hear(roomChanged(roomId));
  await eventually(() => !hub.ready); // new streams are refused meanwhile
  await eventually(() => reader.lastSeq === 1);
  expect(hub.ready).toBe(true);
  hub.shutDown();
});

test("a message that is sent while its reader's entry into the room is being looked up is not missed", async () => {
  const { userIds, roomId } = await bench.crowd(2);
  const [room] = await bench.database
    .sql`insert into rooms (kind, name, member_count) values ('open', 'entered', 1) returning id`;
  const entered = room?.id as number;
  await bench.database
    .sql`insert into memberships (user_id, room_id) values (${userIds[1] as number}, ${entered})`;
  const { source } = await bench.watched();
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
  bench.openList(hub, userIds[0] as number, reader);
  await eventually(() => reader.lists.length === 1);

  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  await bench.database
    .sql`insert into memberships (user_id, room_id) values (${userIds[0] as number}, ${entered})`;
  hub.hear(membershipChanged(userIds[0] as number, entered));
  await eventually(() => hub.state.queries === 3); // rooms, the first list, this one
  await bench.send(userIds[1] as number, entered);
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
  const { userIds } = await bench.crowd(1);
  const { source } = await bench.watched();
  let away = true;
  const hub = new Hub(
    { ...source, list: (asks) => (away ? Promise.reject(new Error("away")) : source.list(asks)) },
    { pingMs: 15_000, idleMs: 60_000 },
    () => {},
  );
  const gone = bench.openList(hub, userIds[0] as number, new Reader());
  await eventually(() => !hub.ready);
  hub.leave(gone);
  await eventually(() => hub.ready);
  away = false;
  const reader = new Reader();
  bench.openList(hub, userIds[0] as number, reader);
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
