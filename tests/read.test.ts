import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Message } from "../src/messages/queries.ts";
import type { UnreadExplained } from "../src/rooms/read.ts";
import { answer, answers } from "./support/answer.ts";
import type { Client, Json, RoomList } from "./support/client.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client;
let ben: Client;
let kim: Client;
beforeAll(async () => {
  server = await testServer();
  [ada, ben, kim] = await Promise.all([server.person("ada"), server.person("ben"), server.person("kim")]);
});
afterAll(() => server.close());

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const at = ({ user }: Client) => `@${user.handle}`;
const read = (who: Client, id: number, seq: number) => who.must("PUT", `/rooms/${id}/read`, { seq });
const unread = (who: Client, id: number, seq: number) => who.must("PUT", `/rooms/${id}/unread`, { seq });
const explain = (who: Client, id: number) => who.must<UnreadExplained>("GET", `/rooms/${id}/unread`);

/** A room of Ada and Ben with so many messages by Ada. */
async function withMessages(count: number): Promise<number> {
  const { id } = await ada.openRoom("a room", [ben]);
  for (const i of range(1, count)) await ada.send(id, `${i}`);
  return id;
}

describe("what is unread", () => {
  test("excludes my own messages, deleted ones and what the server told", async () => {
    const id = await withMessages(3);
    await ada.must("DELETE", `/rooms/${id}/messages/2`);
    await ada.must("PATCH", `/rooms/${id}`, { name: "renamed" });
    expect(await ben.room(id)).toMatchObject({ lastSeq: 4, lastReadSeq: 0, unreadCount: 2 });
    expect(await ada.room(id)).toMatchObject({ lastReadSeq: 3, unreadCount: 0 });
  });

  test("is the same whatever the involvement", async () => {
    const id = await withMessages(2);
    await ben.must("PATCH", `/rooms/${id}/members/me`, { involvement: "none" });
    expect(await ben.room(id)).toMatchObject({ unreadCount: 2 });
  });
});

describe("reading", () => {
  test("goes forward only, to the end at most, and gives the room as it is now", async () => {
    const id = await withMessages(5);
    for (const [seq, lastReadSeq] of [
      [0, 0],
      [2, 2],
      [1, 2],
      [0, 2],
      [4, 4],
      [Number.MAX_SAFE_INTEGER, 5],
      [3, 5],
    ] as const) {
      const room = await read(ben, id, seq);
      expect([seq, room.lastReadSeq, room.unreadCount]).toEqual([seq, lastReadSeq, 5 - lastReadSeq]);
      expect(await ben.room(id)).toEqual(room);
    }
    await ada.send(id);
    expect(await ben.room(id)).toMatchObject({ lastReadSeq: 5, unreadCount: 1 });
  });

  test("in any order at once ends at the furthest", async () => {
    const id = await withMessages(12);
    for (const furthest of [5, 8, 11]) {
      const seqs = range(1, furthest).sort(() => Math.random() - 0.5);
      await Promise.all(seqs.map((seq) => read(ben, id, seq)));
      expect(await ben.room(id)).toMatchObject({ lastReadSeq: furthest, unreadCount: 12 - furthest });
    }
  });

  test("while others send loses nothing", async () => {
    const id = await withMessages(1);
    await Promise.all(range(2, 20).flatMap((i) => [ada.send(id, `${i}`), read(ben, id, i)]));
    const { lastReadSeq, unreadCount } = await ben.room(id);
    expect(unreadCount).toBe(20 - lastReadSeq);
  });

  test.each([{}, { seq: -1 }, { seq: 1.5 }, { seq: "1" }, { seq: null }, { seq: 2 ** 53 }])(
    "up to what is no seq is refused: %j",
    async (body) => {
      const id = await withMessages(1);
      const calls = ["read", "unread"].map((what) => ben.call("PUT", `/rooms/${id}/${what}`, body));
      expect(await answers(calls)).toEqual({ "422 invalid": 2 });
      expect(await ben.room(id)).toMatchObject({ lastReadSeq: 0, unreadCount: 1 });
    },
  );
});

describe("marking unread", () => {
  test("moves the marker before the message and leaves a mark, until the next read", async () => {
    const id = await withMessages(5);
    await read(ben, id, 5);
    expect(await unread(ben, id, 3)).toMatchObject({ lastReadSeq: 2, unreadCount: 3, markedUnread: true });
    expect(await read(ben, id, 0)).toMatchObject({ lastReadSeq: 2, unreadCount: 3, markedUnread: false });
    expect(await unread(ben, id, 1)).toMatchObject({ lastReadSeq: 0, unreadCount: 5, markedUnread: true });
    expect(await read(ben, id, 5)).toMatchObject({ lastReadSeq: 5, unreadCount: 0, markedUnread: false });
  });

  test("past the end marks the end", async () => {
    const id = await withMessages(2);
    expect(await unread(ben, id, 99)).toMatchObject({ lastReadSeq: 2, unreadCount: 0, markedUnread: true });
    await ada.send(id);
    expect(await ben.room(id)).toMatchObject({ unreadCount: 1, markedUnread: true });
  });

  test("own messages behind a marker that moved back do not count, sent, deleted or read", async () => {
    const { id } = await ada.openRoom("a room", [ben]);
    for (const who of [ada, ben, ada, ben, ada]) await who.send(id);
    const steps: [step: () => Promise<unknown>, lastReadSeq: number, unreadCount: number][] = [
      [() => unread(ben, id, 1), 0, 3],
      [() => ben.must("DELETE", `/rooms/${id}/messages/2`), 0, 3], // own and deleted: still one
      [() => ada.must("DELETE", `/rooms/${id}/messages/1`), 0, 2],
      [() => read(ben, id, 2), 2, 2],
      [() => unread(ben, id, 2), 1, 2],
      [() => ada.send(id), 1, 3],
      [() => read(ben, id, 4), 4, 2],
      [() => ben.send(id), 7, 0],
      [() => unread(ben, id, 7), 6, 0],
      [() => unread(ben, id, 5), 4, 2],
      [() => ben.must("PUT", "/rooms/read"), 7, 0],
    ];
    for (const [i, [step, lastReadSeq, unreadCount]] of steps.entries()) {
      await step();
      const room = await ben.room(id);
      expect([i, room.lastReadSeq, room.unreadCount]).toEqual([i, lastReadSeq, unreadCount]);
      expect((await explain(ben, id)).unreadCount).toBe(unreadCount);
    }
  });
});

describe("reading everything", () => {
  test("changes the rooms with something unread, and tells those alone, in the list's order", async () => {
    const lou = await server.person("lou");
    const rooms: Record<string, number> = {};
    for (const name of ["read", "marked", "unread", "told", "empty"])
      rooms[name] = (await ada.openRoom(name, [lou])).id;
    for (const name of ["unread", "read", "marked"]) await ada.send(rooms[name] as number);
    await ada.must("PATCH", `/rooms/${rooms.told}`, { name: "renamed" });
    await read(lou, rooms.read as number, 1);
    await unread(lou, rooms.marked as number, 2);

    const list = await lou.must<RoomList>("PUT", "/rooms/read");
    expect(list).toEqual({ cursor: expect.any(String), rooms: expect.any(Array), left: [], reset: false });
    expect(list.rooms.map(({ id }) => id)).toEqual([rooms.marked, rooms.unread, rooms.told] as number[]);
    for (const room of list.rooms) {
      expect(room).toMatchObject({ lastReadSeq: 1, unreadCount: 0, markedUnread: false });
      expect(await lou.room(room.id)).toEqual(room);
    }
    expect(await lou.must("PUT", "/rooms/read")).toMatchObject({ rooms: [], left: [], reset: false });
    expect((await lou.list("?unread=true")).rooms).toEqual([]);
  });

  test("its cursor misses nothing that comes after", async () => {
    const id = await withMessages(1);
    const { cursor } = await ben.must<RoomList>("PUT", "/rooms/read");
    await ada.send(id);
    expect((await ben.list(`?since=${cursor}`)).rooms).toContainEqual(await ben.room(id));
  });

  test("its cursor misses nothing that went before, with a cursor to go on from or without one", async () => {
    const id = await withMessages(1);
    const { cursor: held } = await ben.list();
    await ben.must("PUT", `/rooms/${id}/read`, { seq: 1 });
    await ada.must("PATCH", `/rooms/${id}`, { topic: "changed meanwhile" }); // nothing to read there
    const room = await ben.room(id);
    const since = await ben.must<RoomList>("PUT", `/rooms/read?since=${held}`);
    expect(since.rooms).toContainEqual(room);
    expect(since.reset).toBe(false);
    const { cursor } = await ben.must<RoomList>("PUT", "/rooms/read");
    const next = await ben.list(`?since=${cursor}`);
    expect(next.rooms).toContainEqual(room);
    expect(next.reset).toBe(false);
  });

  test("many times at once, while others send, ends with all read and no deadlock", async () => {
    const lou = await server.person("lou");
    const rooms = await Promise.all(range(1, 10).map((i) => ada.openRoom(`${i}`, [lou])));
    for (let round = 0; round < 5; round++) {
      const calls = rooms.flatMap(({ id }) => [
        ada.call("POST", `/rooms/${id}/messages`, { body: "hi" }),
        lou.call("PUT", `/rooms/${id}/unread`, { seq: 1 }),
        lou.call("PUT", "/rooms/read"),
        lou.call("PUT", `/rooms/${id}/read`, { seq: 1 }),
        lou.call("POST", `/rooms/${id}/messages`, { body: "hi" }),
      ]);
      expect(Object.keys(await answers(calls)).sort()).toEqual(["200", "201"]);
    }
    await lou.must("PUT", "/rooms/read");
    for (const room of (await lou.list()).rooms)
      expect(room).toMatchObject({ lastReadSeq: 10, unreadCount: 0 });
  }, 30_000);
});

test("five thousand rooms are read by one call, and the other tabs follow", async () => {
  const max = await server.person("max");
  const { sql } = server.database;
  await sql`
    with r as (
      insert into rooms (kind, name, member_count, last_seq, last_message_seq, last_message_sender_id, last_message_at, last_message_preview)
      select 'open', 'r' || i, 2, 1, 1, ${ada.user.id}, now(), 'hello' from generate_series(1, 5000) i returning id
    ), m as (
      insert into memberships (user_id, room_id) select ${max.user.id}, id from r
    )
    insert into messages (room_id, seq, sender_id, body) select id, 1, ${ada.user.id}, 'hello' from r`;
  const tab = await max.stream();
  await tab.until(({ rooms }) => rooms.size === 5_000);
  const unreadIn = ({ rooms }: { rooms: Iterable<{ unreadCount: number }> }) =>
    [...rooms].reduce((sum, { unreadCount }) => sum + unreadCount, 0);
  expect(unreadIn({ rooms: tab.rooms.values() })).toBe(5_000);
  const list = await max.must<RoomList>("PUT", "/rooms/read");
  expect([list.rooms.length, unreadIn(list), list.reset]).toEqual([5_000, 0, false]);
  await tab.until(() => unreadIn({ rooms: tab.rooms.values() }) === 0);
  tab.close();
});

describe("why it is unread", () => {
  test("is told message by message", async () => {
    const { id } = await ada.openRoom("a room", [ben]);
    await ada.send(id, "1, deleted");
    await ben.send(id, "2, own");
    await ada.must("PATCH", `/rooms/${id}`, { name: "3, told" });
    await ada.send(id, "4");
    await ben.send(id, "5, own and deleted");
    await ada.send(id, "6");
    await ada.must("DELETE", `/rooms/${id}/messages/1`);
    await ben.must("DELETE", `/rooms/${id}/messages/5`);
    await unread(ben, id, 1);
    expect(await explain(ben, id)).toEqual({
      unreadCount: 2,
      firstUnreadSeq: 4,
      skipped: { own: 2, deleted: 1, system: 1 },
    });
    await read(ben, id, 6);
    expect(await explain(ben, id)).toEqual({
      unreadCount: 0,
      firstUnreadSeq: null,
      skipped: { own: 0, deleted: 0, system: 0 },
    });
    expect(await answer(kim.call("GET", `/rooms/${id}/unread`))).toBe("404 room-not-found");
  });
});

/** One thing that one of three people does; what cannot be done just then is left out. */
type Act =
  | { do: "send"; who: number; mentions: number[] }
  | { do: "edit"; who: number; pick: number; mentions: number[] }
  | { do: "delete"; who: number; pick: number }
  | { do: "read" | "unread"; who: number; seq: number }
  | { do: "read all" | "leave" | "join"; who: number }
  | { do: "rename" };

const who = fc.integer({ min: 0, max: 2 });
const seq = fc.integer({ min: 1, max: 20 });
const pick = fc.nat();
const mentions = fc.uniqueArray(who);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("send" as const), who, mentions }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("edit" as const), who, pick, mentions }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("delete" as const), who, pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("read" as const), who, seq }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("unread" as const), who, seq }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("read all" as const, "leave" as const, "join" as const),
      who,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "rename" as const }) },
);

/** Where each of the people has read to, in plain words; null: not in the room. */
class Markers {
  lastSeq = 0;
  readonly at: ({ seq: number; marked: boolean } | null)[] = [0, 0, 0].map((seq) => ({ seq, marked: false }));
  set(who: number, seq: number, marked = false) {
    this.at[who] = { seq, marked };
  }
}

/** Does it at the server and in the model. */
async function perform(
  act: Act,
  people: Client[],
  id: number,
  model: Markers,
  names: () => string,
): Promise<void> {
  const text = (mentioned: number[]) => `hi ${mentioned.map((i) => at(people[i] as Client)).join(" ")}`;
  const whoIndex = "who" in act ? act.who : 0;
  const person = people[whoIndex] as Client;
  const marker = model.at[whoIndex] ?? null;
  if (marker === null && act.do !== "join") return;

  /** A message of the person's own that can still be changed. */
  const own = async (pick: number) => {
    const { messages } = await person.must<{ messages: Json<Message>[] }>(
      "GET",
      `/rooms/${id}/messages?limit=200`,
    );
    const mine = messages.filter(
      (m) => m.sender.id === person.user.id && m.kind === "text" && m.body !== null,
    );
    return mine[pick % mine.length];
  };

  switch (act.do) {
    case "send":
      model.set(whoIndex, (await person.send(id, text(act.mentions))).seq);
      model.lastSeq++;
      return;
    case "edit": {
      const message = await own(act.pick);
      if (message)
        await person.must("PATCH", `/rooms/${id}/messages/${message.seq}`, { body: text(act.mentions) });
      return;
    }
    case "delete": {
      const message = await own(act.pick);
      if (message) await person.must("DELETE", `/rooms/${id}/messages/${message.seq}`);
      return;
    }
    case "read":
      await read(person, id, act.seq);
      model.set(whoIndex, Math.max(marker?.seq ?? 0, Math.min(act.seq, model.lastSeq)));
      return;
    case "unread":
      await unread(person, id, act.seq);
      model.set(whoIndex, Math.min(act.seq - 1, model.lastSeq), true);
      return;
    case "read all":
      await person.must("PUT", "/rooms/read");
      model.set(whoIndex, model.lastSeq);
      return;
    case "rename":
      await person.must("PATCH", `/rooms/${id}`, { name: names() });
      model.lastSeq++;
      return;
    case "leave":
      if (whoIndex === 0) return; // the owner stays
      await person.must("DELETE", `/rooms/${id}/members/me`);
      model.at[whoIndex] = null;
      model.lastSeq++;
      return;
    case "join":
      if (marker !== null) return;
      await person.must("PUT", `/rooms/${id}/members/me`);
      model.set(whoIndex, ++model.lastSeq);
  }
}

test("whatever three people do, every count equals a naive recount of the messages", async () => {
  let named = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 24 }), async (history) => {
      const people = [ada, ben, kim];
      const { id } = await ada.openRoom("a room", [ben, kim]);
      const model = new Markers();
      for (const act of history) await perform(act, people, id, model, () => `name ${++named}`);

      const { messages } = await ada.must<{ messages: Json<Message>[] }>(
        "GET",
        `/rooms/${id}/messages?limit=200`,
      );
      expect(messages.map((m) => m.seq)).toEqual(messages.map((_, i) => i + 1));
      expect(messages).toHaveLength(model.lastSeq);
      const counts = (m: Json<Message>) => m.kind === "text" && m.deletedAt === null;
      const last = messages.findLast(counts);
      for (const [i, person] of people.entries()) {
        const room = (await person.list()).rooms.find((room) => room.id === id);
        const marker = model.at[i];
        if (!marker) {
          expect(room).toBeUndefined();
          continue;
        }
        const counted = messages.filter(
          (m) => counts(m) && m.seq > marker.seq && m.sender.id !== person.user.id,
        );
        expect(room).toMatchObject({
          lastSeq: model.lastSeq,
          lastReadSeq: marker.seq,
          markedUnread: marker.marked,
          unreadCount: counted.length,
          mentionCount: counted.filter((m) => m.mentions.includes(person.user.id)).length,
          lastMessage: last ? { seq: last.seq, body: last.body } : null,
        });
        const { unreadCount, firstUnreadSeq, skipped } = await explain(person, id);
        expect(unreadCount).toBe(counted.length);
        expect(firstUnreadSeq).toBe(counted[0]?.seq ?? null);
        expect(unreadCount + skipped.own + skipped.deleted + skipped.system).toBe(model.lastSeq - marker.seq);
      }
    }),
    { numRuns: 40 },
  );
}, 60_000);
