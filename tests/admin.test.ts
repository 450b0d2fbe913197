import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createApp, type Parts } from "../src/app.ts";
import { readConfig } from "../src/config.ts";
import { withoutSlash } from "../src/docs/document.ts";
import { answer, answers } from "./support/answer.ts";
import { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { RawStream } from "./support/raw.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let root: Client; // administrator
beforeAll(async () => {
  server = await testServer();
  root = await server.administrator("root");
});
afterAll(() => server.close());

/** No user and no room has this id. */
const NOWHERE = Number.MAX_SAFE_INTEGER;

const status = async (who: Client) => (await who.call("GET", "/session")).status;
const change = (who: Client, whom: Client, body: object) =>
  who.call("PATCH", `/admin/users/${whom.user.id}`, body);
const signIn = (who: Client, password = Client.password) =>
  fetch(`${server.api}/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ handle: who.user.handle, password }),
  });
const tokenOf = async (who: Client) => {
  const { token } = await who.must("POST", "/tokens", { name: "script" });
  return who.with({ authorization: `Bearer ${token}` });
};
const walk = async (path: string, key: string, next: string) => {
  const walked: any[] = [];
  for (let at: number | null | undefined; at !== null; ) {
    const page: any = await root.must("GET", `${path}${at === undefined ? "" : `&${next}=${at}`}`);
    walked.push(...page[key]);
    at = page[next];
  }
  return walked;
};

/** Every route for administrators, with a body that fits. */
const ROUTES = createApp({ config: readConfig({}), db: {} } as Parts)
  .routes.filter(({ path }) => path.startsWith("/chat/api/admin/"))
  .map(({ method, path }) => ({
    method,
    path: withoutSlash(path).slice("/chat/api".length).replace(":id", "1"),
    body: method === "PATCH" ? "{}" : undefined,
  }));

/** An answer as it is on the wire. */
async function raw(method: string, path: string, headers: Record<string, string>, body?: string) {
  const response = await fetch(server.api + path, { method, headers, body });
  const all = Object.fromEntries(response.headers);
  delete all.date;
  return { status: response.status, headers: all, text: await response.text() };
}

describe("for whoever is no administrator", () => {
  test("there is nothing, byte for byte, whatever is asked and however", async () => {
    expect(ROUTES.length).toBeGreaterThan(6);
    const [ada, gone] = [await server.person("ada"), await server.person("gone")];
    await gone.must("DELETE", "/session");
    const people: Record<string, Record<string, string>> = {
      nobody: {},
      somebody: ada.headers,
      "somebody by token": (await tokenOf(ada)).headers,
      "somebody who has signed out": gone.headers,
      "a token that is none": { authorization: "Bearer foyer_x" },
      "another site": { ...ada.headers, origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    };
    const json = { "content-type": "application/json" };
    for (const [who, headers] of Object.entries(people)) {
      for (const { method, path, body } of ROUTES) {
        const nowhere = await raw(method, "/nowhere/at/all", { ...headers, ...json }, body);
        expect(nowhere.status).toBe(404);
        expect(JSON.parse(nowhere.text).code).toBe("not-found");
        for (const at of [path, `${path}/`, `${path}?limit=0`, path.replace("/1", "/x")]) {
          expect([who, at, await raw(method, at, { ...headers, ...json }, body)]).toEqual([who, at, nowhere]);
        }
        if (method === "GET") continue;
        // What is wrong with a body would tell that somebody reads it.
        for (const [type, wrong] of [
          ["application/json", "{"],
          ["application/json", '{"administrator":1}'],
          ["text/plain", "x"],
          ["application/json", `"${"x".repeat(70_000)}"`],
        ] as const) {
          const reply = await raw(method, path, { ...headers, "content-type": type }, wrong);
          expect([who, path, type, reply]).toEqual([who, path, type, nowhere]);
        }
      }
    }
  });

  test("it is the same by a path that is written otherwise", async () => {
    const ada = await server.person("ada");
    const nowhere = await raw("GET", "/nowhere", ada.headers);
    for (const path of [
      "/%61dmin/users",
      "//admin/users",
      "/admin//users",
      "/ADMIN/users",
      "/admin/./users",
      "/x/../admin/users",
    ]) {
      expect([path, await raw("GET", path, ada.headers)]).toEqual([path, nowhere]);
    }
    // What fetch would send otherwise.
    const sent = async (path: string) => {
      const head = `PATCH ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: text/plain\r\n`;
      const stream = await RawStream.say(server.url, `${head}content-length: 1\r\n\r\nx`);
      await stream.until(() => stream.closed);
      return stream.text.replace(/^date: .*/im, "");
    };
    expect(await sent("/chat/api/admin/users/..\\..\\..\\x")).toBe(
      await sent("/chat/api/nowhere/users/..\\..\\..\\x"),
    );
  });
});

describe("the list of users", () => {
  test("shows everybody with what administrators need to know, page by page", async () => {
    const [ada, ben] = [await server.person("listed"), await server.person("listed")];
    await change(root, ben, { deactivated: true });
    const users = await walk("/admin/users?limit=2", "users", "after");
    expect(users.map(({ id }) => id)).toEqual([...new Set(users.map(({ id }) => id))].sort((a, b) => a - b));
    const [{ count } = { count: 0 }] = await server.database.sql`select count(*)::int as count from users`;
    expect(users).toHaveLength(count);
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    const of = ({ user }: Client) => users.find(({ id }) => id === user.id);
    expect(of(ada)).toEqual({
      ...ada.user,
      administrator: false,
      deactivatedAt: null,
      createdAt: time,
      lastUsedAt: time,
    });
    expect(of(ben)).toEqual({
      ...ben.user,
      administrator: false,
      deactivatedAt: time,
      createdAt: time,
      lastUsedAt: null,
    });
    expect(of(root)).toMatchObject({ administrator: true });
  });

  test("is searched by handle and name", async () => {
    const zoe = await server.person("zoe");
    await zoe.must("PATCH", "/users/me", { name: "Somebody Zarathustra" });
    for (const q of [zoe.user.handle, "zarath", "@zoe"]) {
      const { users } = await root.must("GET", `/admin/users?q=${q}`);
      expect([q, users.map(({ id }: { id: number }) => id)]).toEqual([q, [zoe.user.id]]);
    }
  });

  test("a token of an administrator opens it too", async () => {
    expect(await answer((await tokenOf(root)).call("GET", "/admin/users"))).toBe("200");
  });
});

describe("a deactivated user", () => {
  test("cannot sign in: the answer is that to a wrong password, byte for byte", async () => {
    const ada = await server.person("ada");
    const seen = async (password?: string) => {
      const response = await signIn(ada, password);
      const headers = Object.fromEntries(response.headers);
      delete headers.date;
      return { status: response.status, headers, text: await response.text() };
    };
    const wrong = await seen("wrong horse");
    expect(wrong.status).toBe(401);
    await change(root, ada, { deactivated: true });
    expect(await seen()).toEqual(wrong);
    // The handle stays theirs.
    const body = { handle: ada.user.handle, name: "Other", password: Client.password };
    expect(await answer(ada.with({}).call("POST", "/users", body))).toBe("409 handle-taken");
  });

  test("loses every session and token at once, and every stream", async () => {
    const ada = await server.person("ada");
    const [elsewhere, program] = [await ada.signInAgain(), await tokenOf(ada)];
    expect(await Promise.all([ada, elsewhere, program].map(status))).toEqual([200, 200, 200]);
    const streams = await Promise.all([ada.stream(), elsewhere.stream(), program.stream()]);
    await Promise.all(streams.map((stream) => stream.event("rooms")));
    expect((await change(root, ada, { deactivated: true })).body).toMatchObject({
      id: ada.user.id,
      deactivatedAt: expect.any(String),
      lastUsedAt: null,
    });
    expect(await Promise.all([ada, elsewhere, program].map(status))).toEqual([401, 401, 401]);
    for (const stream of streams) {
      await stream.until(() => stream.ended);
      expect(stream.bye).toBe("signed-out");
    }
  });

  test("is found no more, but stays the sender of what they wrote", async () => {
    const [ada, ben] = [await server.person("vanish"), await server.person("ben")];
    const room = await ada.openRoom("room", [ben]);
    const sent = await ada.send(room.id, "I was here");
    const found = async () =>
      (await ben.must("GET", `/users?q=${ada.user.handle}`)).users.map(({ id }: { id: number }) => id);
    expect(await found()).toEqual([ada.user.id]);
    await change(root, ada, { deactivated: true });
    expect(await found()).toEqual([]);
    expect((await ben.page(room.id)).messages).toEqual([sent]);
    expect((await ben.room(room.id)).lastMessage?.sender).toEqual(ada.user);
    const { members } = await ben.must("GET", `/rooms/${room.id}/members`);
    expect(members.map(({ user }: { user: { id: number } }) => user.id)).toContain(ada.user.id);
  });

  test("nobody opens a new room with them, nor adds them; one that there is stays", async () => {
    const [ada, ben, eve] = await Promise.all(["ada", "ben", "eve"].map((name) => server.person(name)));
    const direct = (who: Client) =>
      who.call("POST", "/rooms", { kind: "direct", members: [(ada as Client).user.id] });
    const first = await direct(ben as Client);
    const room = await (ben as Client).openRoom();
    const left = await (ben as Client).openRoom("left", [ada as Client]);
    await (ada as Client).must("DELETE", `/rooms/${left.id}/members/me`);
    await change(root, ada as Client, { deactivated: true });
    expect(await answer(direct(eve as Client))).toBe("404 user-not-found");
    expect(await direct(ben as Client)).toMatchObject({ status: 200, body: { id: first.body.id } });
    for (const { id } of [room, left]) {
      expect(
        await answer((ben as Client).call("PUT", `/rooms/${id}/members/${(ada as Client).user.id}`)),
      ).toBe("404 user-not-found");
    }
    const body = { kind: "closed", name: "x", members: [(ada as Client).user.id] };
    expect(await answer((ben as Client).call("POST", "/rooms", body))).toBe("404 user-not-found");
  });

  test("signs in again once reactivated, with nothing of before but the password", async () => {
    const ada = await server.person("ada");
    const program = await tokenOf(ada);
    await change(root, ada, { deactivated: true });
    expect((await change(root, ada, { deactivated: false })).body).toMatchObject({ deactivatedAt: null });
    expect(await Promise.all([ada, program].map(status))).toEqual([401, 401]);
    expect((await signIn(ada)).status).toBe(200);
  });

  test("keeps no token that was being made at that moment, nor a session", async () => {
    const { sql } = server.database;
    for (const attempt of ["token", "session"]) {
      const ada = await server.person("ada");
      expect(await status(ada)).toBe(200); // believed from now on
      // The deactivation holds the user's row; the other waits for it.
      const [held, deactivating] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const deactivation = sql.begin(async (tx) => {
        await tx`update users set deactivated_at = now() where id = ${ada.user.id}`;
        await tx`delete from sessions where user_id = ${ada.user.id}`;
        held.resolve();
        await deactivating.promise;
      });
      await held.promise;
      const made =
        attempt === "token"
          ? ada.call("POST", "/tokens", { name: "late" }).then((reply) => reply.status)
          : signIn(ada).then((response) => response.status);
      await eventually(
        async () =>
          (
            await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
          ).length > 0,
        "it waits",
      );
      deactivating.resolve();
      await deactivation;
      expect([attempt, await made]).toEqual([attempt, 401]);
      expect(await sql`select from tokens where user_id = ${ada.user.id}`).toHaveLength(0);
      expect(await sql`select from sessions where user_id = ${ada.user.id}`).toHaveLength(0);
    }
  });
});

describe("a password that is reset", () => {
  test("is shown once, opens the account, and ends every session; tokens stay", async () => {
    const ada = await server.person("ada");
    const program = await tokenOf(ada);
    const stream = await ada.stream();
    await stream.event("rooms");
    const reply = await root.call("POST", `/admin/users/${ada.user.id}/password`);
    expect(reply.status).toBe(201);
    expect(Object.keys(reply.body)).toEqual(["password"]);
    expect(reply.body.password).toMatch(/^[\w-]{16}$/);
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(await Promise.all([ada, program].map(status))).toEqual([401, 200]);
    await stream.until(() => stream.ended);
    expect(stream.bye).toBe("signed-out");
    expect((await signIn(ada)).status).toBe(401);
    expect((await signIn(ada, reply.body.password)).status).toBe(200);
    // It is nowhere to be read again.
    const acts = JSON.stringify(await root.must("GET", "/admin/audit"));
    expect(acts).not.toContain(reply.body.password);
  });
});

test("who has no password, for another application vouches for them, is given none", async () => {
  const ada = await server.person("ada");
  await server.database.sql`update foyer.users set password_hash = null where id = ${ada.user.id}`;
  expect(await answer(root.call("POST", `/admin/users/${ada.user.id}/password`))).toBe("409 no-password");
  expect(await status(ada)).toBe(200);
});

describe("ending what somebody is signed in by", () => {
  test("ends every session and token, with their streams, and nobody else's", async () => {
    const [ada, ben] = [await server.person("ada"), await server.person("ben")];
    const [elsewhere, program] = [await ada.signInAgain(), await tokenOf(ada)];
    const stream = await program.stream();
    await stream.event("rooms");
    expect(await answer(root.call("DELETE", `/admin/users/${ada.user.id}/credentials`))).toBe("204");
    expect(await Promise.all([ada, elsewhere, program, ben].map(status))).toEqual([401, 401, 401, 200]);
    await stream.until(() => stream.ended);
    expect(stream.bye).toBe("signed-out");
    expect((await signIn(ada)).status).toBe(200);
  });
});

describe("administrators", () => {
  test("are made and unmade, and know it at once", async () => {
    const ada = await server.person("ada");
    expect(await answer(ada.call("GET", "/admin/users"))).toBe("404 not-found");
    expect((await change(root, ada, { administrator: true })).body.administrator).toBe(true);
    expect(await answer(ada.call("GET", "/admin/users"))).toBe("200");
    expect((await change(root, ada, { administrator: false })).body.administrator).toBe(false);
    expect(await answer(ada.call("GET", "/admin/users"))).toBe("404 not-found");
  });

  test("the last one can be neither unmade nor deactivated, also if it is only one of two who is active", async () => {
    const ada = await server.person("ada");
    await change(root, ada, { administrator: true, deactivated: true });
    for (const body of [{ administrator: false }, { deactivated: true }]) {
      expect(await answer(change(root, root, body))).toBe("409 last-administrator");
    }
    expect(await answer(change(root, root, { administrator: true, deactivated: false }))).toBe("200");
    expect(await answer(root.call("GET", "/admin/users"))).toBe("200");
    await change(root, ada, { administrator: false });
  });

  test("two who unmake each other at the same moment: one stays", async () => {
    for (let i = 0; i < 5; i++) {
      const ada = await server.person("ada");
      await change(root, ada, { administrator: true });
      const replies = [
        change(root, ada, { administrator: false }),
        change(ada, root, { administrator: false }),
      ];
      const given = await Promise.all(replies.map(answer));
      expect(given.sort()).toEqual(["200", "404 not-found"]);
      const { sql } = server.database;
      expect(await sql`select from users where administrator`).toHaveLength(1);
      // The test goes on as root.
      await sql`update users set administrator = id = ${root.user.id}`;
      for (const who of [root, ada]) await who.must("PATCH", "/users/me", { name: `Again ${i}` }); // forgotten by the server
    }
  });

  test("the last two who unmake themselves at the same moment: one stays", async () => {
    for (let i = 0; i < 5; i++) {
      const ada = await server.person("ada");
      await change(root, ada, { administrator: true });
      const replies = [root, ada].map((who) => change(who, who, { administrator: false }));
      const given = await Promise.all(replies.map(answer));
      expect(given.sort()).toEqual(["200", "409 last-administrator"]);
      await server.database.sql`update users set administrator = id = ${root.user.id}`;
      for (const who of [root, ada]) await who.must("PATCH", "/users/me", { name: `Once more ${i}` });
    }
  });

  test("one who is unmade while an act waits does it no more", async () => {
    const { sql } = server.database;
    const [ada, ben] = [await server.person("ada"), await server.person("ben")];
    await change(root, ada, { administrator: true });
    expect(await answer(ada.call("GET", "/admin/users"))).toBe("200"); // believed for a moment
    await sql`update users set administrator = false where id = ${ada.user.id}`;
    const room = await ben.openRoom();
    const acts = [
      ada.call("PATCH", `/admin/users/${ben.user.id}`, { deactivated: true }),
      ada.call("POST", `/admin/users/${ben.user.id}/password`),
      ada.call("DELETE", `/admin/users/${ben.user.id}/credentials`),
      ada.call("DELETE", `/admin/rooms/${room.id}`),
    ];
    expect(await answers(acts)).toEqual({ "404 not-found": 4 });
    expect(await status(ben)).toBe(200);
    expect((await ben.room(room.id)).id).toBe(room.id);
  });

  test("what is not there is 404", async () => {
    for (const id of [NOWHERE, "x", 0]) {
      expect(await answer(root.call("PATCH", `/admin/users/${id}`, {}))).toBe("404 user-not-found");
      expect(await answer(root.call("POST", `/admin/users/${id}/password`))).toBe("404 user-not-found");
      expect(await answer(root.call("DELETE", `/admin/users/${id}/credentials`))).toBe("404 user-not-found");
      expect(await answer(root.call("DELETE", `/admin/rooms/${id}`))).toBe("404 room-not-found");
    }
  });
});

describe("rooms", () => {
  test("are listed, page by page, with their counts and without what is said in them", async () => {
    const [ada, ben] = [await server.person("ada"), await server.person("ben")];
    const room = await ada.openRoom("listed here", [ben]);
    await ada.send(room.id, "a canary in a room");
    const direct = await ada.must("POST", "/rooms", { kind: "direct", members: [ben.user.id] });
    await ada.send(direct.id, "a canary in private");
    const rooms = await walk("/admin/rooms?limit=2", "rooms", "after");
    const of = (id: number) => rooms.find((room) => room.id === id);
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    const counts = { topic: null, memberCount: 2, messageCount: 1, createdAt: time, activeAt: time };
    expect(of(room.id)).toEqual({ id: room.id, kind: "open", name: "listed here", ...counts });
    expect(of(direct.id)).toEqual({ id: direct.id, kind: "direct", name: null, ...counts });
    expect(JSON.stringify(rooms)).not.toContain("canary");
    expect((await root.must("GET", "/admin/rooms?q=LISTED%20h")).rooms).toHaveLength(1);
    expect((await root.must("GET", "/admin/rooms?q=canary")).rooms).toEqual([]);
  });

  test("to be an administrator opens no room", async () => {
    const ada = await server.person("ada");
    const closed = await ada.must("POST", "/rooms", { kind: "closed", name: "closed" });
    for (const path of ["", "/messages", "/members"]) {
      expect(await answer(root.call("GET", `/rooms/${closed.id}${path}`))).toBe("404 room-not-found");
    }
    await expect(root.watch(closed.id)).rejects.toMatchObject({ status: 404 });
  });

  test("are closed, whosever they are: they leave every list, and their streams end", async () => {
    const [ada, ben] = [await server.person("ada"), await server.person("ben")];
    const room = await ada.openRoom("to close", [ben]);
    const [list, timeline] = [await ben.stream(), await ben.watch(room.id)];
    await Promise.all([list.event("rooms"), timeline.event("messages")]);
    for (let i = 0; i < 2; i++)
      expect(await answer(root.call("DELETE", `/admin/rooms/${room.id}`))).toBe("204");
    await timeline.until(() => timeline.ended);
    expect(timeline.bye).toBe("removed");
    await list.until(() => !list.rooms.has(room.id));
    list.close();
    expect(await answer(ada.call("GET", `/rooms/${room.id}`))).toBe("404 room-not-found");
    expect((await root.must("GET", "/admin/rooms?q=to%20close")).rooms).toEqual([]);
  });
});

describe("the audit", () => {
  test("holds every act: who, what, whom, when and from where; what changed nothing is none", async () => {
    const ada = await server.person("ada");
    const room = await ada.openRoom("of record");
    const before = (await root.must("GET", "/admin/audit?limit=1")).acts[0]?.id ?? 0;
    await change(root, ada, { administrator: true });
    await change(root, ada, { administrator: true });
    await change(root, ada, {});
    await change(root, ada, { administrator: false, deactivated: true });
    await change(root, ada, { deactivated: false });
    await root.must("POST", `/admin/users/${ada.user.id}/password`);
    await root.must("DELETE", `/admin/users/${ada.user.id}/credentials`);
    await root.must("DELETE", `/admin/rooms/${room.id}`);
    await root.must("DELETE", `/admin/rooms/${room.id}`);
    await root.call("PATCH", `/admin/users/${NOWHERE}`, { deactivated: true });

    const all = await walk("/admin/audit?limit=3", "acts", "before");
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort((a, b) => b - a));
    const acts = all.filter(({ id }) => id > before).reverse();
    expect(acts.map(({ act }) => act)).toEqual([
      "administrator-made",
      "administrator-unmade",
      "user-deactivated",
      "user-reactivated",
      "password-reset",
      "credentials-ended",
      "room-closed",
    ]);
    const me = (await root.must("GET", "/session")) as object;
    for (const act of acts) {
      expect(act.actor).toEqual(me);
      expect(act.address).toMatch(/^(::ffff:)?127\.0\.0\.1$/);
      expect(Math.abs(Date.parse(act.at) - Date.now())).toBeLessThan(60_000);
      expect(act.target).toEqual(
        act.act === "room-closed"
          ? { kind: "room", id: room.id, name: "of record" }
          : { kind: "user", id: ada.user.id, name: ada.user.handle },
      );
    }
  });

  test("is only ever added to", async () => {
    const { sql } = server.database;
    await change(root, await server.person("ada"), { deactivated: true });
    for (const statement of [
      "update audit set actor_id = null",
      "delete from audit",
      "truncate audit",
      "update audit set act = 'x' where false",
    ]) {
      await expect(sql.unsafe(statement).execute()).rejects.toThrow("only ever added to");
    }
  });

  test("goes with the act: where it cannot be written, nothing is done", async () => {
    const { sql } = server.database;
    const ada = await server.person("ada");
    const room = await ada.openRoom();
    await sql.unsafe(`
      create function no_more() returns trigger language plpgsql as $$ begin raise exception 'full'; end $$;
      create trigger no_more before insert on foyer.audit for each statement execute function no_more();
    `);
    try {
      const acts = [
        change(root, ada, { deactivated: true }),
        change(root, ada, { administrator: true }),
        root.call("POST", `/admin/users/${ada.user.id}/password`),
        root.call("DELETE", `/admin/users/${ada.user.id}/credentials`),
        root.call("DELETE", `/admin/rooms/${room.id}`),
      ];
      expect(await answers(acts)).toEqual({ "500 internal": 5 });
    } finally {
      await sql.unsafe("drop trigger no_more on foyer.audit; drop function no_more()");
    }
    expect(await status(ada)).toBe(200);
    expect((await signIn(ada)).status).toBe(200);
    expect((await ada.room(room.id)).id).toBe(room.id);
    const { users } = await root.must("GET", `/admin/users?q=${ada.user.handle}`);
    expect(users[0]).toMatchObject({ administrator: false, deactivatedAt: null });
  });

  test("notes what a trusted proxy saw, and never what a client made up", async () => {
    const noted = async (trustProxy: number, forwarded: string) => {
      const trusting = await testServer({ TRUST_PROXY: String(trustProxy) }, server.database);
      try {
        const there = root.with({ ...root.headers, "x-forwarded-for": forwarded }, trusting.api);
        await there.must("DELETE", `/admin/users/${(await server.person("ada")).user.id}/credentials`);
        return (await root.must("GET", "/admin/audit?limit=1")).acts[0].address;
      } finally {
        await trusting.close();
      }
    };
    expect(await noted(1, "198.51.100.1, 203.0.113.9")).toBe("203.0.113.9");
    expect(await noted(1, "2001:db8::9")).toBe("2001:db8::9");
    expect(await noted(0, "198.51.100.1, 203.0.113.9")).toEndWith("127.0.0.1");
    expect(await noted(2, "198.51.100.1")).toEndWith("127.0.0.1"); // it went past a proxy that would have added one
    expect(await noted(1, "somebody else")).toEndWith("127.0.0.1");
  });
});

describe("bun run admin", () => {
  async function admin(...args: string[]) {
    const child = Bun.spawn([process.execPath, "src/admin/main.ts", ...args], {
      env: { ...process.env, DATABASE_URL: server.database.url },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { out, err, code };
  }

  test("create makes a new administrator, whose password it shows once", async () => {
    const { out, err, code } = await admin("create", "first-one");
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out).toStartWith("Made the user first-one, an administrator.\n");
    const password = /password +([\w-]{16})$/m.exec(out)?.[1] as string;
    const response = await fetch(`${server.api}/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ handle: "first-one", password }),
    });
    expect(response.status).toBe(200);
    const [cookie = ""] = response.headers.getSetCookie()[0]?.split(";") ?? [];
    expect(await answer(root.with({ cookie }).call("GET", "/admin/users"))).toBe("200");
    const { acts } = await root.must("GET", "/admin/audit?limit=2");
    for (const act of acts)
      expect(act).toMatchObject({ actor: null, address: null, target: { name: "first-one" } });
    expect(acts.map(({ act }: { act: string }) => act)).toEqual(["administrator-made", "user-made"]);
  });

  test("create makes an administrator of somebody, and says so if they are one", async () => {
    const ada = await server.person("ada");
    const { handle } = ada.user;
    expect(await admin("create", handle)).toMatchObject({
      out: expect.stringMatching(
        RegExp(
          `^${handle} is an administrator now. The password is what it was.\n\\(in the database of DATABASE_URL; `,
        ),
      ),
      code: 0,
    });
    expect((await signIn(ada)).status).toBe(200);
    expect(await admin("create", handle)).toMatchObject({
      out: expect.stringContaining(`${handle} is an administrator already. Nothing was changed.\n`),
      code: 0,
    });
    expect(await answer((await ada.signInAgain()).call("GET", "/admin/users"))).toBe("200");
  });

  test("says in words what it does not do", async () => {
    const gone = await server.person("gone");
    await change(root, gone, { deactivated: true });
    const cases: [string[], RegExp][] = [
      [["create", "Not A Handle"], /^admin: Not A Handle: a handle is 2 to 32 of /],
      [["create", gone.user.handle], /^admin: gone\d+ is deactivated: /],
      [["create"], /^admin: takes: create HANDLE/],
      [["create", "one", "two"], /^admin: takes: create HANDLE/],
      [["remove", "one"], /^admin: takes: create HANDLE/],
    ];
    for (const [args, words] of cases) {
      const { out, err, code } = await admin(...args);
      expect({ out, code }).toEqual({ out: "", code: 2 });
      expect(err).toMatch(words);
      expect(err.trimEnd().split("\n")).toHaveLength(1);
    }
    expect(await admin("--help")).toMatchObject({ code: 0, out: expect.stringContaining("create HANDLE") });
    expect(await admin()).toMatchObject({ code: 2, out: expect.stringContaining("create HANDLE") });
  });
});
