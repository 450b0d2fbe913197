import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { connectionOptions, open } from "../src/db/client.ts";
import { type FoundMessage, searchMessages } from "../src/search/queries.ts";
import { lexemesOf, snippetOf, wordsPattern } from "../src/search/snippet.ts";
import { answer } from "./support/answer.ts";
import type { Client, Json } from "./support/client.ts";
import { freshDatabase } from "./support/database.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client; // owner
let ben: Client;
beforeAll(async () => {
  server = await testServer();
  [ada, ben] = await Promise.all([server.person("ada"), server.person("ben")]);
});
afterAll(() => server.close());

interface Page {
  messages: Json<FoundMessage>[];
  before: string | null;
}

let words = 0;
/** A word that no other test has used. */
const word = () => `word${++words}`;
const room = async (...members: Client[]) => (await ada.openRoom("a room", members)).id;
const asked = (parameters: Record<string, string | number>) =>
  `/search?${new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]))}`;
const search = (who: Client, q: string, more: Record<string, string | number> = {}) =>
  who.must<Page>("GET", asked({ q, ...more }));
/** What is found, oldest first, in a room of its own or in all. */
const bodies = async (who: Client, q: string, more: Record<string, string | number> = {}) =>
  (await search(who, q, more)).messages.map(({ body }) => body).reverse();

describe("a message is found", () => {
  test("with all its fields, and a snippet", async () => {
    const [id, w] = [await room(ben), word()];
    await ada.send(id, "first");
    const sent = await ben.send(id, `Say ${w} to @${ada.user.handle}`, { clientId: "c", replyTo: 1 });
    const page = await search(ada, w);
    expect(page).toEqual({
      messages: [{ ...sent, snippet: { text: sent.body as string, ranges: [[4, 4 + w.length]] } }],
      before: null,
    });
  });

  const cases: [q: string, text: string, found: boolean][] = [
    ["apple", "an Apple a day", true],
    ["APPLE", "an apple a day", true],
    ["ÄRGER", "nur ärger", true],
    ["ärger", "NUR ÄRGER", true],
    ["привет", "ПРИВЕТ, мир", true],
    ["app", "an apple a day", false],
    ["day apple", "an apple a day", true],
    ["apple pear", "an apple a day", false],
    ['"apple a day"', "an apple a day", true],
    ['"a day apple"', "an apple a day", false],
    ["pear or apple", "an apple a day", true],
    ["apple -day", "an apple a day", false],
    ["apple -pear", "an apple a day", true],
    ['apple -"a day"', "an apple a day", false],
    ["apple - day", "an apple a day", true],
    ["apple --day", "an apple a day", false],
    ["apple -(day", "an apple a day", false],
    ["pear--day or foo--bar", "a foo--bar", true],
    ["bold", "a <b>bold</b> word", true],
    ["<b>bold</b>", "a <b>bold</b> word", true],
    ["alert", "<script>alert(1)</script>", true],
    ["script", "<script>alert(1)</script>", true],
    ["foo", "List<Foo> list", true],
    ["List<Foo>", "List<Foo> list", true],
    ["either", "either/or", true],
    ["or/either", "either/or", true],
    ["example.com", "see https://example.com/notes/7", true],
    ["notes", "see https://example.com/notes/7", true],
    ["https://example.com/notes/7", "see https://example.com/notes/7", true],
    ["AT&T", "at&t;", true],
    ["foo-bar", "a foo-bar", true],
    ["bar", "a foo-bar", true],
    ["ada@example.com", "mail ada@example.com", true],
    ["@ada", "ask @ada", true],
    ["42", "ticket #42", true],
    ["quoted", "“quoted”", true],
    ["“quoted”", "it is quoted", true],
    ["wait", "wait… what", true],
    ["dash", "a dash—and more", true],
    ["thanks", "thanks👍🏽", true],
    ["hello", "🎉hello❤️", true],
    ["space", "no\u00a0break\u00a0space", true],
    ["你好", "你好。世界", true],
    ["étude", "e\u0301tude", false],
    ["e\u0301tude", "une e\u0301tude", true],
    ["हिन्दी", "यह हिन्दी है", true],
    ["room", "an apple a day", false],
    ["'room 1'", "an apple a day", false],
  ];
  test.each(cases)("by %s in “%s”: %p", async (q, text, found) => {
    const id = await room();
    await ada.send(id, text);
    const { messages } = await search(ada, q, { room: id });
    expect(messages.map(({ body }) => body)).toEqual(found ? [text] : []);
    for (const { snippet } of messages) expect(snippet.ranges.length).toBeGreaterThan(0);
  });

  test("newest first, over all rooms", async () => {
    const [w, ids] = [word(), [await room(), await room(), await room()]];
    const sent: { createdAt: string; roomId: number; seq: number }[] = [];
    for (let i = 0; i < 9; i++) sent.push(await ada.send(ids[(i * 2) % 3] as number, `${w} ${i}`));
    // Of one millisecond, the higher room first.
    const order = sent.toSorted(
      (a, b) => b.createdAt.localeCompare(a.createdAt) || b.roomId - a.roomId || b.seq - a.seq,
    );
    const place = ({ roomId, seq }: { roomId: number; seq: number }) => [roomId, seq];
    expect((await search(ada, w)).messages.map(place)).toEqual(order.map(place));
  });

  test("in one room, where one is asked for", async () => {
    const [w, id, other] = [word(), await room(), await room()];
    await ada.send(id, `${w} here`);
    await ada.send(other, `${w} there`);
    expect(await bodies(ada, w, { room: id })).toEqual([`${w} here`]);
    expect(await bodies(ada, w)).toEqual([`${w} here`, `${w} there`]);
  });

  test("by its new text as soon as it is edited, and no longer by the old one", async () => {
    const [id, was, is] = [await room(ben), word(), word()];
    await ada.send(id, was);
    await ada.must("PATCH", `/rooms/${id}/messages/1`, { body: is });
    expect(await bodies(ben, was)).toEqual([]);
    expect(await bodies(ben, is)).toEqual([is]);
  });

  test("though it is old and others are new", async () => {
    const [w, id] = [word(), await room()];
    await ada.send(id, `${w} old`);
    await server.database.sql`
      update messages set created_at = created_at - interval '100 days' where room_id = ${id} and seq = 1`;
    await ada.send(id, `${w} new`);
    expect(await bodies(ada, w)).toEqual([`${w} old`, `${w} new`]);
    expect(await bodies(ada, w, { limit: 1 })).toEqual([`${w} new`]);
  });
});

describe("never found", () => {
  /** A room with a message by ada that ben could find until now. */
  async function found(): Promise<{ id: number; w: string }> {
    const [id, w] = [await room(ben), word()];
    await ada.send(id, w);
    expect(await bodies(ben, w)).toEqual([w]);
    return { id, w };
  }
  const missed = async ({ id, w }: { id: number; w: string }, who = ben) => {
    expect(await search(who, w)).toEqual({ messages: [], before: null });
    expect(await search(who, `${w} or -x`)).toEqual({ messages: [], before: null });
    return answer(who.call("GET", asked({ q: w, room: id })));
  };

  test("a message of a room that one is not in", async () => {
    expect(await missed(await found(), await server.person("eve"))).toBe("404 room-not-found");
  });

  test("a message of a room that one has left", async () => {
    const one = await found();
    await ben.must("DELETE", `/rooms/${one.id}/members/me`);
    expect(await missed(one)).toBe("404 room-not-found");
  });

  test("a message of a room that one was removed from", async () => {
    const one = await found();
    await ada.must("DELETE", `/rooms/${one.id}/members/${ben.user.id}`);
    expect(await missed(one)).toBe("404 room-not-found");
    expect(await bodies(ada, one.w)).toEqual([one.w]);
  });

  test("a message of a room that was removed", async () => {
    const one = await found();
    await ada.must("DELETE", `/rooms/${one.id}`);
    expect(await missed(one)).toBe("404 room-not-found");
    expect(await missed(one, ada)).toBe("404 room-not-found");
  });

  test("a deleted message", async () => {
    const one = await found();
    await ada.must("DELETE", `/rooms/${one.id}/messages/1`);
    expect(await missed(one)).toBe("200");
  });

  test("what the server tells", async () => {
    const [id, w] = [await room(), word()];
    await ada.must("PATCH", `/rooms/${id}`, { name: w });
    expect(await ada.must("GET", `/rooms/${id}/messages`)).toMatchObject({ messages: [{ kind: "system" }] });
    expect(await missed({ id, w }, ada)).toBe("200");
  });

  test("anything, in a room that is not there: byte for byte the same answer", async () => {
    const id = await room();
    const eve = await server.person("eve");
    const replies = await Promise.all(
      [id, 987_654_321].map((given) => eve.call("GET", asked({ q: "x", room: given }))),
    );
    expect(replies.map(({ status }) => status)).toEqual([404, 404]);
    expect(replies[0]?.body).toEqual(replies[1]?.body);
  });
});

describe("a query", () => {
  test("that holds nothing to search for gives an empty page", async () => {
    const id = await room();
    await ada.send(id, "!!! word");
    for (const q of [
      "!!!",
      " ",
      "-word",
      "-other",
      '"',
      '""',
      "<>",
      "-a -b",
      "word or -x",
      "👍",
      "()",
      "&",
    ]) {
      expect([q, await search(ada, q, { room: id })]).toEqual([q, { messages: [], before: null }]);
    }
  });

  test("however hostile is answered, and by no error of ours", async () => {
    const id = await room();
    await ada.send(id, "hello");
    const hostile = [
      "(".repeat(200),
      ")".repeat(200),
      '"'.repeat(200),
      '"a'.repeat(100),
      "-".repeat(200),
      "-a".repeat(100),
      "- ".repeat(100),
      '-""'.repeat(66),
      "-(".repeat(100),
      "a -".repeat(66),
      "or ".repeat(66),
      "a or ".repeat(40),
      "' & | ! <-> :* \\ %",
      "a:* & !b <2> c",
      "\\'\\\\'",
      "'room 1' | hello",
      "😀".repeat(200),
      "👨‍👩‍👧‍👦 e\u0301 \u202eabc\u202c שלום مرحبا",
      "𝒳".repeat(200),
      "\u0001\u0002\u007f\ufeff\u2028",
      "a\u0300".repeat(100),
      "x".repeat(200),
      "<".repeat(200),
      "&lt;&#0;&amp;",
      "1e999 -0 +1.5e-7 0x1f",
      "a@b.c/d?e=f#g ftp://x:1/ //// ..",
    ];
    for (const q of hostile) {
      expect([q, (await ada.call("GET", asked({ q }))).status]).toEqual([q, 200]);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.constantFrom(
              '"',
              "-",
              "(",
              ")",
              " or ",
              "'",
              "\\",
              "<",
              ">",
              "&",
              "|",
              "!",
              ":*",
              " ",
              "/",
              ".",
            ),
            fc.string({ unit: "grapheme", maxLength: 5 }),
          ),
          { minLength: 1, maxLength: 30 },
        ),
        async (parts) => {
          const q = parts.join("").replaceAll("\0", "");
          const { status } = await ada.call("GET", asked({ q, room: id }));
          expect(status).toBe(q === "" || Array.from(q).length > 200 ? 422 : 200);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("of the wrong form is refused: 422", async () => {
    const place = `1700000000000.1.1`;
    expect(await answer(ada.call("GET", asked({ q: "x", before: place })))).toBe("200");
    const wrong: Record<string, string | number>[] = [
      {},
      { q: "" },
      { q: "x".repeat(201) },
      { q: "a\0b" },
      ...["0", "-1", "x", "1.5", "9007199254740992"].map((id) => ({ q: "x", room: id })),
      ...["0", "101", "x"].map((limit) => ({ q: "x", limit })),
      ...["", "x", "1.1.1", `${place}.1`, `x${place}`, `${place}\n`, "1700000000000.0.1", "9".repeat(60)].map(
        (before) => ({ q: "x", before }),
      ),
    ];
    for (const parameters of wrong) {
      expect([parameters, await answer(ada.call("GET", asked(parameters)))]).toEqual([
        parameters,
        "422 invalid",
      ]);
    }
  });
});

describe("pages", () => {
  /** Follows `before` to the end. */
  async function walk(who: Client, q: string, limit: number, between = async () => {}, more = {}) {
    const all: Json<FoundMessage>[] = [];
    for (let before: string | null = null; ; ) {
      const page: Page = await search(who, q, { limit, ...more, ...(before ? { before } : {}) });
      expect(page.messages.length).toBeLessThanOrEqual(limit);
      all.push(...page.messages);
      if (page.before === null) return all;
      expect(page.messages).toHaveLength(limit);
      before = page.before;
      await between();
    }
  }
  const keys = (messages: Json<FoundMessage>[]) =>
    messages.map(({ createdAt, roomId, seq }) => `${createdAt} ${roomId} ${seq}`);

  test("of any size are the whole, also where times are equal, and while new messages come in", async () => {
    const { sql } = server.database;
    const ids = [await room(ben), await room(ben), await room(ben)];
    const hidden = await room();
    // Kim has so much to search that it is done in another way.
    const kim = await server.person("kim");
    for (const id of ids) await ada.must("PUT", `/rooms/${id}/members/${kim.user.id}`);
    await sql`update rooms set last_seq = 1000000 where id = ${await room(kim)}`;
    await fc.assert(
      fc.asyncProperty(
        // Some on one day and some on many: equal times, within and over the days that are looked at first.
        fc.array(fc.record({ in: fc.nat(3), day: fc.nat(6), ms: fc.nat(3), match: fc.boolean() }), {
          minLength: 1,
          maxLength: 60,
          size: "max",
        }),
        fc.integer({ min: 1, max: 12 }),
        async (messages, limit) => {
          const w = word();
          for (const { in: index, day, ms, match } of messages) {
            const id = ids[index] ?? hidden;
            await sql`
              with room as (update rooms set last_seq = last_seq + 1 where id = ${id} returning last_seq)
              insert into messages (room_id, seq, sender_id, body, created_at)
              select ${id}, last_seq, ${ada.user.id}, ${match ? w : "other"},
                     now()::date - ${day * day}::int + ${ms} * interval '1 millisecond' - interval '30 days'
                from room`;
          }
          const rows = await sql`
            select created_at, room_id, seq from messages where body = ${w} and room_id <> ${hidden}
             order by created_at desc, room_id desc, seq desc`;
          const whole = rows.map((row) => `${row.created_at.toISOString()} ${row.room_id} ${row.seq}`);
          const newer = () => ben.send(ids[1] as number, w).then(() => {});
          const inOne = whole.filter((key) => key.split(" ")[1] === String(ids[0]));
          for (const who of [ben, kim]) {
            expect(keys(await walk(who, w, limit, newer))).toEqual(whole);
            expect(keys(await walk(who, w, limit, newer, { room: ids[0] }))).toEqual(inOne);
            await sql`delete from messages where body = ${w} and created_at > now() - interval '1 day'`;
          }
        },
      ),
      { numRuns: 20 },
    );
  }, 60_000);

  test("end with null, also where the last one is full", async () => {
    const [w, id] = [word(), await room()];
    for (let i = 0; i < 4; i++) await ada.send(id, w);
    const first = await search(ada, w, { limit: 2 });
    expect(first.messages.map(({ seq }) => seq)).toEqual([4, 3]);
    const second = await search(ada, w, { limit: 2, before: first.before as string });
    expect(second).toMatchObject({ messages: [{ seq: 2 }, { seq: 1 }], before: null });
  });

  test("are right though a clock was set back over midnight", async () => {
    const { sql } = server.database;
    const [w, id] = [word(), await room(ben)];
    await sql`update rooms set last_seq = 1000000 where id = ${await room(ben)}`; // so that days matter
    for (let i = 0; i < 3; i++) await ada.send(id, w);
    // The room's last message is of today, an earlier one of tomorrow.
    await sql`update messages set created_at = created_at + interval '20 hours' where room_id = ${id} and seq = 1`;
    await sql`update messages set created_at = created_at - interval '1 hour' where room_id = ${id} and seq = 2`;
    expect((await walk(ben, w, 1)).map(({ seq }) => seq)).toEqual([1, 3, 2]);
  });
});

test("among many messages a rare word is found by the index, whatever plan is kept", async () => {
  const database = await freshDatabase();
  const sql = open(database.target, { ...connectionOptions(0), max: 1 });
  try {
    await sql`insert into users (handle, name) select 'u' || n, 'U' from generate_series(1, 50) n`;
    await sql`insert into rooms (kind, name, last_seq, last_message_at) select 'open', 'r', 2000, now() from generate_series(1, 50)`;
    await sql`
      insert into memberships (user_id, room_id) select u.id, r.id from users u, rooms r where (u.id + r.id) % 3 > 0`;
    await sql`
      insert into messages (room_id, seq, sender_id, body, created_at)
      select r, s, 1, 'the ' || s || case when s = 1000 and r % 10 = 0 then ' zebra' else ' horse' end,
             now() - (2000 - s) * interval '1 hour'
        from generate_series(1, 50) r, generate_series(1, 2000) s`;
    await sql`update rooms set last_seq = 1000000 where id = 50`; // very much for those who are in it
    await sql`analyze`;
    const scans = async () => {
      await sql`select pg_stat_force_next_flush()`;
      const [row] = await sql`
        select t.seq_scan, i.idx_scan from pg_stat_user_tables t join pg_stat_user_indexes i using (relid)
         where t.relname = 'messages' and i.indexrelname = 'messages_search'`;
      return { table: row?.seq_scan, index: row?.idx_scan };
    };
    const before = await scans();
    for (let i = 0; i < 10; i++) {
      for (const [q, found] of [
        ["zebra", 3],
        ["the", 20],
      ] as const) {
        for (const userId of [1, 2]) {
          const { messages } = await searchMessages(sql, userId, { q, limit: 20 });
          expect(messages).toHaveLength(found);
        }
      }
    }
    const after = await scans();
    expect(after.table).toBe(before.table);
    expect(after.index).toBeGreaterThan(before.index);
  } finally {
    await sql.end();
    await database.drop();
  }
}, 60_000);

describe("a snippet", () => {
  const of = (body: string, ...found: string[]) => snippetOf(body, wordsPattern(found));
  const marked = ({ text, ranges }: ReturnType<typeof of>) =>
    ranges.map(([from, to]) => text.slice(from, to));

  test("marks every word that was found, as a whole word and in any case, and no other", () => {
    expect(marked(of("Foo foobar FOO, (foo) barfoo foo's", "foo"))).toEqual(["Foo", "FOO", "foo", "foo"]);
    expect(marked(of("😀 Ärger 😀 und ÄRGER", "ärger"))).toEqual(["Ärger", "ÄRGER"]);
    expect(marked(of("foo-bar foo", "foo", "bar", "foo-bar"))).toEqual(["foo-bar", "foo"]);
    expect(marked(of("a.b axb", "a.b"))).toEqual(["a.b"]);
    expect(marked(of("<b>x</b>", "b", "x"))).toEqual(["b", "x", "b"]);
    expect(of("nothing", "foo")).toEqual({ text: "nothing", ranges: [] });
  });

  test("does not mark what must not occur", async () => {
    const id = await room();
    await ada.send(id, "apple day pear");
    const { messages } = await search(ada, 'apple or (pear -day) or "other" -"pear pear"', { room: id });
    expect(messages.map(({ snippet }) => marked(snippet))).toEqual([["apple", "pear"]]);
  });

  test("is about 200 characters around the first word found, cut between words", () => {
    const long = `${"before ".repeat(100)}needle ${"after ".repeat(100)}`;
    const { text, ranges } = of(long, "needle");
    expect(text).toMatch(/^… ?(before ){7,9}needle (after ){20,23}(after)?…$/);
    expect(ranges).toEqual([[text.indexOf("needle"), text.indexOf("needle") + 6]]);
    expect(of(long, "before").text).toMatch(/^before .*…$/);
    expect(of(long, "missing")).toEqual({ text: expect.stringMatching(/^before .*…$/), ranges: [] });
    expect(of(`${"before ".repeat(100)}needle`, "needle").text).toMatch(/^… ?(before ){27,28}needle$/);
    const families = "👨‍👩‍👧‍👦".repeat(100);
    expect(of(families).text).toMatch(/^(👨‍👩‍👧‍👦)+…$/u);
    const endless = `a🏴${"\u{e0061}".repeat(300)}`; // one character, to those who see it
    expect(of(endless).text.isWellFormed()).toBe(true);
  });

  test("is cut from the body at code points, and its ranges are words of the query", () => {
    const hostile = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.string({ unit: "grapheme", maxLength: 40 }),
      fc.constantFrom(
        "a",
        "foo",
        "FOO",
        "Σ",
        "ς",
        "ß",
        "ẞ",
        "İ",
        "ſ",
        "K",
        "é",
        "e\u0301",
        "\u0301",
        "\u200d",
        "<b>",
      ),
      fc
        .constantFrom("x", "😀", "👨‍👩‍👧‍👦", "\u0301", " ", "\n", "क्षि")
        .chain((text) => fc.integer({ min: 1, max: 400 }).map((n) => text.repeat(n))),
    );
    const lexeme = fc.oneof(
      fc.constantFrom(
        "a",
        "foo",
        "σ",
        "ß",
        "e",
        "é",
        "k",
        "s",
        "i",
        "foo-bar",
        "a.b",
        "-5",
        "😀",
        "(",
        "[a]",
        "\\",
        "^",
        "x",
      ),
      fc.string({ minLength: 1, maxLength: 3 }).map((text) => text.toLowerCase()),
    );
    fc.assert(
      fc.property(
        fc.array(hostile, { maxLength: 12 }).map((parts) => parts.join("")),
        fc.array(lexeme, { minLength: 1, maxLength: 5 }),
        (body, lexemes) => {
          const { text, ranges } = snippetOf(body, wordsPattern(lexemes));
          const longest = Math.max(200, ...lexemes.map((one) => one.length));
          expect(text.length).toBeLessThanOrEqual(longest + 62);
          expect(text.isWellFormed()).toBe(body.isWellFormed());
          const inner = text.slice(Number(!body.startsWith(text[0] ?? "")), text.length);
          expect(
            [text, text.slice(1), text.slice(0, -1), text.slice(1, -1), inner].some((part) =>
              body.includes(part),
            ),
          ).toBe(true);
          if (!body.startsWith(text.replace(/…$/, ""))) expect(text).toStartWith("…");
          if (!body.endsWith(text.replace(/^…/, ""))) expect(text).toEndWith("…");
          let end = 0;
          for (const [from, to] of ranges) {
            expect(from).toBeGreaterThanOrEqual(end);
            expect(to).toBeGreaterThan(from);
            const slice = text.slice(from, to);
            expect(
              lexemes.some(
                (one) =>
                  slice.toLowerCase() === one.toLowerCase() || slice.toUpperCase() === one.toUpperCase(),
              ),
            ).toBe(true);
            end = to;
          }
          expect(end).toBeLessThanOrEqual(text.length);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("takes its words as Postgres writes them", () => {
    expect(lexemesOf("'foo' & 'a' <-> 'b' | 'foo'")).toEqual(["foo", "a", "b"]);
    expect(lexemesOf("'it''s' & 'back\\\\slash' & 'a b'")).toEqual(["it's", "back\\slash", "a b"]);
    expect(lexemesOf("")).toEqual([]);
    expect(wordsPattern([])).toBeNull();
  });

  test("of a long and hostile body takes no time", () => {
    const pattern = wordsPattern(Array.from({ length: 100 }, (_, i) => String.fromCodePoint(0x4e00 + i)));
    const body = `${"x y ".repeat(2_499)}\u4e00`;
    const began = performance.now();
    for (let i = 0; i < 100; i++) snippetOf(body, pattern);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
