import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Sql } from "../src/db/client.ts";
import type { Message } from "../src/messages/queries.ts";
import { answer, answers } from "./support/answer.ts";
import type { Client, Json } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client; // owner
let ben: Client;
let kim: Client;
let eve: Client; // stranger
beforeAll(async () => {
  server = await testServer();
  [ada, ben, kim, eve] = await Promise.all([
    server.person("ada"),
    server.person("ben"),
    server.person("kim"),
    server.person("eve"),
  ]);
});
afterAll(() => server.close());

type Sent = Json<Message>;
interface Page {
  messages: Sent[];
  cursor: string;
  before: number | null;
  after: number | null;
}

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const room = async (...members: Client[]) => (await ada.openRoom("a room", members)).id;
const post = (who: Client, id: number, body: object) => who.call("POST", `/rooms/${id}/messages`, body);
const page = (who: Client, id: number, query = "limit=200") =>
  who.must<Page>("GET", `/rooms/${id}/messages?${query}`);
const one = (who: Client, id: number, seq: number) => who.must<Sent>("GET", `/rooms/${id}/messages/${seq}`);
const edit = (who: Client, id: number, seq: number, body: string) =>
  who.call<Sent>("PATCH", `/rooms/${id}/messages/${seq}`, { body });
const erase = (who: Client, id: number, seq: number) => who.call("DELETE", `/rooms/${id}/messages/${seq}`);
const seqsOf = ({ messages }: { messages: Sent[] }) => messages.map(({ seq }) => seq);
const range = (from: number, to: number) =>
  Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => from + i);
const at = ({ user }: Client) => `@${user.handle}`;

describe("a message", () => {
  test("has exactly the fields of the contract, sent, read, edited and deleted", async () => {
    const id = await room(ben);
    await ben.send(id, "first");
    const sent = await ada.send(id, `second ${at(ben)}`, { clientId: "c-1", replyTo: 1 });
    const message: Sent = {
      roomId: id,
      seq: 2,
      kind: "text",
      sender: ada.user,
      body: `second ${at(ben)}`,
      replyTo: 1,
      mentions: [ben.user.id],
      reactions: [],
      clientId: "c-1",
      createdAt: TIME,
      editedAt: null,
      deletedAt: null,
    };
    expect(sent).toEqual(message);
    expect(await one(ben, id, 2)).toEqual(sent);
    expect((await page(ben, id)).messages[1]).toEqual(sent);

    const edited = (await edit(ada, id, 2, "changed")).body;
    expect(edited).toEqual({ ...sent, body: "changed", mentions: [], editedAt: TIME });
    expect(await one(ben, id, 2)).toEqual(edited);

    expect(await erase(ada, id, 2)).toMatchObject({ status: 204, body: null });
    expect(await one(ben, id, 2)).toEqual({ ...edited, body: null, deletedAt: TIME });
  });

  test.each([
    ["no body", {}],
    ["an empty body", { body: "" }],
    ["a body of 10,001 characters", { body: "x".repeat(10_001) }],
    ["NUL", { body: "a\0b" }],
    ["half a surrogate pair", { body: "\ud800" }],
    ["a body that is no text", { body: 1 }],
    ["an empty clientId", { body: "x", clientId: "" }],
    ["a clientId of 65 characters", { body: "x", clientId: "x".repeat(65) }],
    ["a clientId with é", { body: "x", clientId: "é" }],
    ["a clientId with a line break", { body: "x", clientId: "a\n" }],
    ["a reply to no number", { body: "x", replyTo: "1" }],
    ["a reply to 0", { body: "x", replyTo: 0 }],
    ["a reply to what is not there", { body: "x", replyTo: 99 }],
  ])("with %s is refused: 422, and leaves no gap", async (_what, body) => {
    const id = await room();
    expect(await answer(post(ada, id, body))).toBe("422 invalid");
    expect(await ada.send(id)).toMatchObject({ seq: 1 });
  });

  test.each([
    ["10,000 characters", "x".repeat(10_000)],
    ["10,000 emoji", "🦊".repeat(10_000)],
    ["spaces, quotes, backslashes", "  \"'\\ {} $1 %s \u202e "],
  ])("of %s comes back as it was sent", async (_what, body) => {
    const id = await room();
    expect((await ada.send(id, body)).body).toBe(body);
    expect((await one(ada, id, 1)).body).toBe(body);
  });

  test("a reply may be to a deleted message, not to one of another room", async () => {
    const [id, other] = [await room(), await room()];
    await ada.send(id);
    await erase(ada, id, 1);
    expect(await ada.send(id, "re", { replyTo: 1 })).toMatchObject({ replyTo: 1 });
    expect(await answer(post(ada, other, { body: "re", replyTo: 1 }))).toBe("422 invalid");
  });
});

describe("seq", () => {
  test("counts 1, 2, 3… without gaps when fifty are sent at once", async () => {
    const id = await room(ben, kim);
    const sent = await Promise.all(
      range(1, 50).map((i) => ([ada, ben, kim][i % 3] as Client).send(id, `${i}`)),
    );
    expect(seqsOf({ messages: sent }).sort((a, b) => a - b)).toEqual(range(1, 50));
    const { messages } = await page(kim, id);
    expect(seqsOf({ messages })).toEqual(range(1, 50));
    expect(messages.map(({ createdAt }) => createdAt)).toEqual(
      messages.map(({ createdAt }) => createdAt).sort(),
    );
    expect(messages).toEqual(sent.toSorted((a, b) => a.seq - b.seq));
  });
});

describe("the same clientId", () => {
  test("ten times at once gives one 201 and nine 200, all the same message, and no gap", async () => {
    const id = await room();
    const replies = await Promise.all(range(1, 10).map(() => post(ada, id, { body: "once", clientId: "c" })));
    expect(replies.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 201]);
    for (const { body } of replies) expect(body).toEqual(replies[0]?.body);
    expect(await ada.send(id)).toMatchObject({ seq: 2 });
  });

  test("with another body is refused: 409, and is free in another room and for another sender", async () => {
    const [id, other] = [await room(ben), await room()];
    const first = await ada.send(id, "one", { clientId: "c" });
    expect(await answer(post(ada, id, { body: "two", clientId: "c" }))).toBe("409 client-id-reused");
    expect(await answer(post(ada, other, { body: "two", clientId: "c" }))).toBe("201");
    expect(await answer(post(ben, id, { body: "two", clientId: "c" }))).toBe("201");
    expect(await post(ada, id, { body: "one", clientId: "c" })).toMatchObject({ status: 200, body: first });
  });

  test("gives the message as it is now, edited or deleted", async () => {
    const id = await room();
    const again = () => post(ada, id, { body: "one", clientId: "c" });
    await ada.send(id, "one", { clientId: "c" });
    await edit(ada, id, 1, "edited");
    expect(await again()).toMatchObject({ status: 200, body: { seq: 1, body: "edited" } });
    await erase(ada, id, 1);
    expect(await again()).toMatchObject({ status: 200, body: { seq: 1, body: null } });
    expect(await ada.room(id)).toMatchObject({ lastSeq: 1 });
  });
});

describe("mentions", () => {
  const cases: [rule: string, text: (b: string) => string, found: boolean][] = [
    ["a member's handle", (b) => `hi @${b} there`, true],
    ["alone", (b) => `@${b}`, true],
    ["in any case", (b) => `@${b.toUpperCase()}`, true],
    ["twice", (b) => `@${b} @${b}`, true],
    ["before a full stop", (b) => `ask @${b}.`, true],
    ["before dots and dashes", (b) => `ask @${b}... -- or @${b}--`, true],
    ["before a comma, a colon, an exclamation mark", (b) => `@${b}, @${b}: @${b}!`, true],
    ["in brackets and quotes", (b) => `(@${b}) "@${b}"`, true],
    ["before another script", (b) => `@${b}你好`, true],
    ["in a new line", (b) => `hello\n@${b}`, true],
    ["in an e-mail address", (b) => `write to ada@${b} or x.y@${b}.org`, false],
    ["after another @", (b) => `@@${b}`, false],
    ["without @", (b) => b, false],
    ["as the start of a longer word", (b) => `@${b}x`, false],
    ["after a slash", (b) => `https://example.org/@${b}`, false],
  ];
  test.each(cases)("%s", async (_rule, text, found) => {
    const id = await room(ben);
    const { mentions } = await ada.send(id, text(ben.user.handle));
    expect(mentions).toEqual(found ? [ben.user.id] : []);
    expect(await ben.room(id)).toMatchObject({ unreadCount: 1, mentionCount: found ? 1 : 0 });
  });

  test("of a handle that ends in a dot or a dash, the longest that is a member's and all its shorter ones", async () => {
    const [long, short] = await Promise.all([server.person("p.-"), server.person("q")]);
    const id = await room(long, short);
    expect((await ada.send(id, `${at(long)}. ${at(short)}-`)).mentions).toEqual(
      [long.user.id, short.user.id].sort((a, b) => a - b),
    );
  });

  test("of a stranger, of one who left, and of nobody are none", async () => {
    const id = await room(ben, kim);
    await kim.must("DELETE", `/rooms/${id}/members/me`);
    expect((await ada.send(id, `${at(eve)} ${at(kim)} @nobody @x @`)).mentions).toEqual([]);
    await ada.must("PUT", `/rooms/${id}/members/${kim.user.id}`);
    expect(await kim.room(id)).toMatchObject({ mentionCount: 0 });
  });

  test("of oneself are a mention that counts for nobody", async () => {
    const id = await room(ben);
    expect((await ada.send(id, `${at(ada)} ${at(ben)}`)).mentions).toEqual(
      [ada.user.id, ben.user.id].sort((a, b) => a - b),
    );
    await ada.must("PUT", `/rooms/${id}/unread`, { seq: 1 });
    expect(await ada.room(id)).toMatchObject({ unreadCount: 0, mentionCount: 0 });
    expect(await ben.room(id)).toMatchObject({ unreadCount: 1, mentionCount: 1 });
  });

  test("follow edits up and down, and go with the message", async () => {
    const id = await room(ben, kim);
    const counts = async () => [(await ben.room(id)).mentionCount, (await kim.room(id)).mentionCount];
    await ada.send(id, "nobody");
    await ada.send(id, at(ben));
    expect(await counts()).toEqual([1, 0]);
    expect((await edit(ada, id, 1, `${at(ben)} and ${at(kim)}`)).body.mentions).toHaveLength(2);
    expect(await counts()).toEqual([2, 1]);
    expect((await edit(ada, id, 1, `${at(kim)} only`)).body.mentions).toEqual([kim.user.id]);
    expect(await counts()).toEqual([1, 1]);
    await erase(ada, id, 1);
    expect(await counts()).toEqual([1, 0]);
    expect(await one(kim, id, 1)).toMatchObject({ mentions: [] });
  });

  test("are the messages themselves in a direct room", async () => {
    const { id } = await ada.must("POST", "/rooms", { kind: "direct", members: [eve.user.id] });
    await ada.send(id, "one");
    await ada.send(id, at(eve));
    expect(await eve.room(id)).toMatchObject({ unreadCount: 2, mentionCount: 2 });
  });
});

describe("editing and deleting", () => {
  /** A room of Ada's with a moderator (Kim), a message by Ben, and what the server told. */
  async function staffed(): Promise<number> {
    const id = await room(ben, kim);
    await ada.must("PUT", `/rooms/${id}/members/${kim.user.id}`, { role: "moderator" });
    await ben.send(id, "by ben");
    await ada.must("PATCH", `/rooms/${id}`, { name: "renamed" });
    return id;
  }
  const people = { owner: () => ada, moderator: () => kim, sender: () => ben, stranger: () => eve };

  test.each([
    ["owner", "403 forbidden"],
    ["moderator", "403 forbidden"],
    ["sender", "200"],
    ["stranger", "404 room-not-found"],
  ] as const)("the %s edits a message: %s", async (who, expected) => {
    const id = await staffed();
    expect(await answer(edit(people[who](), id, 1, "edited"))).toBe(expected);
    expect((await one(ada, id, 1)).body).toBe(expected === "200" ? "edited" : "by ben");
  });

  test.each([
    ["owner", "204"],
    ["moderator", "204"],
    ["sender", "204"],
    ["stranger", "404 room-not-found"],
  ] as const)("the %s deletes a message: %s", async (who, expected) => {
    const id = await staffed();
    expect(await answer(erase(people[who](), id, 1))).toBe(expected);
    expect((await one(ada, id, 1)).body).toBe(expected === "204" ? null : "by ben");
  });

  test("a member deletes no message of another", async () => {
    const id = await staffed();
    await ada.send(id, "by ada");
    expect(await answer(erase(ben, id, 3))).toBe("403 forbidden");
    expect((await one(ben, id, 3)).body).toBe("by ada");
  });

  test("a deleted message keeps its seq, is not edited, and is deleted once", async () => {
    const id = await staffed();
    await erase(ben, id, 1);
    const deleted = await one(ada, id, 1);
    expect(await answer(edit(ben, id, 1, "back"))).toBe("404 message-not-found");
    expect(await answer(erase(ben, id, 1))).toBe("204");
    expect(await one(ada, id, 1)).toEqual(deleted);
    expect(seqsOf(await page(ada, id))).toEqual([1, 2]);
  });

  test("what the server told is neither edited nor deleted, even by whom it is about", async () => {
    const id = await staffed();
    expect(await answers([edit(ada, id, 2, "mine"), erase(ada, id, 2)])).toEqual({ "403 forbidden": 2 });
  });

  test("what is not there is not found", async () => {
    const id = await staffed();
    for (const seq of ["0", "3", "-1", "1.5", "x", String(2 ** 53)]) {
      const path = `/rooms/${id}/messages/${seq}`;
      expect(
        await answers([
          ada.call("GET", path),
          ada.call("PATCH", path, { body: "x" }),
          ada.call("DELETE", path),
        ]),
      ).toEqual({
        "404 message-not-found": 3,
      });
    }
  });

  test("the last message follows", async () => {
    const id = await room(ben);
    for (const body of ["one", "two", "three"]) await ada.send(id, body);
    const last = async () => (await ben.room(id)).lastMessage;
    const { createdAt } = await one(ada, id, 3);

    const { editedAt } = (await edit(ada, id, 3, "drei")).body;
    expect(await last()).toEqual({ seq: 3, sender: ada.user, body: "drei", createdAt, editedAt });
    await edit(ada, id, 2, "zwei"); // not the last
    expect(await last()).toMatchObject({ seq: 3, body: "drei" });
    expect(await ben.room(id)).toMatchObject({ activeAt: createdAt });

    await erase(ada, id, 1); // not the last
    expect(await last()).toMatchObject({ seq: 3 });
    await erase(ada, id, 3);
    expect(await last()).toMatchObject({ seq: 2, body: "zwei", editedAt: TIME });
    await erase(ada, id, 2);
    expect(await last()).toBeNull();
    expect(await ben.room(id)).toMatchObject({ lastSeq: 3, unreadCount: 0 });
    await ben.send(id, "anew");
    expect(await last()).toMatchObject({ seq: 4, sender: ben.user, editedAt: null });
  });

  test("whatever is sent, edited and deleted at once, the last message and every count are right", async () => {
    const id = await room(ben, kim);
    const crowd = [ada, ben, kim];
    const any = <T>(list: T[]): T => list[Math.floor(Math.random() * list.length)] as T;
    let newest = 1;
    await ada.send(id);
    for (let round = 0; round < 8; round++) {
      const recent = () => Math.max(1, newest - Math.floor(Math.random() * 4));
      const acts = [
        (who: Client) => post(who, id, { body: `${any(["hi", at(ben), `${at(kim)} ${at(ada)}`])} ${round}` }),
        (who: Client) => edit(who, id, recent(), any(["edited", at(ben), at(kim)])),
        () => erase(ada, id, recent()),
        (who: Client) => who.call("PUT", `/rooms/${id}/read`, { seq: recent() }),
        (who: Client) => who.call("PUT", `/rooms/${id}/unread`, { seq: recent() }),
      ];
      await Promise.all(range(1, 25).map(() => any(acts)(any(crowd))));
      const last = (await ada.room(id)).lastMessage;
      newest = (await ada.room(id)).lastSeq;
      const [naive] = await server.database.sql`
        select count(*)::int as messages, max(seq) as last,
               max(seq) filter (where kind = 'text' and deleted_at is null) as last_text
          from messages where room_id = ${id}`;
      expect(naive).toMatchObject({ messages: newest, last: newest, last_text: last?.seq ?? null });
      if (last) {
        const { seq, sender, body, createdAt, editedAt } = await one(ada, id, last.seq);
        expect(last).toEqual({ seq, sender, body: body as string, createdAt, editedAt });
      }
      const counts = await server.database.sql`
        select m.user_id, count(x.seq) as unread, count(x.seq) filter (where m.user_id = any (x.mentions)) as mentions
          from memberships m
          left join messages x on x.room_id = m.room_id and x.seq > m.last_read_seq
                              and x.kind = 'text' and x.deleted_at is null and x.sender_id <> m.user_id
         where m.room_id = ${id} group by m.user_id`;
      for (const who of crowd) {
        const { unreadCount, mentionCount } = await who.room(id);
        const { unread, mentions } = counts.find(({ user_id }) => user_id === who.user.id) as any;
        expect({ unreadCount, mentionCount }).toEqual({ unreadCount: unread, mentionCount: mentions });
      }
    }
  }, 30_000);
});

describe("pages", () => {
  let id: number;
  const LAST = 23;
  beforeAll(async () => {
    id = await room(ben);
    for (const i of range(1, LAST)) await ada.send(id, `${i}`);
    await erase(ada, id, 20); // a deleted one takes its place in a page
  });

  test.each([
    ["the newest, by 5", "limit=5", range(19, 23), 19, null],
    ["the newest, as many as there are", "limit=23", range(1, 23), null, null],
    ["the newest, 50 if nothing is said", "", range(1, 23), null, null],
    ["before", "limit=5&before=10", range(5, 9), 5, 9],
    ["before, at the start", "limit=5&before=4", range(1, 3), null, 3],
    ["before the first", "limit=5&before=1", [], null, 0],
    ["before what is not there yet", "limit=5&before=1000", range(19, 23), 19, null],
    ["after", "limit=5&after=10", range(11, 15), 11, 15],
    ["after nothing", "limit=5&after=0", range(1, 5), null, 5],
    ["after, at the end", "limit=5&after=20", range(21, 23), 21, null],
    ["after the last", "limit=5&after=23", [], 24, null],
    ["after what is not there yet", `limit=5&after=${2 ** 53 - 1}`, [], 24, null],
    ["around", "limit=5&around=10", range(8, 12), 8, 12],
    ["around, with an even limit", "limit=4&around=10", range(9, 12), 9, 12],
    ["around, alone", "limit=1&around=10", [10], 10, 10],
    ["around the first", "limit=5&around=1", range(1, 3), null, 3],
    ["around the last", "limit=5&around=23", range(21, 23), 21, null],
  ] as const)("%s", async (_which, query, seqs, before, after) => {
    const got = await page(ben, id, query);
    expect({ ...got, messages: seqsOf(got) }).toEqual({
      messages: [...seqs],
      cursor: `${LAST}.1`,
      before,
      after,
    });
  });

  test.each([1, 4, 7, 23, 24])("by %d walk everything both ways, each message once", async (limit) => {
    for (const way of ["before", "after"] as const) {
      const walked: Sent[][] = [];
      for (let seq: number | null = way === "before" ? LAST + 1 : 0; seq !== null; ) {
        const got: Page = await page(ben, id, `limit=${limit}&${way}=${seq}`);
        expect(got.messages.length).toBeLessThanOrEqual(limit);
        walked.push(got.messages);
        seq = got[way];
      }
      const all = (way === "before" ? walked.reverse() : walked).flat();
      expect(seqsOf({ messages: all })).toEqual(range(1, LAST));
    }
  });

  test("from around a message, both sides walk to both ends", async () => {
    const middle = await page(ben, id, "limit=4&around=12");
    const older = await page(ben, id, `before=${middle.before}`);
    const newer = await page(ben, id, `after=${middle.after}`);
    expect([...seqsOf(older), ...seqsOf(middle), ...seqsOf(newer)]).toEqual(range(1, LAST));
    expect([older.before, newer.after]).toEqual([null, null]);
  });

  test.each(["", "limit=1", "before=1", "before=9", "after=0", "after=9", "around=0", "around=5"])(
    "an empty room has an empty page: %s",
    async (query) => {
      const empty = await room();
      expect(await page(ada, empty, query)).toEqual({
        messages: [],
        cursor: "0.0",
        before: null,
        after: null,
      });
    },
  );

  test.each([
    "limit=0",
    "limit=201",
    "limit=-1",
    "limit=1.5",
    "limit=x",
    "before=0",
    "before=-1",
    "after=-1",
    "around=-1",
    "around=x",
    `before=${2 ** 53}`,
    `after=${"9".repeat(30)}`,
    "before=5&after=3",
    "around=5&after=3",
  ])("%s is refused: 422", async (query) => {
    expect(await answer(ada.call("GET", `/rooms/${id}/messages?${query}`))).toBe("422 invalid");
  });
});

describe("sending", () => {
  test("reads the room up to the message and clears the mark", async () => {
    const id = await room(ben);
    for (const body of ["one", at(ben), "three"]) await ada.send(id, body);
    await ben.must("PUT", `/rooms/${id}/unread`, { seq: 2 });
    await ben.send(id, "mine");
    expect(await ben.room(id)).toMatchObject({
      lastSeq: 4,
      lastReadSeq: 4,
      unreadCount: 0,
      mentionCount: 0,
      markedUnread: false,
    });
    expect(await ada.room(id)).toMatchObject({ lastReadSeq: 3, unreadCount: 1 });
  });

  test.each([
    [
      "the sender was removed",
      (tx: Sql, id: number) => tx`
        update memberships set left_at = now(), version = pg_current_xact_id()
         where room_id = ${id} and user_id = ${ben.user.id}`,
    ],
    [
      "the room was removed",
      (tx: Sql, id: number) => tx`
        update rooms set deleted_at = now(), version = pg_current_xact_id() where id = ${id}`,
    ],
  ])("is refused if %s while the message waited for its turn", async (_what, remove) => {
    const id = await room(ben);
    const { sql } = server.database;
    let sent: Promise<string> | undefined;
    await sql.begin(async (tx) => {
      await remove(tx, id);
      sent = answer(post(ben, id, { body: "too late", clientId: "c" }));
      await eventually(async () => {
        const waiting = await sql`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
        return waiting.length > 0;
      }, "the send waits");
    });
    expect(await sent).toBe("404 room-not-found");
    expect(await sql`select from messages where room_id = ${id}`).toHaveLength(0);
  });
});
