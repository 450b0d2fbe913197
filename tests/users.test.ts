import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { answer } from "./support/answer.ts";
import type { Client } from "./support/client.ts";
import { quietCursor } from "./support/cursor.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client;
beforeAll(async () => {
  server = await testServer();
  ada = await server.person("ada");
});
afterAll(() => server.close());

const find = async (query: string): Promise<{ id: number; handle: string; name: string }[]> =>
  (await ada.must("GET", `/users?${query}`)).users;
const handles = async (q: string) => (await find(`q=${encodeURIComponent(q)}`)).map(({ handle }) => handle);

describe("finding people", () => {
  // handle, name
  const PEOPLE = [
    ["grace.h", "Grace Brewster Hopper"],
    ["a_b", "Under Score"],
    ["axb", "Plain Letter"],
    ["zoe", "Zoë Ångström"],
    ["sean", "Sean O'Brien-Jones"],
    ["mei", "梅 小龙"],
    ["c-3po", "Droid 3PO"],
    ["hopkins", "Ann Hopkins"],
  ] as const;
  beforeAll(async () => {
    // without passwords: nobody signs in as them
    for (const [handle, name] of PEOPLE) {
      await server.database.sql`insert into users (handle, name) values (${handle}, ${name})`;
    }
  });

  test.each([
    ["the start of a handle", "grac", ["grace.h"]],
    ["a whole handle", "grace.h", ["grace.h"]],
    ["a handle with @", "@grac", ["grace.h"]],
    ["a handle in any case", "GRAC", ["grace.h"]],
    ["the start of a word of the name", "brew", ["grace.h"]],
    ["a word of the name in any case", "BREW", ["grace.h"]],
    ["several words, in any order", "hop gra", ["grace.h"]],
    ["a handle or a name, in the order of the handles", "hop", ["grace.h", "hopkins"]],
    ["the middle of a word: nobody", "opper", []],
    ["the middle of a handle: nobody", "race.h", []],
    ["two words, of which one is nobody's", "grace kelly", []],
    ["accents", "zoë ång", ["zoe"]],
    ["upper case with accents", "ÅNG", ["zoe"]],
    ["another script", "小", ["mei"]],
    ["a name with an apostrophe", "o'brien", ["sean"]],
    ["the second half of a double name", "jones", ["sean"]],
    ["digits", "3p", ["c-3po"]],
    ["_, which is no wildcard", "a_b", ["a_b"]],
    ["%, which is no wildcard", "c%po", []],
    ["\\, which is no escape", "g\\race", []],
  ])("by %s", async (_rule, q, found) => {
    expect(await handles(q)).toEqual([...found]);
  });

  test("without q gives everybody, by handle, as id, handle and name and nothing else", async () => {
    const all = await find("limit=100");
    expect(all.map(({ handle }) => handle)).toEqual(all.map(({ handle }) => handle).toSorted());
    expect(all).toHaveLength(PEOPLE.length + 1);
    expect(all[0]).toEqual({ id: expect.any(Number), handle: "a_b", name: "Under Score" });
    expect(await find("q=&limit=100")).toEqual(all);
    expect(await find("limit=3")).toEqual(all.slice(0, 3));
  });

  test.each([
    "'",
    '"',
    "\\",
    "%",
    "_",
    "&",
    "|",
    "!",
    ":",
    "*",
    "(",
    ")",
    "<->",
    "a & b",
    "a | !b",
    "a:*",
    "!!",
    "(((",
    "' or 1=1 --",
    "\t\n",
    "a'':*B",
    "🦊",
    "\u202e",
  ])("%j breaks nothing and finds nobody who has not that name", async (q) => {
    const people = await handles(q);
    const words = q.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
    for (const handle of people) {
      const [person] = await find(`q=${handle}`);
      expect(`${handle} ${person?.name}`.toLowerCase()).toSatisfy((text: string) =>
        words.every((word) => text.includes(word)),
      );
    }
    if (words.length === 0) expect(people).toEqual([]);
  });

  test("no text whatever makes it fail", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 100 }), async (q) => {
        const { status } = await ada.call("GET", `/users?q=${encodeURIComponent(q)}`);
        expect(status).toBe(q.includes("\0") ? 422 : 200);
      }),
      { numRuns: 100 },
    );
  }, 30_000);

  test.each([
    "q=%00",
    "q=a%00b",
    `q=${"x".repeat(101)}`,
    `q=${"x".repeat(5000)}`,
    "limit=0",
    "limit=101",
    "limit=x",
    "limit=1.5",
  ])("%s is refused: 422", async (query) => {
    expect(await answer(ada.call("GET", `/users?${query}`))).toBe("422 invalid");
  });

  test.each(["q=%zz", "q=%ff", "q=a&q=b", "q[]=a", "limit=", "q"])(
    "%s is answered, not failed at",
    async (query) => {
      expect((await ada.call("GET", `/users?${query}`)).status).toBeLessThan(500);
    },
  );
});

describe("renaming oneself", () => {
  test("shows wherever the name is told, and is found under the new one alone", async () => {
    const kim = await server.person("kim");
    const open = await ada.openRoom("a room", [kim]);
    const direct = await kim.must("POST", "/rooms", { kind: "direct", members: [ada.user.id] });
    await kim.send(open.id);
    const user = { ...kim.user, name: "Kimberley Quux" };
    expect(await kim.must("PATCH", "/users/me", { name: "  Kimberley Quux " })).toEqual(user);
    expect(await kim.must("GET", "/users/me")).toEqual(user);
    expect((await ada.room(open.id)).lastMessage?.sender).toEqual(user);
    expect((await ada.room(direct.id)).peers).toEqual([{ ...user, online: false }]);
    expect((await ada.must("GET", `/rooms/${open.id}/messages`)).messages[0].sender).toEqual(user);
    expect(
      (await ada.must("GET", `/rooms/${open.id}/members`)).members.map((m: any) => m.user),
    ).toContainEqual({ ...user, online: false });
    expect(await find("q=quux")).toEqual([user]);
  });

  test("counts as a change since a cursor, in every room they share, for everybody in it", async () => {
    const [kim, lou] = await Promise.all([server.person("kim"), server.person("lou")]);
    const shared = await ada.openRoom("shared", [kim, lou]);
    const left = await ada.openRoom("left", [kim, lou]); // and the last word there is Kim's
    await kim.send(left.id);
    await kim.must("DELETE", `/rooms/${left.id}/members/me`);
    await ada.openRoom("without kim", [lou]);
    const cursors = [await quietCursor(ada), await quietCursor(lou), await quietCursor(kim)];
    await kim.must("PATCH", "/users/me", { name: "Kim Two" });
    const idsSince = async (who: Client, i: number) =>
      (await who.list(`?since=${cursors[i]}`)).rooms.map(({ id }) => id);
    expect(await idsSince(ada, 0)).toEqual([left.id, shared.id]);
    expect(await idsSince(lou, 1)).toEqual([left.id, shared.id]);
    expect(await idsSince(kim, 2)).toEqual([shared.id]);
    expect((await lou.room(left.id)).lastMessage?.sender.name).toBe("Kim Two");
  });

  test("neither lifts a room nor makes it unread", async () => {
    const [kim, lou] = await Promise.all([server.person("kim"), server.person("lou")]);
    const first = await kim.openRoom("first", [lou]);
    await lou.openRoom("second");
    const before = await lou.list();
    await kim.must("PATCH", "/users/me", { name: "Kim Three" });
    expect((await lou.list()).rooms).toEqual(before.rooms);
    expect(before.rooms.at(-1)?.id).toBe(first.id);
  });

  test.each([
    {},
    { name: "" },
    { name: "   " },
    { name: "\u200b\u200d\u2060" },
    { name: "\u0301\u202e" },
    { name: "x".repeat(81) },
    { name: "a\0" },
    { name: "\ud800" },
    { name: 1 },
    { name: null },
  ])("to %j is refused: 422", async (body) => {
    expect(await answer(ada.call("PATCH", "/users/me", body))).toBe("422 invalid");
    expect((await ada.must("GET", "/users/me")).name).toBe(ada.user.name);
  });

  test("changes the name alone", async () => {
    const kim = await server.person("kim");
    await kim.must("PATCH", "/users/me", { name: "Kim", handle: "other", id: 1, passwordHash: "x" });
    expect(await kim.must("GET", "/users/me")).toEqual({ ...kim.user, name: "Kim" });
  });

  test("by two people of the same rooms at once ends with both names everywhere", async () => {
    const [kim, lou] = await Promise.all([server.person("kim"), server.person("lou")]);
    const rooms = await Promise.all([1, 2, 3, 4, 5].map((i) => ada.openRoom(`${i}`, [kim, lou])));
    const renames = [kim, lou].flatMap((who) =>
      [1, 2, 3, 4, 5].map((i) => who.must("PATCH", "/users/me", { name: `${who.user.handle} ${i}` })),
    );
    await Promise.all([...renames, ...rooms.map(({ id }) => kim.send(id))]);
    const names = await Promise.all([kim, lou].map(async (who) => (await who.must("GET", "/users/me")).name));
    for (const { id } of rooms) {
      const { members } = await ada.must("GET", `/rooms/${id}/members`);
      const told = members.map((m: any) => m.user).filter((user: any) => user.id !== ada.user.id);
      expect(told.toSorted((a: any, b: any) => a.id - b.id).map((user: any) => user.name)).toEqual(
        [kim, lou].toSorted((a, b) => a.user.id - b.user.id).map((who) => names[who === kim ? 0 : 1]),
      );
      expect((await ada.room(id)).lastMessage?.sender.name).toBe(names[0]);
    }
  });
});
