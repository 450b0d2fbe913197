import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Database } from "../src/db/client.ts";
import type { Hint } from "../src/live/hints.ts";
import { type Pace, Presence } from "../src/presence/presence.ts";
import { changePresence, enterServer } from "../src/presence/queries.ts";
import { readCursors } from "../src/rooms/cursor.ts";
import { listRooms } from "../src/rooms/list.ts";
import { createRoom } from "../src/rooms/queries.ts";
import type { Client } from "./support/client.ts";
import { quietCursor } from "./support/cursor.ts";
import { freshDatabase, type TestDatabase } from "./support/database.ts";
import { type EventReader, inOrder } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer, twoServers } from "./support/server.ts";

/** Nobody waits for the damping, nor for the beats. */
const AT_ONCE: Pace = { dampMs: 0, beatMs: 20 };
const NEVER_MS = 2 ** 31 - 1;

describe("at two servers", () => {
  let servers: [TestServer, TestServer];
  beforeAll(async () => {
    servers = await twoServers(AT_ONCE);
  });
  afterAll(async () => {
    await servers[1].close();
    await servers[0].close();
  });

  /** Ada, Ben at the other server, and their direct room. */
  async function pair() {
    const [ada, ben] = await Promise.all([servers[0].person("ada"), servers[1].person("ben")]);
    const { id } = await ada.must("POST", "/rooms", { kind: "direct", members: [ben.user.id] });
    return { ada, ben, id: id as number, adaThere: ada.with(ada.headers, servers[1].api) };
  }

  /** Whether the first peer is online, as a stream has told it. */
  const shows = (stream: EventReader, id: number, online: boolean) =>
    stream.until(
      () => stream.rooms.get(id)?.peers?.[0]?.online === online,
      `the peer is ${online ? "" : "not "}online`,
    );
  const rows = async ({ user }: Client): Promise<number> =>
    (await servers[0].database.sql`select from presence where user_id = ${user.id}`).length;

  test("a person is online while a stream of theirs is open on any of them, wherever it is told", async () => {
    const { ada, ben, id, adaThere } = await pair();
    const open = await ada.openRoom("open", [ben]);
    const told = async () => [
      (await ben.list()).rooms.find((room) => room.id === id)?.peers,
      (await ben.room(id)).peers,
      ...(await Promise.all(
        [id, open.id].map(async (room) =>
          (
            await ben.must("GET", `/rooms/${room}/members`)
          ).members
            .map((member: any) => member.user)
            .filter((user: any) => user.id === ada.user.id),
        ),
      )),
      [(await ben.must("PUT", `/rooms/${open.id}/members/${ada.user.id}`)).user],
    ];
    const everywhere = (online: boolean) => Array(5).fill([{ ...ada.user, online }]);

    const watching = await ben.stream();
    await shows(watching, id, false);
    expect(await told()).toEqual(everywhere(false));
    const here = await ada.stream();
    await shows(watching, id, true);
    expect(await told()).toEqual(everywhere(true));

    const events = watching.events.length;
    const there = await adaThere.stream();
    await eventually(async () => (await rows(ada)) === 2);
    here.close();
    await eventually(async () => (await rows(ada)) === 1);
    expect(await told()).toEqual(everywhere(true));
    await ben.send(id); // and nothing else
    await watching.until(() => watching.rooms.get(id)?.lastSeq === 1);
    expect(watching.events.length - events).toBe(1);

    there.close();
    await shows(watching, id, false);
    expect(await told()).toEqual(everywhere(false));
    expect(inOrder(watching.rooms)).toEqual((await ben.list()).rooms);
    watching.close();
  });

  test("a cursor brings it, of the direct rooms alone", async () => {
    const { ada, ben, id } = await pair();
    await ada.openRoom("open", [ben]);
    const before = await quietCursor(ben);
    const stream = await ada.stream();
    await eventually(async () => (await ben.room(id)).peers?.[0]?.online === true);
    const list = await ben.list(`?since=${before}`);
    expect(list).toMatchObject({ reset: false, left: [], rooms: [{ id, peers: [{ online: true }] }] });
    const between = await quietCursor(ben);
    stream.close();
    await eventually(async () => (await ben.room(id)).peers?.[0]?.online === false);
    expect((await ben.list(`?since=${between}`)).rooms).toEqual([await ben.room(id)]);
  });

  test("one's own coming changes nothing in one's own list, nor in that of who left or whose room is removed", async () => {
    const { ada, ben, id } = await pair();
    await ada.must("POST", "/rooms", { kind: "direct" });
    const removed = await ada.must("POST", "/rooms", {
      kind: "direct",
      members: [ben.user.id, (await servers[0].person()).user.id],
    });
    await ada.must("DELETE", `/rooms/${removed.id}`);
    const [mine, his] = [await quietCursor(ada), await quietCursor(ben)];
    const stream = await ada.stream(mine);
    await eventually(async () => (await ben.room(id)).peers?.[0]?.online === true);
    expect(await ada.list(`?since=${mine}`)).toMatchObject({ rooms: [], left: [] });
    expect(await ben.list(`?since=${his}`)).toMatchObject({ rooms: [{ id }], left: [] });
    expect((await stream.event("rooms")).data.rooms).toEqual([]);
    stream.close();
  });

  test("a server that stops takes nobody offline: who comes back elsewhere was never away", async () => {
    const { sql } = servers[0].database;
    const third = await testServer({}, servers[0].database, AT_ONCE);
    const { ada, ben, id, adaThere } = await pair();
    const watching = await ben.stream();
    const stream = await ada.with(ada.headers, third.api).stream();
    await shows(watching, id, true);
    const events = watching.events.length;
    await third.stop();
    await stream.until(() => stream.ended);
    const [left] = await sql<{ id: string; early: boolean }[]>`
      select id, seen_at < now() - interval '6 s' as early from servers
       where id = (select server_id from presence where user_id = ${ada.user.id})`;
    expect(left?.early).toBe(true); // it need not be missed for as long as one that was killed

    const again = await adaThere.stream(stream.lastEventId, stream.rooms);
    await eventually(async () => (await rows(ada)) === 2);
    await sql`update servers set seen_at = now() - interval '1 minute' where id = ${left?.id as string}`;
    await eventually(async () => (await rows(ada)) === 1);
    await ben.send(id);
    await watching.until(() => watching.rooms.get(id)?.lastSeq === 1);
    expect(watching.events.length - events).toBe(1);

    await sql`update servers set seen_at = now() - interval '1 minute'`; // all of them stalled: they come back by themselves
    await eventually(async () => {
      const [{ alive, all }] =
        (await sql`select count(*) filter (where seen_at > now() - interval '15 s') as alive, count(*) as all from servers`) as any;
      return alive === 2 && all === 2;
    });
    await shows(watching, id, true);
    for (const each of [watching, again]) each.close();
  });
});

test("a reload makes no change: by default, who is back within seconds was not away", async () => {
  const servers = await twoServers();
  const [ada, ben] = [await servers[0].person("ada"), await servers[1].person("ben")];
  const { id } = await ada.must("POST", "/rooms", { kind: "direct", members: [ben.user.id] });
  const [stream, watching] = [await ada.stream(), await ben.stream()];
  await watching.until(() => watching.rooms.get(id)?.peers?.[0]?.online === true);
  const events = watching.events.length;
  for (const { api } of [servers[0], servers[1], servers[0]]) {
    stream.close();
    const next = await ada.with(ada.headers, api).stream();
    await next.event("rooms");
    next.close();
  }
  await eventually(() => servers[0].hub.state.streams === 0);
  await ben.send(id);
  await watching.until(() => watching.rooms.get(id)?.lastSeq === 1);
  expect(watching.events.length - events).toBe(1);
  expect(watching.rooms.get(id)?.peers?.[0]?.online).toBe(true);
  watching.close();
  await servers[1].close();
  await servers[0].close();
});

describe("presence", () => {
  let database: TestDatabase;
  let db: Database;
  const opened: Presence[] = [];
  beforeAll(async () => {
    database = await freshDatabase();
    db = connect(database.target, { pool: 8, statementTimeout: 5 });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((presence) => presence.close()));
    await database.sql`delete from presence`;
    await database.sql`delete from servers`;
  });
  afterAll(async () => {
    await db.close();
    await database.drop();
  });

  /** A server's presence, and what it announces and complains of. */
  function start(pace: Pace, on = db) {
    const hints: Hint[] = [];
    const troubles: unknown[] = [];
    const presence = new Presence(
      on,
      (...more) => hints.push(...more),
      (error) => troubles.push(error),
      pace,
    );
    opened.push(presence);
    return { presence, hints, troubles };
  }

  let names = 0;
  /** So many people, each in a direct room with the last one; the hint of each that this one gets. */
  async function people(count: number) {
    const users = await database.sql<{ id: number }[]>`
      insert into users (handle, name) select 'p' || ${++names}::int || '.' || i, 'P' from generate_series(0, ${count}::int) i returning id`;
    const ids = users.map(({ id }) => id);
    const peer = ids.pop() as number;
    const hints: Hint[] = [];
    for (const id of ids) {
      const room = await createRoom(db.sql, peer, {
        kind: "direct",
        name: null,
        topic: null,
        memberIds: [id],
      });
      hints.push(`m${peer}.${room.id}`);
    }
    return { ids, hints };
  }

  /** Who is online, by id. */
  const online = async (): Promise<number[]> =>
    (await database.sql`select distinct user_id from presence order by user_id`).map((row) => row.user_id);
  const isOnline = (...ids: number[]) =>
    eventually(async () => Bun.deepEquals(await online(), ids), `online are ${ids}`);
  const serverOf = async (userId: number): Promise<string | undefined> =>
    (await database.sql`select server_id from presence where user_id = ${userId}`)[0]?.server_id;

  test("who is back before they have been away for long enough was not away; who is not, was", async () => {
    const { ids, hints } = await people(3);
    const [ada, kim, late] = ids as [number, number, number];
    const { presence, hints: told } = start({ dampMs: 100 });
    presence.arrived(ada);
    presence.arrived(kim);
    await isOnline(ada, kim);
    const [server] = await database.sql`select xmin::text from presence where user_id = ${ada}`;
    presence.left(ada);
    presence.arrived(ada);
    presence.left(kim); // after ada: if she were to go, it would be before
    await isOnline(ada);
    expect(told).toEqual([...hints.slice(0, 2), hints[1] as Hint]);
    expect(await database.sql`select xmin::text from presence where user_id = ${ada}`).toEqual([
      server,
    ] as any);

    const patient = start({ dampMs: NEVER_MS }).presence;
    patient.arrived(kim);
    await isOnline(ada, kim);
    patient.left(kim);
    patient.arrived(late);
    await isOnline(ada, kim, late);
  });

  test("each is waited for as long as any other, whoever left just before", async () => {
    const { ids } = await people(2);
    const [ada, ben] = ids as [number, number];
    const { presence } = start({ dampMs: 400 });
    for (const id of ids) presence.arrived(id);
    await isOnline(ada, ben);
    presence.left(ada);
    const first = performance.now();
    await eventually(() => performance.now() - first > 200);
    presence.left(ben);
    const second = performance.now();
    await isOnline();
    expect(performance.now() - second).toBeGreaterThan(390); // setTimeout counts whole milliseconds
  });

  test("what comes at once is told at once, and what comes meanwhile together", async () => {
    const count = 10_000;
    let transactions = 0;
    const counting: Database = {
      ...db,
      transaction: (work) => {
        transactions++;
        return db.transaction(work);
      },
    };
    const { presence } = start({ dampMs: 0 }, counting);
    const total = async () => (await database.sql`select count(*)::int as n from presence`)[0]?.n;
    for (let id = 1; id <= count; id++) presence.arrived(1_000_000 + id);
    await eventually(async () => (await total()) === count);
    expect(transactions).toBeLessThanOrEqual(10);
    for (let id = 1; id <= count; id++) presence.left(1_000_000 + id);
    await eventually(async () => (await total()) === 0);
    expect(transactions).toBeLessThanOrEqual(21); // one of them may have begun with the first few
  });

  test("a server that was killed is cleared away; who is elsewhere as well stays online", async () => {
    const { ids, hints } = await people(3);
    const [only, both, other] = ids as [number, number, number];
    const killed = start({ beatMs: NEVER_MS });
    for (const id of [only, both]) killed.presence.arrived(id);
    await isOnline(only, both);
    const dead = await serverOf(only);
    const { presence, hints: told } = start(AT_ONCE);
    for (const id of [both, other]) presence.arrived(id);
    await isOnline(only, both, other);
    await database.sql`update servers set seen_at = now() - interval '16 s' where id = ${dead as string}`;
    await isOnline(both, other);
    await eventually(() => told.length === 2);
    expect(told).toEqual([hints[2], hints[0]] as Hint[]);
    await eventually(async () => (await database.sql`select from servers`).length === 1);

    // Had it only stalled, it would come back as another, with all its people.
    killed.presence.left(both);
    killed.presence.arrived(other);
    await isOnline(only, both, other);
    expect(await serverOf(only)).not.toBe(dead as string);
    expect(killed.troubles).toEqual([]);
  });

  test("a server judges others only once it has beaten for a while: after a start and after an outage", async () => {
    const { ids } = await people(2);
    const [ada, ben] = ids as [number, number];
    await database.sql`
      with server as (insert into servers (id, seen_at) values (gen_random_uuid(), now() - interval '1 day') returning id)
      insert into presence (user_id, server_id) select ${ada}, id from server`;
    const begun: string[] = [];
    let away = false;
    const watched: Database = {
      ...db,
      get sql() {
        begun.push("beat"); // the first one registers
        if (away) throw new Error("away");
        return db.sql;
      },
      transaction: (work) => {
        begun.push("transaction");
        return db.transaction(work);
      },
    };
    start(AT_ONCE, watched);
    await isOnline();
    expect(begun.indexOf("transaction")).toBeGreaterThanOrEqual(4);

    away = true;
    const from = begun.length;
    await eventually(() => begun.length > from);
    await database.sql`
      with server as (insert into servers (id, seen_at) values (gen_random_uuid(), now() - interval '1 day') returning id)
      insert into presence (user_id, server_id) select ${ben}, id from server`;
    begun.length = 0;
    away = false;
    await isOnline();
    expect(begun.indexOf("transaction")).toBeGreaterThanOrEqual(3);
  });

  test("a server that finds itself taken for dead registers all its people again, and nobody saw them go", async () => {
    const { ids } = await people(2);
    const [ada, ben] = ids as [number, number];
    const { presence, hints: told } = start(AT_ONCE);
    for (const id of ids) presence.arrived(id);
    await isOnline(ada, ben);
    told.length = 0;
    const first = await serverOf(ada);
    await database.sql`update servers set seen_at = now() - interval '16 s'`; // it stalled, and nobody else is there
    await eventually(
      async () => (await database.sql`select from servers where id = ${first as string}`).length === 0,
    );
    expect(await online()).toEqual([ada, ben]);
    expect(told).toEqual([]);

    await database.sql`delete from servers`; // somebody else was
    await database.sql`delete from presence`;
    await isOnline(ada, ben);
    expect(await serverOf(ada)).not.toBe(first as string);
  });

  test("a server that is being cleared away adds nobody", async () => {
    const { ids } = await people(1);
    const server = crypto.randomUUID();
    await enterServer(db.sql, server);
    await database.sql`update servers set seen_at = '-infinity'`;
    expect(await db.transaction((tx) => changePresence(tx, server, ids, []))).toBeNull();
    expect(await online()).toEqual([]);
  });

  /** Begins `work`, and waits until it is done or waits for a lock. */
  async function begin<T>(work: () => Promise<T>): Promise<Promise<T>[]> {
    let done = false;
    const result = work().finally(() => {
      done = true;
    });
    await eventually(async () => {
      const [waiting] = await database.sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return done || waiting !== undefined;
    });
    return [result]; // or await would wait for it
  }

  test("of two servers that drop a person's last two streams at once, the second one sees that nobody is left", async () => {
    const { ids, hints } = await people(1);
    const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
    const change =
      (server: string, came: number[], went: number[]) => (tx: Parameters<typeof changePresence>[0]) =>
        changePresence(tx, server, came, went);
    for (const server of [first, second]) {
      await enterServer(db.sql, server);
      await db.transaction(change(server, ids, []));
    }
    const [last] = await db.transaction(async (tx) => {
      expect(await change(first, [], ids)(tx)).toEqual([]);
      return begin(() => db.transaction(change(second, [], ids)));
    });
    expect((await last)?.map(({ userId, roomId }) => `m${userId}.${roomId}`)).toEqual(hints);
  });

  test("a direct room that is made while a peer comes shows them as they are: the same version, the same state", async () => {
    const users = await database.sql<{ id: number }[]>`
      insert into users (handle, name) values ('made.ada', 'Ada'), ('made.ben', 'Ben') returning id`;
    const [ada, ben] = users.map(({ id }) => id) as [number, number];
    const cursors = await readCursors(db.sql);
    const look = async () =>
      (await listRooms(db.sql, cursors, [{ userId: ben, roomId: null, since: "" }])).asked[0]?.entries[0];
    const server = crypto.randomUUID();
    await enterServer(db.sql, server);
    const [made] = await db.transaction(async (tx) => {
      await changePresence(tx, server, [ada], []);
      return begin(async () => {
        await createRoom(db.sql, ben, { kind: "direct", name: null, topic: null, memberIds: [ada] });
        return look();
      });
    });
    const [told, now] = [await made, await look()];
    expect(JSON.parse(now?.json ?? "{}").peers).toMatchObject([{ id: ada, online: true }]);
    if (told?.version === now?.version) expect(told).toEqual(now);
  });

  test.each(["does not do what it is told", "does what it is told and does not say so"])(
    "while the database %s nothing is lost, and one complaint is enough",
    async (how) => {
      const { ids, hints } = await people(3);
      const [ada, ben, kim] = ids as [number, number, number];
      let away = false;
      let refused = 0;
      const refuse = () => {
        refused++;
        throw new Error("away");
      };
      const flaky: Database = {
        ...db,
        get sql() {
          return away ? refuse() : db.sql;
        },
        transaction: async (work) => {
          if (away && how.startsWith("does not")) refuse();
          const result = await db.transaction(work);
          return away ? refuse() : result;
        },
      };
      const { presence, hints: told, troubles } = start(AT_ONCE, flaky);
      for (const id of [ada, ben]) presence.arrived(id);
      await isOnline(ada, ben);
      told.length = 0;
      away = true;
      presence.left(ada);
      presence.arrived(kim);
      await eventually(() => refused > 5);
      presence.left(ben);
      presence.arrived(ada);
      away = false;
      await isOnline(ada, kim);
      await eventually(() => told.includes(hints[1] as Hint));
      expect(troubles).toHaveLength(1);
    },
  );
});

test("people who come and go while others write in their direct rooms end in no deadlock", async () => {
  const server = await testServer({}, undefined, AT_ONCE);
  const { sql } = server.database;
  const crowd = await Promise.all(Array.from({ length: 6 }, () => server.person("crowd")));
  const ids = crowd.map(({ user }) => user.id);
  const rooms: number[] = [];
  for (const [i, maker] of crowd.entries()) {
    for (let size = 1; size < 4; size++) {
      const members = [...ids.slice(i + 1), ...ids].slice(0, size);
      rooms.push((await maker.must("POST", "/rooms", { kind: "direct", members })).id);
    }
  }
  const others = [start(), start()];
  function start() {
    const db = connect(server.database.target, { pool: 2, statementTimeout: 5 });
    const presence = new Presence(
      db,
      () => {},
      (error) => {
        throw error;
      },
      AT_ONCE,
    );
    return { presence, db };
  }
  const deadlocks = async () => {
    const [row] = await sql`
      select deadlocks from pg_stat_database, pg_stat_force_next_flush() where datname = current_database()`;
    return row?.deadlocks as number;
  };
  const before = await deadlocks();
  for (let round = 0; round < 12; round++) {
    const writes = crowd.flatMap((person) => [
      person.call("PUT", "/rooms/read"),
      ...rooms.map((room) => person.call("POST", `/rooms/${room}/messages`, { body: "hi" })),
      ...rooms.map((room) => person.call("PATCH", `/rooms/${room}/messages/1`, { body: "edited" })),
    ]);
    for (const { presence } of others) {
      for (const id of ids) presence[round % 2 === 0 ? "arrived" : "left"](id);
    }
    for (const { status } of await Promise.all(writes)) expect(status).toBeLessThan(500);
  }
  expect(await deadlocks()).toBe(before);
  for (const { presence, db } of others) {
    await presence.close();
    await db.close();
  }
  await server.close();
}, 30_000);
