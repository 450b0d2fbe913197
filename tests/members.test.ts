import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { answer, answers } from "./support/answer.ts";
import type { Client } from "./support/client.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client; // owner
let mod: Client; // moderator
let ben: Client; // member
let eve: Client; // stranger
let kim: Client; // to be added
beforeAll(async () => {
  server = await testServer();
  [ada, mod, ben, eve, kim] = await Promise.all([
    server.person("ada"),
    server.person("mod"),
    server.person("ben"),
    server.person("eve"),
    server.person("kim"),
  ]);
});
afterAll(() => server.close());

type Who = "owner" | "moderator" | "member" | "stranger";
const person = (who: Who): Client => ({ owner: ada, moderator: mod, member: ben, stranger: eve })[who];

/** A room of an owner, a moderator and a member. */
async function staffed(kind = "open"): Promise<number> {
  const { id } = await ada.must("POST", "/rooms", {
    kind,
    ...(kind === "direct" ? {} : { name: "a room" }),
    members: [mod.user.id, ben.user.id],
  });
  if (kind !== "direct") await ada.must("PUT", `/rooms/${id}/members/${mod.user.id}`, { role: "moderator" });
  return id;
}

const put = (who: Client, id: number, whom: Client | "me", role?: string) =>
  who.call(
    "PUT",
    `/rooms/${id}/members/${whom === "me" ? "me" : whom.user.id}`,
    role === undefined ? undefined : { role },
  );
const remove = (who: Client, id: number, whom: Client | "me") =>
  who.call("DELETE", `/rooms/${id}/members/${whom === "me" ? "me" : whom.user.id}`);
const membersOf = async (who: Client, id: number) => (await who.must("GET", `/rooms/${id}/members`)).members;
const rolesOf = async (who: Client, id: number): Promise<Record<string, string>> =>
  Object.fromEntries((await membersOf(who, id)).map(({ user, role }: any) => [user.id, role]));
const told = async (who: Client, id: number) =>
  (await who.must("GET", `/rooms/${id}/messages?limit=200`)).messages.filter((m: any) => m.kind === "system");

describe("who may add", () => {
  const adding: [kind: string, who: Who, expected: string][] = [
    ["open", "owner", "200"],
    ["open", "moderator", "200"],
    ["open", "member", "200"],
    ["open", "stranger", "404 room-not-found"],
    ["closed", "owner", "200"],
    ["closed", "moderator", "200"],
    ["closed", "member", "403 forbidden"],
    ["closed", "stranger", "404 room-not-found"],
    ["direct", "owner", "403 forbidden"],
    ["direct", "member", "403 forbidden"],
    ["direct", "stranger", "404 room-not-found"],
  ];
  test.each(adding)("in a room that is %s, the %s adds another: %s", async (kind, who, expected) => {
    const id = await staffed(kind);
    const { memberCount, lastSeq } = await ada.room(id);
    expect(await answer(put(person(who), id, kim))).toBe(expected);
    const added = expected === "200" ? 1 : 0;
    expect(await ada.room(id)).toMatchObject({ memberCount: memberCount + added, lastSeq: lastSeq + added });
    expect(await answer(kim.call("GET", `/rooms/${id}`))).toBe(added ? "200" : "404 room-not-found");
  });

  const joining: [kind: string, role: string | undefined, expected: string][] = [
    ["open", undefined, "200"],
    ["open", "member", "200"],
    ["open", "owner", "403 forbidden"],
    ["open", "moderator", "403 forbidden"],
    ["closed", undefined, "404 room-not-found"],
    ["direct", undefined, "404 room-not-found"],
  ];
  test.each(joining)("a stranger joins a room that is %s as %s: %s", async (kind, role, expected) => {
    const id = await staffed(kind);
    expect(await answer(put(eve, id, "me", role))).toBe(expected);
    expect(await answer(eve.call("GET", `/rooms/${id}`))).toBe(
      expected === "200" ? "200" : "404 room-not-found",
    );
    if (expected === "200") expect((await rolesOf(eve, id))[eve.user.id]).toBe("member");
  });

  test("nobody can be added who does not exist: 404", async () => {
    const id = await staffed();
    for (const nobody of [Number.MAX_SAFE_INTEGER, "0", "abc", "1.5"]) {
      expect(await answer(ada.call("PUT", `/rooms/${id}/members/${nobody}`))).toBe("404 user-not-found");
    }
    expect(await ada.room(id)).toMatchObject({ memberCount: 3, lastSeq: 0 });
  });
});

describe("roles", () => {
  const giving: [who: Who, whom: Who, role: string, expected: string][] = [
    ["owner", "member", "moderator", "200"],
    ["owner", "member", "owner", "200"],
    ["owner", "moderator", "member", "200"],
    ["owner", "stranger", "moderator", "200"],
    ["moderator", "member", "moderator", "403 forbidden"],
    ["moderator", "moderator", "owner", "403 forbidden"],
    ["moderator", "owner", "member", "403 forbidden"],
    ["moderator", "stranger", "moderator", "403 forbidden"],
    ["moderator", "moderator", "moderator", "200"],
    ["member", "member", "owner", "403 forbidden"],
    ["member", "member", "moderator", "403 forbidden"],
    ["member", "moderator", "member", "403 forbidden"],
    ["member", "stranger", "owner", "403 forbidden"],
    ["stranger", "member", "owner", "404 room-not-found"],
    ["stranger", "stranger", "owner", "403 forbidden"],
  ];
  test.each(giving)("the %s makes the %s a(n) %s: %s", async (who, whom, role, expected) => {
    const id = await staffed();
    const before = await rolesOf(ada, id);
    const { status, body } = await put(person(who), id, person(whom), role);
    expect(status < 300 ? "200" : `${status} ${body.code}`).toBe(expected);
    const given = { [person(whom).user.id]: role };
    expect(await rolesOf(ada, id)).toEqual(status === 200 ? { ...before, ...given } : before);
    if (status === 200) expect(body).toMatchObject({ user: person(whom).user, role });
  });

  test("a role that is none is refused, and of a body only the role counts", async () => {
    const id = await staffed();
    expect(await answer(put(ada, id, ben, "king"))).toBe("422 invalid");
    await ada.must("PUT", `/rooms/${id}/members/${ben.user.id}`, { lastReadSeq: 9, userId: eve.user.id });
    expect(await rolesOf(ada, id)).toMatchObject({ [ben.user.id]: "member" });
  });

  test("in a direct room there are none to give", async () => {
    const id = await staffed("direct");
    expect(await answer(put(ada, id, ben, "owner"))).toBe("403 forbidden");
    expect(await answer(put(ada, id, "me", "member"))).toBe("403 forbidden");
  });

  test("a room's kind changes, roles do not", async () => {
    const id = await staffed();
    const before = await rolesOf(ada, id);
    await ada.must("PATCH", `/rooms/${id}`, { kind: "closed" });
    expect(await rolesOf(ada, id)).toEqual(before);
  });
});

describe("an owner remains", () => {
  test("the last one can neither leave nor be lowered: 409", async () => {
    const id = await staffed();
    expect(await answer(remove(ada, id, "me"))).toBe("409 last-owner");
    expect(await answer(put(ada, id, "me", "member"))).toBe("409 last-owner");
    await put(ada, id, ben, "owner");
    expect(await answer(put(ada, id, "me", "member"))).toBe("200");
    expect(await answer(remove(ben, id, "me"))).toBe("409 last-owner");
    // one who left is no heir
    await put(ben, id, ada, "owner");
    expect(await answer(remove(ben, id, "me"))).toBe("204");
    expect(await answer(remove(ada, id, "me"))).toBe("409 last-owner");
  });

  test("one who is deactivated is no heir", async () => {
    const id = await staffed();
    await put(ada, id, ben, "owner");
    await server.database.sql`update users set deactivated_at = now() where id = ${ben.user.id}`;
    expect(await answer(remove(ada, id, "me"))).toBe("409 last-owner");
    await server.database.sql`update users set deactivated_at = null where id = ${ben.user.id}`;
    expect(await answer(remove(ada, id, "me"))).toBe("204");
  });

  const moments: [string, (a: Client, b: Client, id: number) => Promise<any>[]][] = [
    ["both leave", (a, b, id) => [remove(a, id, "me"), remove(b, id, "me")]],
    ["both lower themselves", (a, b, id) => [put(a, id, "me", "member"), put(b, id, "me", "member")]],
    ["one leaves, one lowers themselves", (a, b, id) => [remove(a, id, "me"), put(b, id, "me", "member")]],
  ];
  test.each(moments)("of two owners, %s at the same moment: one fails", async (_moment, act) => {
    for (let round = 0; round < 8; round++) {
      const id = await staffed();
      await put(ada, id, ben, "owner");
      const given = await answers(act(ada, ben, id));
      expect(given).toHaveProperty("409 last-owner", 1);
      expect(Object.values(await rolesOf(mod, id)).filter((role) => role === "owner")).toHaveLength(1);
    }
  });

  test("of two owners who remove each other at the same moment, one is left", async () => {
    for (let round = 0; round < 8; round++) {
      const id = await staffed();
      await put(ada, id, ben, "owner");
      expect(await answers([remove(ada, id, ben), remove(ben, id, ada)])).toEqual({
        "204": 1,
        "404 room-not-found": 1,
      });
      expect(Object.values(await rolesOf(mod, id)).sort()).toEqual(["moderator", "owner"]);
    }
  });
});

describe("leaving and removing", () => {
  const removing: [who: Who, whom: Who, expected: string][] = [
    ["owner", "moderator", "204"],
    ["owner", "member", "204"],
    ["owner", "stranger", "204"],
    ["moderator", "member", "204"],
    ["moderator", "owner", "403 forbidden"],
    ["member", "moderator", "403 forbidden"],
    ["member", "stranger", "403 forbidden"],
    ["moderator", "moderator", "204"],
    ["member", "member", "204"],
    ["stranger", "member", "404 room-not-found"],
    ["stranger", "stranger", "404 room-not-found"],
  ];
  test.each(removing)("the %s removes the %s: %s", async (who, whom, expected) => {
    const id = await staffed();
    expect(await answer(remove(person(who), id, person(whom)))).toBe(expected);
    const gone = expected === "204" && whom !== "stranger";
    expect(await ada.room(id)).toMatchObject({ memberCount: gone ? 2 : 3, lastSeq: gone ? 1 : 0 });
    expect(person(whom).user.id in (await rolesOf(ada, id))).toBe(!gone && whom !== "stranger");
  });

  test("a moderator does not remove another moderator", async () => {
    const id = await staffed();
    await put(ada, id, ben, "moderator");
    expect(await answer(remove(mod, id, ben))).toBe("403 forbidden");
  });

  test("nobody leaves a direct room, and nobody is removed from it", async () => {
    const id = await staffed("direct");
    expect(
      await answers([
        remove(ada, id, ben),
        remove(ada, id, "me"),
        remove(ben, id, "me"),
        remove(ben, id, ada),
      ]),
    ).toEqual({ "403 forbidden": 4 });
    expect(await ada.room(id)).toMatchObject({ memberCount: 3 });
  });

  test("a removed member gets 404 everywhere, and nothing of the room", async () => {
    const id = await staffed("closed");
    await ben.send(id, "mine");
    await remove(ada, id, ben);
    const calls: [method: string, path: string, body?: object][] = [
      ["GET", ""],
      ["PATCH", "", { name: "x" }],
      ["DELETE", ""],
      ["GET", "/members"],
      ["PUT", "/members/me"],
      ["PATCH", "/members/me", { involvement: "all" }],
      ["DELETE", "/members/me"],
      ["PUT", "/read", { seq: 1 }],
      ["PUT", "/unread", { seq: 1 }],
      ["GET", "/unread"],
      ["GET", "/messages"],
      ["POST", "/messages", { body: "again" }],
      ["GET", "/messages/1"],
      ["PATCH", "/messages/1", { body: "edited" }],
      ["DELETE", "/messages/1"],
    ];
    const replies = calls.map(([method, path, body]) => ben.call(method, `/rooms/${id}${path}`, body));
    expect(await answers(replies)).toEqual({ "404 room-not-found": calls.length });
    expect((await ben.list()).rooms.map((room) => room.id)).not.toContain(id);
    expect((await ben.must("PUT", "/rooms/read")).rooms.map((room: any) => room.id)).not.toContain(id);
  });

  test("who comes back begins at the end, as a member, with their own setting and no counts of before", async () => {
    const id = await staffed();
    await ada.send(id, `@${mod.user.handle}`);
    await mod.send(id, "mine");
    await mod.must("PUT", `/rooms/${id}/unread`, { seq: 1 });
    await mod.must("PATCH", `/rooms/${id}/members/me`, { involvement: "none" });
    await remove(mod, id, "me");
    await ada.send(id, "while away");
    await put(mod, id, "me");
    expect(await mod.room(id)).toMatchObject({
      role: "member",
      involvement: "none",
      lastSeq: 5,
      lastReadSeq: 5,
      unreadCount: 0,
      mentionCount: 0,
      markedUnread: false,
      memberCount: 3,
    });
    await ada.send(id, `@${mod.user.handle}`);
    expect(await mod.room(id)).toMatchObject({ unreadCount: 1, mentionCount: 1 });
    const joinedAt = (await membersOf(mod, id)).map(({ user }: any) => user.id);
    expect(joinedAt.at(-1)).toBe(mod.user.id); // the list is in the order of joining
  });
});

describe("a membership", () => {
  test("begins with everything read", async () => {
    const id = await staffed();
    for (let i = 0; i < 3; i++) await ada.send(id, `@${eve.user.handle}`);
    const member = (await put(eve, id, "me")).body;
    const { lastSeq } = await eve.room(id);
    expect(lastSeq).toBe(4); // and the joining itself
    expect(member.lastReadSeq).toBe(lastSeq);
    expect(await eve.room(id)).toMatchObject({ lastReadSeq: lastSeq, unreadCount: 0, mentionCount: 0 });
  });

  test("is listed with exactly the fields of the contract, in the order of joining", async () => {
    const id = await staffed();
    await put(kim, id, "me");
    await ada.send(id);
    await kim.must("PUT", `/rooms/${id}/read`, { seq: 2 });
    const joinedAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const founders = [
      { user: { ...ada.user, online: false }, role: "owner", lastReadSeq: 2, joinedAt },
      { user: { ...mod.user, online: false }, role: "moderator", lastReadSeq: 0, joinedAt },
      { user: { ...ben.user, online: false }, role: "member", lastReadSeq: 0, joinedAt },
    ].sort((a, b) => a.user.id - b.user.id); // they joined at the same time
    const last = { user: { ...kim.user, online: false }, role: "member", lastReadSeq: 2, joinedAt };
    expect(await ben.must("GET", `/rooms/${id}/members`)).toEqual({ members: [...founders, last] });
    expect((await put(kim, id, "me")).body).toEqual(last);
  });

  test("has an involvement that is one's own, and changes no count", async () => {
    const id = await staffed();
    await ada.send(id, `@${ben.user.handle}`);
    for (const involvement of ["mentions", "none", "all"]) {
      await ben.must("PATCH", `/rooms/${id}/members/me`, { involvement });
      expect(await ben.room(id)).toMatchObject({ involvement, unreadCount: 1, mentionCount: 1 });
      expect(await ada.room(id)).toMatchObject({ involvement: "all" });
    }
    expect(await answer(ben.call("PATCH", `/rooms/${id}/members/me`, { involvement: "some" }))).toBe(
      "422 invalid",
    );
    expect(
      await answer(ben.call("PATCH", `/rooms/${id}/members/${ada.user.id}`, { involvement: "none" })),
    ).toStartWith("4");
  });

  test("joins, adds, leaves and removals are told in the room, by who did it", async () => {
    const id = await staffed();
    await put(eve, id, "me");
    await put(ada, id, kim);
    await remove(ada, id, kim);
    await remove(eve, id, "me");
    expect((await told(ada, id)).map(({ seq, sender, body }: any) => [seq, sender.id, body])).toEqual([
      [1, eve.user.id, "joined the room"],
      [2, ada.user.id, `added ${kim.user.name}`],
      [3, ada.user.id, `removed ${kim.user.name}`],
      [4, eve.user.id, "left the room"],
    ]);
    expect(await ben.room(id)).toMatchObject({ lastSeq: 4, unreadCount: 0, lastMessage: null });
  });
});

describe("at the same moment", () => {
  test("ten adds of one person make one membership and one message", async () => {
    for (const add of [(id: number) => put(ada, id, kim), (id: number) => put(kim, id, "me")]) {
      const id = await staffed();
      expect(await answers(Array.from({ length: 10 }, () => add(id)))).toEqual({ "200": 10 });
      expect(await told(ada, id)).toHaveLength(1);
      expect(await ada.room(id)).toMatchObject({ memberCount: 4, lastSeq: 1 });
      expect(await kim.room(id)).toMatchObject({ lastReadSeq: 1 });
      expect(await answers(Array.from({ length: 10 }, () => remove(ada, id, kim)))).toEqual({ "204": 10 });
      expect(await told(ada, id)).toHaveLength(2);
      expect(await ada.room(id)).toMatchObject({ memberCount: 3, lastSeq: 2 });
    }
  });

  test("however people join, leave, are added and removed, memberCount and the messages are right", async () => {
    const id = await staffed();
    const crowd = [mod, ben, eve, kim, ...(await Promise.all([1, 2].map(() => server.person("crowd"))))];
    const acts = [
      (who: Client) => put(who, id, "me"),
      (who: Client) => remove(who, id, "me"),
      (who: Client) => put(ada, id, who),
      (who: Client) => remove(ada, id, who),
      (who: Client) => who.call("POST", `/rooms/${id}/messages`, { body: "hi" }),
    ];
    for (let round = 0; round < 6; round++) {
      const calls = Array.from({ length: 30 }, () => {
        const who = crowd[Math.floor(Math.random() * crowd.length)] as Client;
        return (acts[Math.floor(Math.random() * acts.length)] as (who: Client) => Promise<any>)(who);
      });
      const given = Object.keys(await answers(calls));
      expect(["200", "201", "204", "404 room-not-found"]).toEqual(expect.arrayContaining(given));
      const [members, room] = [await membersOf(ada, id), await ada.room(id)];
      expect(room.memberCount).toBe(members.length);
      const [counted] = await server.database.sql`
        select count(*)::int as messages, coalesce(max(seq), 0)::int as last,
               (count(*) filter (where body like 'joined%' or body like 'added%')
                - count(*) filter (where body like 'left%' or body like 'removed%'))::int as came
          from messages where room_id = ${id}`;
      expect(counted).toEqual({ messages: room.lastSeq, last: room.lastSeq, came: members.length - 3 });
      for (const { lastReadSeq } of members) expect(lastReadSeq).toBeLessThanOrEqual(room.lastSeq);
    }
  }, 30_000);

  test("a person who renames while being added to rooms ends in no deadlock", async () => {
    const deadlocks = async () => {
      const [row] = await server.database.sql`
        select deadlocks from pg_stat_database, pg_stat_force_next_flush() where datname = current_database()`;
      return row?.deadlocks as number;
    };
    const before = await deadlocks();
    for (let round = 0; round < 5; round++) {
      const rooms = await Promise.all(Array.from({ length: 8 }, () => staffed()));
      await Promise.all(rooms.map((id) => put(ada, id, kim)));
      const name = `Kim ${round}`;
      const calls = rooms.flatMap((id) => [
        remove(ada, id, kim),
        put(ada, id, eve),
        put(ada, id, kim),
        kim.call("PATCH", "/users/me", { name }),
        eve.call("PATCH", "/users/me", { name: `Eve ${round}` }),
      ]);
      expect(Object.keys(await answers(calls)).sort()).toEqual(["200", "204"]);
    }
    expect(await deadlocks()).toBe(before);
  }, 30_000);
});
