import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { arrayLiteral } from "../src/db/client.ts";
import LIST from "../src/rooms/list.sql" with { type: "text" };
import type { Room } from "../src/rooms/list.ts";
import { answer } from "./support/answer.ts";
import type { Client, Json, RoomList } from "./support/client.ts";
import { quietCursor } from "./support/cursor.ts";
import { freshDatabase, type TestDatabase } from "./support/database.ts";
import { eventually } from "./support/eventually.ts";
import { type Proxy as DatabaseProxy, startProxy } from "./support/proxy.ts";
import { type TestServer, testServer } from "./support/server.ts";

let database: TestDatabase;
let proxy: DatabaseProxy;
let server: TestServer;
let ada: Client;
let ben: Client;
beforeAll(async () => {
  database = await freshDatabase();
  proxy = await startProxy(database.target);
  server = await testServer({}, { ...database, target: proxy.target });
  [ada, ben] = await Promise.all([server.person("ada"), server.person("ben")]);
});
afterAll(async () => {
  await server.close();
  await proxy.close();
  await database.drop();
});

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const idsOf = ({ rooms }: RoomList) => rooms.map(({ id }) => id);
const find = async (who: Client, id: number, query = "") =>
  (await who.list(query)).rooms.find((room) => room.id === id);

describe("a room in the list", () => {
  test("has exactly the fields of the contract", async () => {
    const { id } = await ada.must("POST", "/rooms", {
      kind: "closed",
      name: "general",
      topic: "all things",
      members: [ben.user.id],
    });
    const empty: Json<Room> = {
      id,
      kind: "closed",
      name: "general",
      topic: "all things",
      role: "member",
      involvement: "all",
      lastSeq: 0,
      lastReadSeq: 0,
      unreadCount: 0,
      mentionCount: 0,
      markedUnread: false,
      lastMessage: null,
      activeAt: TIME,
      memberCount: 2,
      peers: null,
    };
    expect(await find(ben, id)).toEqual(empty);

    await ada.send(id, "one");
    const { createdAt } = await ada.send(id, `two @${ben.user.handle}`);
    const { editedAt } = await ada.must("PATCH", `/rooms/${id}/messages/2`, {
      body: `2 @${ben.user.handle}`,
    });
    const room: Json<Room> = {
      ...empty,
      lastSeq: 2,
      unreadCount: 2,
      mentionCount: 1,
      lastMessage: { seq: 2, sender: ada.user, body: `2 @${ben.user.handle}`, createdAt, editedAt },
      activeAt: createdAt,
    };
    expect(editedAt).toEqual(TIME);
    expect(await find(ben, id)).toEqual(room);
    expect(await ben.room(id)).toEqual(room);
  });

  test("is the same in the list, alone, and since a cursor", async () => {
    const cursor = await quietCursor(ben);
    const { id } = await ada.must("POST", "/rooms", { kind: "direct", members: [ben.user.id] });
    await ada.send(id);
    const room = await ben.room(id);
    expect(room).toMatchObject({ unreadCount: 1, mentionCount: 1 });
    expect(room.peers).toEqual([{ ...ada.user, online: false }]);
    expect(await find(ben, id)).toEqual(room);
    expect(await ben.list(`?since=${cursor}`)).toEqual({
      cursor: expect.any(String),
      rooms: [room],
      left: [],
      reset: false,
    });
  });

  test.each([
    ["300 characters are whole", "x".repeat(300), "x".repeat(300)],
    ["301 are cut to 300 and an ellipsis", "x".repeat(301), `${"x".repeat(300)}…`],
    ["300 emoji are whole", "🦊".repeat(300), "🦊".repeat(300)],
    ["301 emoji are cut between two of them", "🦊".repeat(301), `${"🦊".repeat(300)}…`],
    ["an emoji at the border stays whole", `${"x".repeat(299)}🦊y`, `${"x".repeat(299)}🦊…`],
    ["an emoji behind the border goes", `${"x".repeat(300)}🦊`, `${"x".repeat(300)}…`],
  ])("shows the start of its last message: %s", async (_rule, body, preview) => {
    const { id } = await ada.openRoom();
    await ada.send(id, body);
    expect((await ada.room(id)).lastMessage?.body).toBe(preview);
    await ada.must("PATCH", `/rooms/${id}/messages/1`, { body: `!${body}` });
    await ada.must("PATCH", `/rooms/${id}/messages/1`, { body });
    expect((await ada.room(id)).lastMessage?.body).toBe(preview);
  });
});

describe("the JSON of a room", () => {
  const HOSTILE =
    String.raw`"quotes", \back\slashes\, {"json":[null]}, %s $1 </script>` +
    "\u2028\u2029\u007f\ufeff é 漢 🦊";
  const CONTROL = Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1)).join("");

  test("is what JSON.stringify makes, whatever is written in it", async () => {
    const { sql } = database;
    const [kim, lou] = await Promise.all([server.person("kim"), server.person("lou")]);
    const { id } = await lou.openRoom("a", [kim]);
    const direct = await lou.must("POST", "/rooms", { kind: "direct", members: [kim.user.id, ada.user.id] });
    await lou.send(id);
    await lou.send(direct.id);
    await lou.must("PATCH", `/rooms/${id}/messages/1`, { body: "edited" });
    const written = HOSTILE + CONTROL;
    await sql`update users set name = ${written} where id = ${lou.user.id}`;
    await sql`update rooms set name = ${written}, topic = ${written} where id = ${id}`;
    await sql`update rooms set last_message_preview = ${written} where id = any (${arrayLiteral([id, direct.id])}::bigint[])`;

    const sender = { ...lou.user, name: written };
    const [one, list] = [`/rooms/${id}`, "/rooms"].map(async (path) => {
      const response = await fetch(`${server.url}/chat/api${path}`, { headers: kim.headers });
      expect(response.headers.get("content-type")).toBe("application/json;charset=utf-8");
      const text = await response.text();
      const body = JSON.parse(text);
      expect(text).toBe(JSON.stringify(body));
      return body;
    });
    const room = { id, name: written, topic: written, lastMessage: { sender, body: written } };
    expect(await one).toMatchObject(room);
    const { rooms } = (await list) as RoomList;
    expect(rooms.find((room) => room.id === id)).toMatchObject(room as object);
    const peers = [ada.user, sender].sort((a, b) => a.id - b.id);
    expect(rooms.find((room) => room.id === direct.id)).toMatchObject({
      name: null,
      topic: null,
      lastMessage: { sender, body: written, editedAt: null },
      peers: peers.map((peer) => ({ ...peer, online: false })),
    });
  });

  test("has times as Date's toISOString makes them, wherever the database takes itself to be", async () => {
    const { id } = await ada.openRoom("times");
    await ada.send(id);
    await ada.must("PATCH", `/rooms/${id}/messages/1`, { body: "edited" });
    for (const time of [
      "0001-01-01T00:00:00.000Z",
      "0987-06-05T04:03:02.001Z",
      "1969-12-31T23:59:59.999Z",
      "2024-02-29T12:00:00.100Z",
      "2026-03-29T01:30:00.010Z",
      "9999-12-31T23:59:59.999Z",
    ]) {
      expect(new Date(time).toISOString()).toBe(time);
      await database.sql`
        update rooms set last_message_at = ${time}::timestamptz, last_message_edited_at = ${time}::timestamptz where id = ${id}`;
      for (const zone of ["UTC", "Asia/Kolkata", "America/St_Johns"]) {
        const [row] = await database.sql.begin(async (tx) => {
          await tx.unsafe(`set local timezone = '${zone}'; set local datestyle = 'SQL, DMY'`).simple();
          const args = [
            arrayLiteral([ada.user.id]),
            arrayLiteral([id]),
            arrayLiteral([null]),
            false,
            null,
            null,
          ];
          return tx.unsafe(LIST, args);
        });
        const { lastMessage, activeAt } = JSON.parse(row?.rooms);
        const told = [activeAt, lastMessage.createdAt, lastMessage.editedAt, row?.heads.split(" ")[2]];
        expect([zone, ...told]).toEqual([zone, time, time, time, time]);
      }
    }
  });
});

describe("the order", () => {
  test("is newest activity first; neither a join, an edit, a rename nor a read lifts a room", async () => {
    const kim = await server.person("kim");
    const [a, b, c] = [await kim.openRoom("a"), await kim.openRoom("b"), await kim.openRoom("c")];
    await kim.send(a.id);
    await kim.send(b.id);
    const order = [b.id, a.id, c.id];
    expect(idsOf(await kim.list())).toEqual(order);
    await ben.must("PUT", `/rooms/${c.id}/members/me`);
    await kim.must("PATCH", `/rooms/${c.id}`, { name: "d" });
    await kim.must("PATCH", `/rooms/${a.id}/messages/1`, { body: "edited" });
    await kim.must("PUT", `/rooms/${a.id}/unread`, { seq: 1 });
    expect(idsOf(await kim.list())).toEqual(order);
    await ben.send(c.id);
    expect(idsOf(await kim.list())).toEqual([c.id, b.id, a.id]);
    await ben.must("DELETE", `/rooms/${c.id}/messages/3`);
    expect(idsOf(await kim.list())).toEqual(order);
  });

  test("is by activeAt as it is told, in milliseconds, then by id, descending", async () => {
    const kim = await server.person("kim");
    for (let i = 0; i < 12; i++) await kim.openRoom(`${i}`);
    // four times of activity, three rooms each; within a time, the lower id is later by microseconds
    await database.sql`
      update rooms set created_at = '2026-01-01 00:00:00.5004Z'::timestamptz
                                    + (id % 4) * interval '1 ms' - (id % 400) * interval '1 us'
       where id in (select room_id from memberships where user_id = ${kim.user.id})`;
    const { rooms } = await kim.list();
    const told = rooms.map(({ activeAt, id }) => ({ activeAt, id }));
    expect(new Set(told.map(({ activeAt }) => activeAt)).size).toBe(4);
    expect(told).toEqual(told.toSorted((a, b) => b.activeAt.localeCompare(a.activeAt) || b.id - a.id));
    expect(idsOf(await windows(kim, 5))).toEqual(idsOf({ rooms } as RoomList));
  });
});

/** Walks the list by windows of so many rooms, to its end. */
async function windows(who: Client, limit: number, query = ""): Promise<RoomList> {
  const walked: RoomList["rooms"] = [];
  for (;;) {
    const after = walked.length > 0 ? `&after=${walked.at(-1)?.id}` : "";
    const list = await who.list(`?limit=${limit}${after}${query}`);
    if (list.rooms.length > limit) throw new Error("more than was asked for");
    if (list.rooms.length === 0) return { ...list, rooms: walked };
    walked.push(...list.rooms);
  }
}

describe("windows and filters", () => {
  let kim: Client;
  beforeAll(async () => {
    kim = await server.person("kim");
    for (let i = 0; i < 9; i++) {
      const { id } = await ada.openRoom(`${i}`, [kim]);
      if (i % 3 !== 0) await ada.send(id);
      if (i % 3 === 1) await kim.must("PUT", `/rooms/${id}/read`, { seq: 1 });
    }
  });

  test.each([1, 2, 4, 9, 10])("by %d walks the whole list without gap or repeat", async (limit) => {
    expect((await windows(kim, limit)).rooms).toEqual((await kim.list()).rooms);
  });

  test("unread=true gives the rooms with something unread, also those marked so", async () => {
    const { rooms } = await kim.list();
    const unread = rooms.filter((room) => room.unreadCount > 0);
    expect(unread).toHaveLength(3);
    expect((await kim.list("?unread=true")).rooms).toEqual(unread);
    expect((await windows(kim, 1, "&unread=true")).rooms).toEqual(unread);
    expect((await kim.list("?unread=false")).rooms).toEqual(rooms);

    const quiet = rooms.find(({ unreadCount }) => unreadCount === 0)?.id;
    await kim.must("PUT", `/rooms/${quiet}/unread`, { seq: 99 });
    expect(await find(kim, quiet as number, "?unread=true")).toMatchObject({
      unreadCount: 0,
      markedUnread: true,
    });
    await kim.must("PUT", `/rooms/${quiet}/read`, { seq: 0 });
    expect((await kim.list("?unread=true")).rooms).toEqual(unread);
  });

  test("the walk goes on after a room that was left meanwhile", async () => {
    const order = idsOf(await kim.list());
    const last = order[4] as number;
    await kim.must("DELETE", `/rooms/${last}/members/me`);
    expect(idsOf(await kim.list(`?after=${last}&limit=100`))).toEqual(order.slice(5));
    await kim.must("PUT", `/rooms/${last}/members/me`);
  });

  test("after a room of others tells no more than after none that exists", async () => {
    const { id } = await ada.must("POST", "/rooms", { kind: "closed", name: "secret" });
    await ada.send(id);
    const [nowhere, theirs] = await Promise.all([
      kim.list(`?after=${2 ** 53 - 1}`),
      kim.list(`?after=${id}`),
    ]);
    expect(theirs.rooms).toEqual(nowhere.rooms);
  });

  test.each([
    "limit=0",
    "limit=-1",
    "limit=1.5",
    "limit=x",
    "limit=10001",
    "after=0",
    "after=x",
    `after=${2 ** 53}`,
    "unread=maybe",
    "since=a&limit=1",
  ])("%s is refused: 422", async (query) => {
    expect(await answer(kim.call("GET", `/rooms?${query}`))).toBe("422 invalid");
  });
});

describe("since a cursor", () => {
  test("only what changed comes, however it changed", async () => {
    const rooms = [];
    for (let i = 0; i < 3; i++) rooms.push(await ada.openRoom(`${i}`, [ben]));
    const { id } = rooms[1] as { id: number };
    const changes: [string, () => Promise<unknown>][] = [
      ["a send", () => ada.send(id)],
      ["an edit", () => ada.must("PATCH", `/rooms/${id}/messages/1`, { body: "edited" })],
      ["a read", () => ben.must("PUT", `/rooms/${id}/read`, { seq: 1 })],
      ["a mark", () => ben.must("PUT", `/rooms/${id}/unread`, { seq: 1 })],
      ["an involvement", () => ben.must("PATCH", `/rooms/${id}/members/me`, { involvement: "none" })],
      ["a delete", () => ada.must("DELETE", `/rooms/${id}/messages/1`)],
      ["a rename", () => ada.must("PATCH", `/rooms/${id}`, { name: "new" })],
      ["a topic", () => ada.must("PATCH", `/rooms/${id}`, { topic: "new" })],
      ["a role", () => ada.must("PUT", `/rooms/${id}/members/${ben.user.id}`, { role: "moderator" })],
    ];
    for (const [change, make] of changes) {
      const cursor = await quietCursor(ben);
      await make();
      const list = await ben.list(`?since=${cursor}`);
      expect([change, list.rooms, list.left, list.reset]).toEqual([change, [await ben.room(id)], [], false]);
    }
  }, 30_000);

  test("a room that is no longer theirs is told as left, once; what happens there later is not", async () => {
    const { id } = await ada.openRoom("leave", [ben]);
    const first = await quietCursor(ben);
    await ben.must("DELETE", `/rooms/${id}/members/me`);
    expect(await ben.list(`?since=${first}`)).toMatchObject({ rooms: [], left: [id], reset: false });
    const second = await quietCursor(ben);
    await ada.send(id, "behind your back");
    expect(await ben.list(`?since=${second}`)).toMatchObject({ rooms: [], left: [] });
    // whole lists do not speak of it, and who comes back has it again
    expect((await ben.list()).left).toEqual([]);
    await ben.must("PUT", `/rooms/${id}/members/me`);
    expect(await ben.list(`?since=${second}`)).toMatchObject({ rooms: [{ id }], left: [] });
  });

  const cursors: [string, (mine: string) => string | Promise<string>][] = [
    ["empty", () => ""],
    ["garbage", () => "garbage'; drop table rooms; --"],
    ["of great length", () => "x".repeat(5_000)],
    ["with NUL", () => "\0"],
    ["without its number", (mine) => mine.replace(/\d+$/, "")],
    ["with a number below none", (mine) => mine.replace(/\d+$/, "-1")],
    ["with a number beyond 64 bits", (mine) => mine.replace(/\d+$/, "9".repeat(30))],
    ["of the future", (mine) => mine.replace(/\d+$/, (xmin) => `${Number(xmin) + 1_000_000}`)],
    ["of another database", async (mine) => mine.replace(/^[^.]+/, "A".repeat(16))],
  ];
  for (const [what, cursor] of cursors) {
    test(`a cursor ${what} gives everything, with reset`, async () => {
      const { cursor: mine, ...whole } = await ben.list();
      expect(whole.reset).toBe(true);
      expect(await ben.list(`?since=${encodeURIComponent(await cursor(mine))}`)).toMatchObject(whole);
    });
  }

  test("a cursor of another Foyer's database gives everything, with reset, and none of ours is believed there", async () => {
    const other = await testServer();
    const kim = await other.person("kim");
    const { cursor } = await kim.list();
    expect((await ben.list(`?since=${cursor}`)).reset).toBe(true);
    expect((await kim.list(`?since=${(await ben.list()).cursor}`)).reset).toBe(true);
    await other.close();
  });

  test("a change that commits late is missed by no cursor that was given out before", async () => {
    const { id } = await ada.openRoom("late", [ben]);
    const busy = await ada.openRoom("busy", [ben]);
    const cursors = [await quietCursor(ben)];
    await database.sql.begin(async (tx) => {
      await tx`update rooms set topic = 'late', version = pg_current_xact_id() where id = ${id}`;
      for (let i = 0; i < 5; i++) {
        await ada.send(busy.id);
        const list = await ben.list(`?since=${cursors.at(-1)}`);
        expect(idsOf(list)).toEqual([busy.id]);
        cursors.push(list.cursor);
      }
    });
    for (const cursor of cursors) {
      expect((await ben.list(`?since=${cursor}`)).rooms).toContainEqual(
        expect.objectContaining({ id, topic: "late" }),
      );
    }
  });

  test("whoever follows cursor by cursor while others write holds what the whole list says", async () => {
    const rooms = await Promise.all(Array.from({ length: 6 }, (_, i) => ada.openRoom(`${i}`, [ben])));
    let writing = true;
    const writers = [ada, ben].map(async (who, w) => {
      for (let i = 0; i < 40; i++) await who.send(rooms[(i * (w + 1)) % 6]?.id as number, `${i}`);
    });
    const written = Promise.all(writers).then(() => {
      writing = false;
    });
    let { cursor, rooms: first } = await ben.list();
    const held = new Map(first.map((room) => [room.id, room]));
    for (let last = false; !last; ) {
      last = !writing;
      const list = await ben.list(`?since=${cursor}`);
      for (const room of list.rooms) held.set(room.id, room);
      cursor = list.cursor;
    }
    await written;
    for (const room of (await ben.list()).rooms) expect(held.get(room.id)).toEqual(room);
  });
});

describe("what a list costs", () => {
  /** The statements of one list, as they pass to the database; signs of life of the bus and of presence aside. */
  async function statementsOf(who: Client) {
    const from = proxy.statements.length;
    const { headers, body } = await who.call<RoomList>("GET", "/rooms");
    const ran = proxy.statements.slice(from).filter((statement) => !/pg_notify|servers/.test(statement));
    return { ran, told: headers.get("server-timing") ?? "", rooms: body.rooms.length };
  }

  test("two statements when the caller is not known yet, then one, and Server-Timing says so", async () => {
    const stranger = await ada.signInAgain();
    const cold = await statementsOf(stranger);
    const warm = await statementsOf(stranger);
    expect(cold.ran).toHaveLength(2);
    expect(cold.told).toMatch(/^db;dur=\d+\.\d+;desc="2 queries"$/);
    expect(warm.ran).toHaveLength(1);
    expect(warm.told).toMatch(/^db;dur=\d+\.\d+;desc="1 query"$/);
  });

  test("a hundred rooms cost one statement, as none do", async () => {
    const kim = await server.person("kim");
    await kim.list();
    expect(await statementsOf(kim)).toMatchObject({ ran: { length: 1 }, rooms: 0 });
    await Promise.all(Array.from({ length: 100 }, (_, i) => ada.openRoom(`${i}`, [kim, ben])));
    await kim.list();
    expect(await statementsOf(kim)).toMatchObject({ ran: { length: 1 }, rooms: 100 });
  });
});

describe("the plan of list.sql, for people who are in 500 of 5,000 rooms", () => {
  /** Who has read two rooms in five to the end, and is anywhere in the others; and who has read everything. */
  const MIXED = 1;
  const READ = 2;
  let large: TestDatabase;
  beforeAll(async () => {
    large = await freshDatabase();
    await large.sql
      .unsafe(`
        insert into users (handle, name) select 'user' || i, 'User ' || i from generate_series(1, 2000) i;
        insert into rooms (kind, name, direct_user_ids)
        select case when direct then 'direct' else 'open' end, case when not direct then 'room ' || i end,
               case when direct then array[${MIXED}, ${READ}, 10000 + i] end
          from (select i, i % 100 = 0 as direct from generate_series(1, 5000) i) rooms;
        insert into presence (user_id, server_id)
        select id, gen_random_uuid() from users, generate_series(1, 2) where id % 3 > 0;
        insert into memberships (user_id, room_id, last_read_seq)
        select person, id, (id * 13 + person) % 100
          from rooms
         cross join lateral (
                select * from (values (${MIXED}), (${READ})) both_of_them (person) where id % 10 = 0
                union
                select 3 + (id * 7 + i * 131) % 1998 from generate_series(1, 5) i
              ) people;
      `)
      .simple();
    await grow("true");
  }, 60_000);
  afterAll(() => large.drop());

  /** Adds 60 messages to rooms `r`; of ten, one is the server's, one deleted, two are by these people and one mentions both. */
  async function grow(where: string): Promise<void> {
    await large.sql
      .unsafe(`
        insert into messages (room_id, seq, sender_id, kind, body, deleted_at, mentions)
        select r.id, r.last_seq + i,
               case when i % 10 = 3 then ${MIXED} when i % 10 = 4 then ${READ} else 3 + (r.id + i) % 1998 end,
               case when i % 10 = 5 then 'system' else 'text' end,
               case when i % 10 <> 7 then 'message ' || i end,
               case when i % 10 = 7 then now() end,
               case when i % 10 = 8 then array[${MIXED}, ${READ}] else '{}' end
          from rooms r, generate_series(1, 60) i
         where ${where};
        insert into mentions (user_id, room_id, seq)
        select person, r.id, r.last_seq + i
          from rooms r, generate_series(8, 60, 10) i, (values (${MIXED}), (${READ})) people (person)
         where r.id % 10 = 0 and ${where};
        update rooms r
           set last_seq = last_seq + 60, last_uncounted_seq = last_seq + 57, last_message_seq = last_seq + 60,
               last_mention_seq = case when r.id % 10 = 0 then last_seq + 58 else last_mention_seq end,
               last_message_sender_id = 3 + (r.id + 60) % 1998, last_message_at = now() - r.id * interval '1 s',
               last_message_preview = 'message'
         where ${where};
        update memberships m
           set last_read_seq = case when m.user_id = ${READ} or m.last_read_seq >= 60 then r.last_seq
                                    else m.last_read_seq end,
               own_after_read = case when m.user_id = ${MIXED} then (
                 select count(*) from messages x
                  where x.room_id = m.room_id and x.seq > m.last_read_seq
                    and x.sender_id = m.user_id and x.kind = 'text') else 0 end
          from rooms r
         where r.id = m.room_id and ${where};
      `)
      .simple();
    for (const table of ["users", "rooms", "memberships", "messages", "mentions", "presence", "uncounted"]) {
      // until every page is known to be visible: an autovacuum at the same moment keeps it from being so
      await eventually(async () => {
        await large.sql.unsafe(`vacuum analyze ${table}`);
        const [pages] = await large.sql`
          select relallvisible = relpages as visible from pg_class where oid = ${table}::regclass`;
        return pages?.visible;
      }, `${table} is vacuumed`);
    }
  }

  interface Plan {
    "Node Type": string;
    "Relation Name"?: string;
    "Shared Hit Blocks": number;
    "Shared Read Blocks": number;
    Plans?: Plan[];
  }

  type Asks = { userId: number; roomId: number | null }[];
  const argumentsFor = (asks: Asks) => [
    arrayLiteral(asks.map(({ userId }) => userId)),
    arrayLiteral(asks.map(({ roomId }) => roomId)),
    arrayLiteral(asks.map(() => null)),
    false,
    null,
    null,
  ];
  const all = (userId: number): Asks => [{ userId, roomId: null }];

  /** What a list does: the buffers it touches, and the tables it scans. */
  const explain = (asks: Asks, mode: string): Promise<{ buffers: number; scanned: string[] }> =>
    large.sql.begin(async (tx) => {
      await tx.unsafe(`set local plan_cache_mode = force_${mode}_plan`);
      const [row] = await tx.unsafe(`explain (analyze, buffers, format json) ${LIST}`, argumentsFor(asks), {
        prepare: true,
      });
      const plan: Plan = row?.["QUERY PLAN"][0].Plan;
      const nodes = (node: Plan): Plan[] => [node, ...(node.Plans ?? []).flatMap(nodes)];
      return {
        buffers: plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
        scanned: nodes(plan).flatMap((node) =>
          // The table of one row may be.
          node["Node Type"].endsWith("Seq Scan") && node["Relation Name"] !== "revocations"
            ? (node["Relation Name"] ?? "?")
            : [],
        ),
      };
    });

  test("is exact in every room", async () => {
    const [listed] = await large.sql.unsafe(LIST, argumentsFor(all(MIXED)));
    const rooms: Room[] = JSON.parse(`[${listed?.rooms.replaceAll("\n", ",")}]`);
    const counted = await large.sql`
      select m.room_id, count(x.seq) as unread_count,
             count(x.seq) filter (where r.kind = 'direct' or ${MIXED}::bigint = any (x.mentions)) as mention_count
        from memberships m
        join rooms r on r.id = m.room_id
        left join messages x on x.room_id = m.room_id and x.seq > m.last_read_seq
                            and x.kind = 'text' and x.deleted_at is null and x.sender_id <> m.user_id
       where m.user_id = ${MIXED}
       group by m.room_id order by m.room_id`;
    const told = rooms.map(({ id, unreadCount, mentionCount }) => ({
      room_id: id,
      unread_count: unreadCount,
      mention_count: mentionCount,
    }));
    expect(told.toSorted((a, b) => a.room_id - b.room_id)).toEqual(counted as unknown as typeof told);
    expect(told).toHaveLength(500);
  });

  test("scans no table, takes few buffers a room, and no more of them when the history has doubled", async () => {
    // 500 rooms each; the hub asks for many people at once
    const batch: Asks = await large.sql`
      select user_id as "userId", room_id as "roomId" from memberships where room_id % 50 = 10 order by room_id limit 500`;
    // Until 17 Postgres descends an index anew for each key of a scan: two more for a room, two for a sender.
    const [server] = await large.sql`select current_setting('server_version_num')::int / 10000 as major`;
    const most = server?.major >= 17 ? 6 : 10;
    const cases = ["custom", "generic"].flatMap((mode) => [
      { what: `all read, ${mode} plan`, mode, asks: all(READ) },
      { what: `markers anywhere, ${mode} plan`, mode, asks: all(MIXED) },
      { what: `500 people, ${mode} plan`, mode, asks: batch },
    ]);
    const before: number[] = [];
    for (const { what, asks, mode } of cases) {
      const { buffers, scanned } = await explain(asks, mode);
      expect({ what, scanned, few: buffers / 500 <= most }).toEqual({ what, scanned: [], few: true });
      before.push(buffers);
    }
    await grow("r.id % 10 = 0");
    for (const [i, { what, asks, mode }] of cases.entries()) {
      const { buffers, scanned } = await explain(asks, mode);
      const grown = buffers / (before[i] as number);
      expect({ what, scanned, same: grown <= 1.1 }).toEqual({ what, scanned: [], same: true });
    }
  }, 60_000);
});
