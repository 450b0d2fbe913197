import { afterAll, beforeAll, expect, test } from "bun:test";
import { Turns, verifyPassword } from "../src/auth/passwords.ts";
import { Client } from "./support/client.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

/** A request by somebody who is not signed in. */
function post(path: string, body: unknown, headers: Record<string, string> = {}, api = server.api) {
  return fetch(api + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

let handles = 0;
const someone = (handle = `someone${++handles}`) => ({ handle, name: handle, password: Client.password });

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Whether a credential is still good. */
const status = async (who: Client) => (await who.call("GET", "/session")).status;

/** Every value of every column of every table, as text. */
async function everythingStored(): Promise<string> {
  const { sql } = server.database;
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'foyer'`;
  const dumps = await Promise.all(
    tables.map(({ name }) =>
      sql.unsafe(`select coalesce(string_agg(t::text, ' '), '') as dump from ${name} t`),
    ),
  );
  return dumps.map(([row]) => row?.dump).join(" ");
}

test("who signs up is signed in, by a cookie that no script can read", async () => {
  const response = await post("/users", someone("ada"));
  expect(response.status).toBe(201);
  expect(response.headers.get("cache-control")).toBe("no-store");
  const user = await response.json();
  expect(user).toEqual({ id: expect.any(Number), handle: "ada", name: "ada" });
  const [cookie = ""] = response.headers.getSetCookie();
  const [pair = "", ...attributes] = cookie.split("; ");
  expect(pair).toMatch(/^foyer_session=[\w-]{43}$/);
  expect(attributes.sort()).toEqual(["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax"]);
  const me = await fetch(`${server.api}/session`, { headers: { cookie: pair } });
  expect(me.status).toBe(200);
  expect(await me.json()).toEqual(user);
});

test("behind a trusted proxy with https the cookie is Secure and __Host-, and only then", async () => {
  const trusting = await testServer({ TRUST_PROXY: "1" }, server.database);
  const cookieBy = async (api: string, proto: string) => {
    const response = await post("/users", someone(), { "x-forwarded-proto": proto }, api);
    const [cookie = ""] = response.headers.getSetCookie();
    const pair = cookie.split("; ")[0] as string;
    const me = await fetch(`${api}/session`, { headers: { cookie: pair, "x-forwarded-proto": proto } });
    expect(me.status).toBe(200);
    return cookie;
  };
  try {
    for (const https of ["https", "http, https"]) {
      const cookie = await cookieBy(trusting.api, https);
      expect(cookie).toStartWith("__Host-foyer_session=");
      expect(cookie.split("; ")).toEqual(
        expect.arrayContaining(["Secure", "HttpOnly", "Path=/", "SameSite=Lax"]),
      );
    }
    // "https, http": a client's own word, then the proxy's.
    for (const [api, proto] of [
      [trusting.api, "http"],
      [trusting.api, "https, http"],
      [server.api, "https"],
    ] as const) {
      const cookie = await cookieBy(api, proto);
      expect(cookie).toStartWith("foyer_session=");
      expect(cookie).not.toContain("Secure");
    }
  } finally {
    await trusting.close();
  }
});

test("a handle belongs to one user, even if ten ask for it at the same moment", async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => post("/users", someone("wanted"))));
  const statuses = answers.map((answer) => answer.status).sort();
  expect(statuses).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
  for (const answer of answers) {
    if (answer.status === 201) continue;
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await answer.json()).toMatchObject({ status: 409, code: "handle-taken" });
  }
});

test("the right password signs in, with a new session each time", async () => {
  const ada = await server.person("ada");
  const again = await ada.signInAgain();
  expect(again.headers.cookie).not.toBe(ada.headers.cookie);
  const reply = await again.call("GET", "/session");
  expect(reply.body).toEqual(ada.user);
  expect(await status(ada)).toBe(200);
});

test("a session of the client's own choice is never taken over", async () => {
  const ada = await server.person("ada");
  const chosen = "A".repeat(43);
  const response = await post(
    "/session",
    { handle: ada.user.handle, password: Client.password },
    { cookie: `foyer_session=${chosen}` },
  );
  expect(response.status).toBe(200);
  expect(response.headers.getSetCookie().join()).not.toContain(chosen);
  expect(await status(ada.with({ cookie: `foyer_session=${chosen}` }))).toBe(401);
});

test("a wrong password and an unknown handle give the same answer, byte for byte", async () => {
  const ada = await server.person("ada");
  const seen = async (handle: string, password: string) => {
    const response = await post("/session", { handle, password });
    const headers = Object.fromEntries(response.headers);
    delete headers.date;
    return { status: response.status, headers, body: await response.text() };
  };
  const wrong = await seen(ada.user.handle, "wrong horse");
  expect(wrong.status).toBe(401);
  expect(JSON.parse(wrong.body).code).toBe("bad-credentials");
  expect(wrong.headers["www-authenticate"]).toBe("Bearer");
  expect(wrong.headers).not.toHaveProperty("set-cookie");
  for (const unknown of ["nobody-at-all", "NOT A HANDLE", "", "' or 1=1 --", "ünïcode", "a".repeat(256)]) {
    expect(await seen(unknown, Client.password)).toEqual(wrong);
  }
  expect(await seen(ada.user.handle, "")).toEqual(wrong);
});

test("an unknown handle costs the hash that a known one costs", async () => {
  // What a stranger could time: both hash once, with the same parameters. Wrong ones would make verify throw or be quick.
  const { sql } = server.database;
  const ada = await server.person("ada");
  const [row] = await sql`select password_hash from users where id = ${ada.user.id}`;
  const verified: string[] = [];
  const { verify } = Bun.password;
  Bun.password.verify = ((password: string, hash: string) => {
    verified.push(hash.replace(/\$[^$]*\$[^$]*$/, ""));
    return verify.call(Bun.password, password, hash);
  }) as typeof verify;
  try {
    expect(await verifyPassword("anything", null)).toBe(false);
    expect(await verifyPassword(Client.password, row?.password_hash)).toBe(true);
  } finally {
    Bun.password.verify = verify;
  }
  expect(verified).toHaveLength(2);
  expect(verified[0]).toBe(verified[1] as string);
});

test("secrets are in the database only as hashes", async () => {
  const ada = await server.person("ada");
  const { token } = await ada.must("POST", "/tokens", { name: "script" });
  await ada.with(bearer(token)).must("GET", "/session");
  const stored = await everythingStored();
  expect(stored).toContain(ada.user.handle); // the search does find things
  const secrets = [Client.password, token, token.replace("foyer_", ""), ada.headers.cookie?.split("=")[1]];
  for (const secret of secrets as string[]) {
    expect(stored).not.toContain(secret);
    // Nor as the bytes that its text stands for.
    expect(stored).not.toContain(Buffer.from(secret).toString("hex"));
    expect(stored).not.toContain(Buffer.from(secret, "base64url").toString("hex"));
  }
});

test("signing out ends that session with its streams, and no other", async () => {
  const ada = await server.person("ada");
  const elsewhere = await ada.signInAgain();
  const [stream, other] = [await ada.stream(), await elsewhere.stream()];
  await Promise.all([stream.event("rooms"), other.event("rooms")]);
  const out = await ada.call("DELETE", "/session");
  expect(out.status).toBe(204);
  expect(out.headers.get("set-cookie")).toMatch(/^foyer_session=; .*Max-Age=0/);
  expect(await status(ada)).toBe(401);
  await stream.until((reader) => reader.ended);
  expect(stream.bye).toBe("signed-out");
  expect(await status(elsewhere)).toBe(200);
  await elsewhere.openRoom();
  await other.event("rooms", 2);
  expect(other.ended).toBe(false);
  other.close();
  await expect(ada.stream()).rejects.toMatchObject({ status: 401 });
});

test("a wrong current password changes nothing", async () => {
  const ada = await server.person("ada");
  const reply = await ada.call("PUT", "/session/password", {
    current: "wrong horse",
    next: "battery staple",
  });
  expect(reply).toMatchObject({ status: 401, body: { code: "bad-credentials" } });
  await ada.signInAgain();
  expect(await status(ada)).toBe(200);
});

test("a new password ends the user's other sessions with their streams; this one and the tokens stay", async () => {
  const ada = await server.person("ada");
  const ben = await server.person("ben");
  const elsewhere = await ada.signInAgain();
  const { token } = await ada.must("POST", "/tokens", { name: "script" });
  const program = ada.with(bearer(token));
  const streams = [await elsewhere.stream(), await ada.stream(), await program.stream()] as const;
  await Promise.all(streams.map((stream) => stream.event("rooms")));

  const next = "battery staple";
  const reply = await ada.call("PUT", "/session/password", { current: Client.password, next });
  expect(reply).toMatchObject({ status: 204, body: null });
  expect(await Promise.all([elsewhere, ada, program, ben].map(status))).toEqual([401, 200, 200, 200]);
  await streams[0].until((reader) => reader.ended);
  expect(streams[0].bye).toBe("signed-out");
  await ada.openRoom();
  for (const stream of streams.slice(1)) {
    await stream.event("rooms", 2);
    expect(stream.ended).toBe(false);
    stream.close();
  }

  await expect(ada.signInAgain()).rejects.toThrow("401");
  await ada.signInAgain(next);
});

test("of two password changes at once, one wins", async () => {
  const ada = await server.person("ada");
  const nexts = ["battery staple", "staple battery"];
  const replies = await Promise.all(
    nexts.map((next) => ada.call("PUT", "/session/password", { current: Client.password, next })),
  );
  expect(replies.map((reply) => reply.status).sort()).toEqual([204, 401]);
  const won = replies.findIndex((reply) => reply.status === 204);
  await ada.signInAgain(nexts[won]);
  await expect(ada.signInAgain(nexts[1 - won])).rejects.toThrow("401");
});

test("a sign-in with the old password that overlaps a change does not outlive it", async () => {
  const { sql } = server.database;
  const ada = await server.person("ada");
  const [row] = await sql`select password_hash from users where id = ${ada.user.id}`;
  // The change holds the user's row; the sign-in has checked the old password and waits for it.
  const changing = Promise.withResolvers<void>();
  const change = sql.begin(async (tx) => {
    await tx`update users set password_hash = 'changed' where id = ${ada.user.id}`;
    await changing.promise;
  });
  const signIn = post("/session", { handle: ada.user.handle, password: Client.password });
  const waits = () => sql`
    select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into sessions%'`;
  while ((await waits()).length === 0);
  changing.resolve();
  await change;
  expect((await signIn).status).toBe(401);

  // The other way round: a sign-in that is not committed yet holds the row; the change waits, and ends its session.
  await sql`update users set password_hash = ${row?.password_hash} where id = ${ada.user.id}`;
  const signingIn = Promise.withResolvers<void>();
  const slowSignIn = sql.begin(async (tx) => {
    await tx`select from users where id = ${ada.user.id} for share`;
    await tx`insert into sessions (user_id, secret_hash, expires_at)
             values (${ada.user.id}, '\\x00', now() + interval '1 day')`;
    await signingIn.promise;
  });
  const changed = ada.call("PUT", "/session/password", { current: Client.password, next: "battery staple" });
  const changeWaits = () => sql`
    select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock' and query like '%update users%'`;
  while ((await changeWaits()).length === 0);
  signingIn.resolve();
  await slowSignIn;
  expect((await changed).status).toBe(204);
  expect(await sql`select from sessions where user_id = ${ada.user.id}`).toHaveLength(1);
});

test("a token is shown once", async () => {
  const ada = await server.person("ada");
  const made = await ada.call("POST", "/tokens", { name: "my script" });
  expect(made.status).toBe(201);
  expect(made.headers.get("cache-control")).toBe("no-store");
  const { id, token, createdAt } = made.body;
  expect(made.body).toEqual({ id, name: "my script", token, createdAt });
  expect(token).toMatch(/^foyer_[\w-]{43}$/);
  const unused = await ada.must("GET", "/tokens");
  expect(unused).toEqual({ tokens: [{ id, name: "my script", createdAt, lastUsedAt: null }] });
  await ada.with(bearer(token)).must("GET", "/session");
  const listed = await ada.call("GET", "/tokens");
  expect(listed.body.tokens[0].lastUsedAt).toBeString();
  expect(JSON.stringify(listed.body)).not.toContain(token);
});

test("a deleted token ends at once with its streams, even if it was used just before", async () => {
  const ada = await server.person("ada");
  const { id, token } = await ada.must("POST", "/tokens", { name: "script" });
  const program = ada.with(bearer(token));
  expect(await status(program)).toBe(200);
  const stream = await program.stream();
  await stream.event("rooms");
  expect((await ada.call("DELETE", `/tokens/${id}`)).status).toBe(204);
  expect(await status(program)).toBe(401);
  await stream.until((reader) => reader.ended);
  expect(stream.bye).toBe("signed-out");
  expect(await ada.must("GET", "/tokens")).toEqual({ tokens: [] });
  // Gone already: the same answer.
  expect((await ada.call("DELETE", `/tokens/${id}`)).status).toBe(204);
});

test("a session or token that ends at one server ends at the others", async () => {
  const other = await testServer({}, server.database);
  try {
    const ada = await server.person("ada");
    const { id, token } = await ada.must("POST", "/tokens", { name: "script" });
    const there = [ada.with(ada.headers, other.api), ada.with(bearer(token), other.api)] as const;
    expect(await Promise.all(there.map(status))).toEqual([200, 200]);
    const streams = [await there[0].stream(), await there[1].stream()];
    await Promise.all(streams.map((stream) => stream.event("rooms")));
    await ada.must("DELETE", `/tokens/${id}`);
    await ada.must("DELETE", "/session");
    for (const stream of streams) {
      await stream.until((reader) => reader.ended);
      expect(stream.bye).toBe("signed-out");
    }
    // Their bye came by the hint that the memory of callers hears as well.
    expect(await Promise.all(there.map(status))).toEqual([401, 401]);
  } finally {
    await other.close();
  }
});

test("nobody ends somebody else's token, nor its streams", async () => {
  const [ada, ben] = [await server.person("ada"), await server.person("ben")];
  const { id, token } = await ada.must("POST", "/tokens", { name: "script" });
  const program = ada.with(bearer(token));
  const stream = await program.stream();
  await stream.event("rooms");
  expect((await ben.call("DELETE", `/tokens/${id}`)).status).toBe(204);
  expect(await status(program)).toBe(200);
  await ada.openRoom();
  await stream.event("rooms", 2);
  expect(stream.ended).toBe(false);
  stream.close();
});

test("a session that has expired is none, also one that was believed a moment ago", async () => {
  const { sql } = server.database;
  const ada = await server.person("ada");
  const late = await ada.signInAgain();
  await sql`update sessions set expires_at = now() - interval '1 second' where user_id = ${ada.user.id}`;
  expect(await status(late)).toBe(401);

  await sql`update sessions set expires_at = clock_timestamp() + interval '0.5 second' where user_id = ${ada.user.id}`;
  await status(ada); // now it is remembered, unless this machine is very slow
  await sql`select pg_sleep(extract(epoch from max(expires_at) - clock_timestamp()) + 0.002)
              from sessions where user_id = ${ada.user.id}`;
  expect(await status(ada)).toBe(401);

  // The next sign-in sweeps them out.
  await ada.signInAgain();
  expect(await sql`select from sessions where user_id = ${ada.user.id}`).toHaveLength(1);
});

test("a bearer token counts, whatever the cookie says; what is none is refused", async () => {
  const [ada, ben] = [await server.person("ada"), await server.person("ben")];
  const { token } = await ada.must("POST", "/tokens", { name: "script" });
  const both = await ben.call("GET", "/session", undefined, bearer(token));
  expect(both.body).toEqual(ada.user);
  const secret = ben.headers.cookie?.split("=")[1] as string;
  for (const authorization of [
    "Bearer",
    "Bearer ",
    `Bearer ${token} ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.replace("foyer_", "")}`,
    `Bearer ${secret}`, // a session's secret is no token
    "bearer nonsense",
    `Bearer ${"x".repeat(5000)}`,
  ]) {
    const reply = await ben.call("GET", "/session", undefined, { authorization });
    expect(reply).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
    expect(reply.headers.get("www-authenticate")).toBe("Bearer");
  }
  expect(await status(ada.with({ authorization: `bearer   ${token}` }))).toBe(200);
  // Nor is a token a session's secret.
  expect(await status(ada.with({ cookie: `foyer_session=${token}` }))).toBe(401);
  // Another scheme is a proxy's business: the cookie decides.
  expect((await ben.call("GET", "/session", undefined, { authorization: "Basic YTpi" })).body).toEqual(
    ben.user,
  );
});

test("a cookie that is none is refused, never an error", async () => {
  const ada = await server.person("ada");
  const { cookie = "" } = ada.headers;
  for (const nonsense of [
    "",
    ";",
    "foyer_session",
    "foyer_session=",
    "foyer_session=%zz",
    "foyer_session=%00",
    "=; =; foyer_session=x",
    `other=${cookie}`,
    `__Host-${cookie}`, // not over plain http
    `${cookie}x`,
    `foyer_session="${"x".repeat(4000)}"`,
  ]) {
    expect([nonsense, await status(ada.with({ cookie: nonsense }))]).toEqual([nonsense, 401]);
  }
  expect(await status(ada.with({ cookie: `theme=dark; ${cookie}; x=%zz` }))).toBe(200);
});

test("signing out by a token ends nothing", async () => {
  const ada = await server.person("ada");
  const { token } = await ada.must("POST", "/tokens", { name: "script" });
  expect((await ada.with(bearer(token)).call("DELETE", "/session")).status).toBe(204);
  expect(await Promise.all([ada, ada.with(bearer(token))].map(status))).toEqual([200, 200]);
});

test("a new name is seen at once, by a session that was believed with the old one", async () => {
  const ada = await server.person("ada");
  expect(await status(ada)).toBe(200);
  await ada.must("PATCH", "/users/me", { name: "  Ada Lovelace " });
  expect(await ada.must("GET", "/session")).toEqual({ ...ada.user, name: "Ada Lovelace" });
});

test("at most so many take their turn at once, in order; who would wait too long is sent away", async () => {
  const turns = new Turns(2, 3);
  const started: number[] = [];
  const gates = Array.from({ length: 6 }, () => Promise.withResolvers<number>());
  const take = (i: number) =>
    turns.take(() => {
      started.push(i);
      return gates[i]?.promise as Promise<number>;
    });
  const [first, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map(take);
  await expect(take(5)).rejects.toMatchObject({ status: 503, code: "unavailable", extra: { retryAfter: 2 } });
  expect(started).toEqual([0, 1]);
  gates[1]?.resolve(1);
  expect(await second).toBe(1);
  expect(started).toEqual([0, 1, 2]);
  // A failure gives its turn on as well.
  gates[0]?.reject(new Error("broken"));
  await expect(first).rejects.toThrow("broken");
  gates[2]?.resolve(2);
  expect(await third).toBe(2);
  expect(started).toEqual([0, 1, 2, 3, 4]);
  gates[3]?.resolve(3);
  gates[4]?.resolve(4);
  expect(await Promise.all([fourth, fifth])).toEqual([3, 4]);
  // All have left: the next two need not wait.
  expect(await Promise.all([turns.take(async () => "a"), turns.take(async () => "b")])).toEqual(["a", "b"]);
});

test("a flood of sign-ins is answered, some with a 503 that says when to come back", async () => {
  const answers = await Promise.all(
    Array.from({ length: 150 }, () => post("/session", { handle: "nobody", password: "x" })),
  );
  const sent = Map.groupBy(answers, (answer) => answer.status);
  expect([...sent.keys()].sort()).toEqual([401, 503]);
  for (const answer of sent.get(503) ?? []) {
    expect(answer.headers.get("retry-after")).toBe("2");
    expect(await answer.json()).toMatchObject({ code: "unavailable" });
  }
  await server.person("afterwards");
}, 60_000); // a hundred hashes, two at a time
