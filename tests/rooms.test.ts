import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { answer, answers } from "./support/answer.ts";
import type { Client } from "./support/client.ts";
import { quietCursor } from "./support/cursor.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client; // owner
let ben: Client; // member
let mod: Client; // moderator
let eve: Client; // stranger
beforeAll(async () => {
  server = await testServer();
  [ada, ben, mod, eve] = await Promise.all([
    server.person("ada"),
    server.person("ben"),
    server.person("mod"),
    server.person("eve"),
  ]);
});
afterAll(() => server.close());

/** No room has this id. */
const NOWHERE = Number.MAX_SAFE_INTEGER;

const make = (kind: string, members: Client[] = [], more: object = {}) =>
  ada.must("POST", "/rooms", {
    kind,
    ...(kind === "direct" ? {} : { name: "a room" }),
    members: members.map(({ user }) => user.id),
    ...more,
  });

/** Ada's room with a moderator and a member. */
async function staffed(kind = "closed") {
  const room = await make(kind, [ben, mod]);
  await ada.must("PUT", `/rooms/${room.id}/members/${mod.user.id}`, { role: "moderator" });
  return room;
}

const idsOf = async (client: Client) => (await client.list()).rooms.map(({ id }) => id);

describe("making a room", () => {
  test.each(["open", "closed", "direct"])(
    "the maker of a room that is %s is its owner, the others are members",
    async (kind) => {
      const room = await make(kind, [ben, eve]);
      expect(room).toMatchObject({ kind, role: "owner", memberCount: 3, lastSeq: 0, lastMessage: null });
      expect(await ben.room(room.id)).toMatchObject({ kind, role: "member", memberCount: 3 });
    },
  );

  test.each([
    ["an open room without a name", { kind: "open" }],
    ["a closed room without a name", { kind: "closed", name: null }],
    ["a name of spaces", { kind: "open", name: " \t " }],
    ["a name of 101 characters", { kind: "open", name: "x".repeat(101) }],
    ["a name with NUL", { kind: "open", name: "a\0b" }],
    ["another kind", { kind: "secret", name: "x" }],
    ["no kind", { name: "x" }],
    ["a member who is no id", { kind: "open", name: "x", members: ["1"] }],
    ["a member beyond 2^53", { kind: "open", name: "x", members: [2 ** 53] }],
    ["a direct room of 21", { kind: "direct", members: Array.from({ length: 20 }, (_, i) => i + 1_000_000) }],
  ])("%s is refused: 422", async (_what, body) => {
    expect(await answer(ada.call("POST", "/rooms", body))).toBe("422 invalid");
  });

  test("a name may have 100 characters of any plane, and loses the spaces around it", async () => {
    const name = "🏠".repeat(98);
    expect(await make("open", [], { name: ` ${name} ` })).toMatchObject({ name });
  });

  test.each(["open", "closed", "direct"])(
    "a member whom nobody knows is 404, and no %s room is made",
    async (kind) => {
      const before = await idsOf(ada);
      const body = { kind, name: "x", members: [ben.user.id, NOWHERE] };
      expect(await answer(ada.call("POST", "/rooms", body))).toBe("404 user-not-found");
      expect(await idsOf(ada)).toEqual(before);
    },
  );

  test("members named twice, or the maker among them, count once", async () => {
    expect(await make("open", [ben, ben, ada])).toMatchObject({ memberCount: 2 });
  });
});

describe("direct rooms", () => {
  test("a second one of the same people gives the first, whoever asks and in whatever order", async () => {
    const people = await Promise.all(["kim", "lou", "max"].map((name) => server.person(name)));
    const [kim, lou, max] = people as [Client, Client, Client];
    const open = (who: Client, ...others: Client[]) =>
      who.call("POST", "/rooms", { kind: "direct", members: others.map(({ user }) => user.id) });
    const first = await open(kim, lou, max);
    const replies = [
      await open(kim, max, lou),
      await open(max, kim, lou, max),
      await open(lou, lou, kim, max),
    ];
    expect(first.status).toBe(201);
    expect(replies.map(({ status, body }) => [status, body.id])).toEqual(Array(3).fill([200, first.body.id]));
    // of fewer people it is another room
    expect(await open(kim, lou)).toMatchObject({ status: 201, body: { memberCount: 2 } });
  });

  test("two people who open one with each other at the same moment get the same room", async () => {
    const people = await Promise.all([1, 2, 3, 4, 5].map(() => server.person("pair")));
    const pairs = people.flatMap((kim, i) => people.slice(i + 1).map((lou) => [kim, lou] as const));
    expect(pairs).toHaveLength(10);
    for (const [kim, lou] of pairs) {
      const replies = await Promise.all([
        kim.call("POST", "/rooms", { kind: "direct", members: [lou.user.id] }),
        lou.call("POST", "/rooms", { kind: "direct", members: [kim.user.id] }),
      ]);
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 201]);
      expect(replies[0].body.id).toBe(replies[1].body.id);
    }
    for (const person of people) expect(await idsOf(person)).toHaveLength(4);
  });

  test("one with oneself has one member and no peers, and there is one of it", async () => {
    const [first, second] = [await make("direct"), await make("direct", [ada])];
    expect(first).toMatchObject({ memberCount: 1, peers: [], name: null, role: "owner" });
    expect(second.id).toBe(first.id);
  });

  test("peers are the others, by id; rooms of another kind have none", async () => {
    const room = await make("direct", [mod, ben]);
    const peers = (...people: Client[]) =>
      people.map(({ user }) => ({ ...user, online: false })).sort((a, b) => a.id - b.id);
    expect(room.peers).toEqual(peers(ben, mod));
    expect((await ben.room(room.id)).peers).toEqual(peers(ada, mod));
    expect((await make("open", [ben])).peers).toBeNull();
  });

  test("it takes no name or topic, neither when it is made nor later", async () => {
    const room = await make("direct", [await server.person("kim")], { name: "x", topic: "y" });
    expect(room).toMatchObject({ name: null, topic: null });
    expect(await answer(ada.call("PATCH", `/rooms/${room.id}`, { name: "x" }))).toBe("403 forbidden");
  });

  test("once removed, the same people get another", async () => {
    const kim = await server.person("kim");
    const first = await make("direct", [kim]);
    await ada.must("DELETE", `/rooms/${first.id}`);
    const second = await make("direct", [kim]);
    expect(second.id).not.toBe(first.id);
    expect(await idsOf(kim)).toEqual([second.id]);
  });
});

describe("changing a room", () => {
  test("owner and moderator may, a member may not, a stranger does not see it", async () => {
    const { id } = await staffed();
    for (const [who, expected] of [
      [ada, "200"],
      [mod, "200"],
      [ben, "403 forbidden"],
      [eve, "404 room-not-found"],
    ] as const) {
      expect(await answer(who.call("PATCH", `/rooms/${id}`, { topic: who.user.handle }))).toBe(expected);
    }
    expect(await ben.room(id)).toMatchObject({ topic: mod.user.handle, name: "a room" });
  });

  test("what is left out stays; a topic can be taken away, a name cannot", async () => {
    const { id } = await make("open", [], { topic: "t" });
    expect(await ada.must("PATCH", `/rooms/${id}`, { kind: "closed" })).toMatchObject({
      kind: "closed",
      name: "a room",
      topic: "t",
    });
    expect(await ada.must("PATCH", `/rooms/${id}`, { topic: null })).toMatchObject({ topic: null });
    for (const body of [{ name: null }, { name: "" }, { kind: "direct" }, { topic: 1 }]) {
      expect(await answer(ada.call("PATCH", `/rooms/${id}`, body))).toBe("422 invalid");
    }
    expect(await ada.room(id)).toMatchObject({ kind: "closed", name: "a room", lastSeq: 0 });
  });

  test("a rename is told in the room, and is neither unread, nor the last message, nor activity", async () => {
    const { id } = await make("open", [ben]);
    await ada.send(id, "before");
    const before = await ben.room(id);
    await ada.must("PATCH", `/rooms/${id}`, { name: "renamed" });
    expect(await ben.room(id)).toEqual({ ...before, name: "renamed", lastSeq: 2 });
    const { messages } = await ben.must("GET", `/rooms/${id}/messages?limit=1`);
    expect(messages[0]).toMatchObject({ seq: 2, kind: "system", sender: ada.user });
    expect(messages[0].body).toContain("renamed");
    // the same name again tells nothing
    await ada.must("PATCH", `/rooms/${id}`, { name: "renamed" });
    expect(await ben.room(id)).toMatchObject({ lastSeq: 2 });
  });
});

describe("removing a room", () => {
  test("only an owner may", async () => {
    const { id } = await staffed();
    const remove = (who: Client) => answer(who.call("DELETE", `/rooms/${id}`));
    expect([await remove(eve), await remove(ben), await remove(mod)]).toEqual([
      "404 room-not-found",
      "403 forbidden",
      "403 forbidden",
    ]);
    expect(await remove(ada)).toBe("204");
    // Gone already: for its owner that is what was asked for, for the others it is a room like none.
    expect([await remove(ada), await remove(mod)]).toEqual(["204", "404 room-not-found"]);
  });

  test("it is gone from everybody's list, and told as left since a cursor", async () => {
    const { id } = await staffed("open");
    const cursors = await Promise.all([ada, ben, mod].map(quietCursor));
    await ada.must("DELETE", `/rooms/${id}`);
    for (const [i, who] of [ada, ben, mod].entries()) {
      expect(await idsOf(who)).not.toContain(id);
      expect(await who.list(`?since=${cursors[i]}`)).toMatchObject({ left: [id], rooms: [], reset: false });
    }
    expect(await eve.must("GET", "/rooms/open?limit=200")).not.toMatchObject({
      rooms: expect.arrayContaining([{ id }]),
    });
    expect(await answer(eve.call("PUT", `/rooms/${id}/members/me`))).toBe("404 room-not-found");
  });
});

describe("finding open rooms", () => {
  const find = async (who: Client, query: string) =>
    (await who.must("GET", `/rooms/open?${query}`)).rooms.map(({ name }: { name: string }) => name);

  test("lists open rooms only, with members counted and whether one is in it", async () => {
    const open = await make("open", [ben], { name: "findme one", topic: "t" });
    await make("closed", [], { name: "findme two" });
    const row = { id: open.id, name: "findme one", topic: "t", memberCount: 2 };
    expect(await eve.must("GET", "/rooms/open?q=findme")).toEqual({
      rooms: [{ ...row, joined: false }],
      after: null,
    });
    await eve.must("PUT", `/rooms/${open.id}/members/me`);
    expect(await eve.must("GET", "/rooms/open?q=findme")).toEqual({
      rooms: [{ ...row, memberCount: 3, joined: true }],
      after: null,
    });
  });

  test.each([
    ["part of the name", "ergarten q1", ["Biergarten q1"]],
    ["in any case", "BIERGARTEN Q1", ["Biergarten q1"]],
    ["part of the topic", "all%20about%20q1", ["Biergarten q1"]],
    ["% is no wildcard", "100%25 q1", ["100% q1"]],
    ["% alone finds a %", "%25", ["100% q1"]],
    ["_ is no wildcard", "a_b q1", ["a_b q1"]],
    ["\\ is no escape", "c%5Cd q1", ["c\\d q1"]],
    ["\\ at the end", "c%5C", ["c\\d q1"]],
    ["quotes", "'%22 q1", ["'\" q1"]],
    ["nothing", "nowhere q1", []],
  ])("q: %s", async (_rule, q, names) => {
    if ((await find(ada, "q=biergarten")).length === 0) {
      for (const name of ["100% q1", "1000 q1", "a_b q1", "axb q1", "c\\d q1", "cd q1", "'\" q1"])
        await make("open", [], { name });
      await make("open", [], { name: "Biergarten q1", topic: "all about q1" });
    }
    expect(await find(eve, `limit=200&q=${q}`)).toEqual(names);
  });

  test("after walks all of them, without gap or repeat", async () => {
    const made = [];
    for (let i = 0; i < 7; i++) made.push((await make("open", [], { name: `walk ${i}` })).id);
    const walked = [];
    let after: number | null = 0;
    while (after !== null) {
      const page: { rooms: { id: number }[]; after: number | null } = await eve.must(
        "GET",
        `/rooms/open?q=walk&limit=3&after=${after}`,
      );
      walked.push(...page.rooms.map(({ id }) => id));
      after = page.after;
    }
    expect(walked).toEqual(made);
  });

  test.each(["limit=0", "limit=201", "limit=x", "after=-1", "after=1.5", "q=%00", `q=${"x".repeat(101)}`])(
    "%s is refused: 422",
    async (query) => {
      expect(await answer(ada.call("GET", `/rooms/open?${query}`))).toBe("422 invalid");
    },
  );
});

/** Every route under /rooms/:id, with a body that fits. */
const ROUTES: [method: string, path: string, body?: object][] = [
  ["GET", ""],
  ["PATCH", "", { name: "mine" }],
  ["DELETE", ""],
  ["PUT", "/read", { seq: 1 }],
  ["PUT", "/unread", { seq: 1 }],
  ["GET", "/unread"],
  ["GET", "/members"],
  ["PUT", "/members/me"],
  ["PUT", "/members/me", { role: "owner" }],
  ["PUT", "/members/1", { role: "owner" }],
  ["PATCH", "/members/me", { involvement: "none" }],
  ["DELETE", "/members/me"],
  ["DELETE", "/members/1"],
  ["GET", "/messages"],
  ["GET", "/messages?before=1"],
  ["POST", "/messages", { body: "hello", clientId: "c", replyTo: 1 }],
  ["GET", "/messages/1"],
  ["PATCH", "/messages/1", { body: "mine" }],
  ["DELETE", "/messages/1"],
  ["PUT", "/messages/1/reactions/👍"],
  ["DELETE", "/messages/1/reactions/👍"],
  ["POST", "/typing"],
];

/** An answer as it is on the wire. */
async function raw(who: Client, method: string, path: string, body?: object) {
  const response = await fetch(who.api + path, {
    method,
    headers: { ...who.headers, ...(body ? { "content-type": "application/json" } : {}) },
    body: body && JSON.stringify(body),
  });
  const headers = Object.fromEntries(response.headers);
  delete headers.date;
  return { status: response.status, headers, text: await response.text() };
}

describe("a room that is not there and one that is not theirs", () => {
  const rooms: Record<string, number> = {};
  beforeAll(async () => {
    for (const [name, kind, members] of [
      ["closed", "closed", [ben]],
      ["direct", "direct", [ben]],
      ["open", "open", [ben]],
      ["removed", "open", [eve]],
      ["left", "closed", [eve]],
    ] as const) {
      const { id } = await make(kind, [...members]);
      await ada.send(id, "secret");
      rooms[name] = id;
    }
    await ada.must("DELETE", `/rooms/${rooms.removed}`);
    await eve.must("DELETE", `/rooms/${rooms.left}/members/me`);
  });

  for (const [method, path, body] of ROUTES) {
    test(`${method} /rooms/:id${path} answers both alike, byte for byte`, async () => {
      const nowhere = await raw(eve, method, `/rooms/${NOWHERE}${path}`, body);
      expect(nowhere).toMatchObject({
        status: 404,
        headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
      });
      for (const [kind, id] of Object.entries(rooms)) {
        if (kind === "open" && method === "PUT" && path === "/members/me") continue; // it may be joined
        expect([kind, await raw(eve, method, `/rooms/${id}${path}`, body)]).toEqual([kind, nowhere]);
      }
    });
  }

  test.each([
    "0",
    "-1",
    "1.5",
    "1e3",
    "abc",
    "01",
    "+1",
    "%201",
    "1%00",
    "%zz",
    "٣",
    String(2 ** 53),
    "9".repeat(40),
  ])("%s is no room's id: 404 on every route", async (id) => {
    for (const [method, path, body] of ROUTES) {
      expect([path, (await raw(eve, method, `/rooms/${id}${path}`, body)).status]).toEqual([path, 404]);
    }
    expect(await answer(eve.call("PATCH", `/rooms/${id}`, { name: "x" }))).toBe("404 room-not-found");
  });

  test("without a session every route answers 401, whatever the room", async () => {
    const nobody = eve.with({});
    const id = rooms.open;
    const calls = ROUTES.map(([method, path, body]) => nobody.call(method, `/rooms/${id}${path}`, body));
    expect(await answers(calls)).toEqual({ "401 unauthenticated": calls.length });
  });
});
