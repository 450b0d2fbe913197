import { afterAll, afterEach, expect, test } from "bun:test";
import { createApp, type Parts } from "../src/app.ts";
import { readConfig } from "../src/config.ts";
import type { Sql } from "../src/db/client.ts";
import { withoutSlash } from "../src/docs/document.ts";
import { healthRoutes } from "../src/health.ts";
import { RATE_NAMES, type RateName, ROUTE_RATES, settingOf } from "../src/limits/rates.ts";
import { Seats } from "../src/limits/seats.ts";
import { answer, answers } from "./support/answer.ts";
import { Client, type Reply } from "./support/client.ts";
import { freshDatabase } from "./support/database.ts";
import { eventually } from "./support/eventually.ts";
import { RawStream } from "./support/raw.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { askedFor, handshake } from "./support/socket.ts";

const database = await freshDatabase();
const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => database.drop());

/** A server with limits, which come back so slowly that a test sees none of it. */
async function limited(settings: Record<string, string> = {}): Promise<TestServer> {
  const server = await testServer({ LIMITS: "on", ...settings }, database);
  servers.push(server);
  return server;
}

/** An address, as a proxy tells it. */
const via = (address: string) => ({ "x-forwarded-for": address });

/** Signs in; without a session of one's own. */
const signIn = (server: TestServer, handle: string, password: string, headers: Record<string, string> = {}) =>
  request(server, "POST", "/session", { handle, password }, headers);

async function request(
  server: TestServer,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply<any>> {
  const response = await fetch(server.api + path, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? null : JSON.parse(text),
  };
}

/** Holds a refusal to its form. */
function expectRefusal({ status, headers, body }: Reply<any>, name: string, quota: number, window: number) {
  expect({ status, type: headers.get("content-type"), code: body.code }).toEqual({
    status: 429,
    type: "application/problem+json",
    code: "rate-limited",
  });
  const wait = Number(headers.get("retry-after"));
  expect(wait).toBeGreaterThanOrEqual(1);
  expect(wait).toBeLessThanOrEqual(window);
  expect(body.detail).toContain(`${wait} s`);
  expect(headers.get("ratelimit-policy")).toBe(`"${name}";q=${quota};w=${window}`);
  const [, left, reset] = /^"([^"]+)";r=0;t=(\d+)$/.exec(headers.get("ratelimit") ?? "") ?? [];
  expect(left).toBe(name);
  expect(Number(reset)).toBeGreaterThanOrEqual(wait); // never earlier than Retry-After
  expect(headers.get("cache-control")).toBe("no-store");
}

const RIGHT = Client.password;
const WRONG = "not the password";

test("sends are counted for the account, over all its rooms and however it is known", async () => {
  const server = await limited({ LIMIT_SEND: "3+1/h" });
  const [ada, ben] = [await server.person("ada"), await server.person("ben")];
  const [one, two] = [await ada.openRoom("one", [ben]), await ada.openRoom("two", [ben])];
  const { token } = await ada.must("POST", "/tokens", { name: "script" });
  const program = ada.with({ authorization: `Bearer ${token}` });
  const send = (who: Client, roomId: number) =>
    who.call("POST", `/rooms/${roomId}/messages`, { body: "hello" });

  const first = await send(ada, one.id);
  expect(first.status).toBe(201);
  expect(first.headers.get("ratelimit-policy")).toBe('"send";q=3;w=10800');
  expect(first.headers.get("ratelimit")).toBe('"send";r=2;t=3600');
  expect((await send(program, two.id)).status).toBe(201);
  expect((await send(await ada.signInAgain(), two.id)).status).toBe(201);
  for (const who of [ada, program]) {
    for (const room of [one, two]) expectRefusal(await send(who, room.id), "send", 3, 10_800);
  }
  expect((await ada.page(two.id)).messages.filter(({ kind }) => kind === "text")).toHaveLength(2);
  expect((await send(ben, one.id)).status).toBe(201);
  expect((await ada.call("GET", "/rooms")).status).toBe(200); // and the rest goes on
});

test("every limit of a route holds on that route, and only there", async () => {
  const counted: RateName[] = [...new Set(Object.values(ROUTE_RATES))];
  const server = await limited({
    LIMIT_SIGN_UP: "off",
    ...Object.fromEntries(counted.map((name) => [settingOf(name), "1+1/h"])),
  });
  for (const [route, name] of Object.entries(ROUTE_RATES)) {
    const who = await server.person("route");
    const [method = "", path = ""] = route.split(" ");
    const filled = path.slice("/chat/api".length).replace(":emoji", encodeURIComponent("👍"));
    const call = () => who.call(method, `${filled.replaceAll(/:\w+/g, "1")}?q=x`, undefined);
    const first = await call();
    expect({ route, limited: first.status === 429 }).toEqual({ route, limited: false });
    const second = await call();
    expect({ route, status: second.status }).toEqual({ route, status: 429 });
    expectRefusal(second, name, 1, 3600);
    // A slash at the end, or asking for the headers alone, is no way around.
    if (method === "GET") {
      const head = await fetch(`${server.api}${filled}?q=x`, { method: "HEAD", headers: who.headers });
      expect({ route, head: head.status }).toEqual({ route, head: 429 });
    }
    const [other = ""] = Object.entries(ROUTE_RATES).find(([, other]) => other !== name) ?? [];
    const [otherMethod = "", otherPath = ""] = other.split(" ");
    const elsewhere = otherPath.slice("/chat/api".length).replaceAll(/:\w+/g, "1");
    expect((await who.call(otherMethod, elsewhere)).status).not.toBe(429);
  }
});

test("every route that has a limit is a route", () => {
  const app = createApp({ config: readConfig({}), db: {} } as Parts);
  const routes = app.routes.map(({ method, path }) => `${method} ${withoutSlash(path)}`);
  expect(routes).toEqual(expect.arrayContaining(Object.keys(ROUTE_RATES)));
});

test("everything else that an account asks is counted too, once for all its sessions and tokens", async () => {
  const server = await limited({ LIMIT_ACCOUNT: "4+1/h" });
  const ada = await server.person("ada");
  const { token } = await ada.must("POST", "/tokens", { name: "script" });
  const program = ada.with({ authorization: `Bearer ${token}` });
  expect((await program.call("GET", "/rooms")).status).toBe(200);
  expect((await ada.call("GET", "/users/me")).status).toBe(200);
  expect((await ada.call("GET", "/rooms/987654")).status).toBe(404);
  expectRefusal(await ada.call("GET", "/session"), "account", 4, 14_400);
  expectRefusal(await program.call("PUT", "/rooms/read"), "account", 4, 14_400);
  expect(await askedFor(server.api, ada.headers)).toBe("429 rate-limited");
  await expect(ada.stream()).rejects.toMatchObject({ status: 429 });
  await (await server.person("ben")).list(); // others go on
});

test("every request is counted for its address, known or not, wherever it goes; health checks are free", async () => {
  const server = await limited({ LIMIT_ADDRESS: "6+1/h" });
  const ada = await server.person("ada");
  const paths = ["/", "/docs", "/chat/api/session", "/nowhere", "/chat/api/nowhere"];
  for (const path of paths) expect((await fetch(server.url + path)).status).not.toBe(429);
  for (const path of paths) expect((await fetch(server.url + path)).status).toBe(429);
  expectRefusal(await ada.call("GET", "/rooms"), "address", 6, 21_600);
  expectRefusal(await signIn(server, ada.user.handle, RIGHT), "address", 6, 21_600);
  expect(await askedFor(server.api, ada.headers)).toBe("429 rate-limited");
  // No header of a client's makes another one of it.
  for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip"]) {
    expect((await ada.call("GET", "/rooms", undefined, { [name]: "203.0.113.7" })).status).toBe(429);
  }
  for (const path of ["/health/live", "/health/ready"]) {
    expect((await fetch(server.url + path)).status).toBe(200);
  }
});

test("no path makes a health check of what is none, however short the name of the host", async () => {
  const server = await limited({ LIMIT_ADDRESS: "1+1/h" });
  await fetch(`${server.url}/nowhere`);
  for (const host of ["a", "abc", "localhost"]) {
    for (const path of ["/health/chat/api/session/ways", "/health/live/chat/api/session/ways", "/health/"]) {
      const raw = await RawStream.say(server.url, `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      await raw.until(() => raw.text.includes("\r\n\r\n"));
      expect(raw.text).toStartWith("HTTP/1.1 429 ");
      raw.vanish(false);
    }
  }
});

test("however many ask whether the server is ready, one statement at a time asks the database", async () => {
  let statements = 0;
  const counted = ((...args: Parameters<Sql>) => {
    statements++;
    return database.sql(...args);
  }) as Sql;
  const health = healthRoutes({ sql: counted, draining: () => false });
  const ask = async () => (await health.handle(new Request("http://localhost/health/ready"))).status;
  expect(await Promise.all(Array.from({ length: 50 }, ask))).toEqual(Array(50).fill(200));
  expect(statements).toBe(1);
  await ask();
  expect(statements).toBe(2);
});

test("who is refused before the body was read may go on by the same connection, and the body is no request", async () => {
  const server = await limited({ LIMIT_ADDRESS: "1+1/h" });
  await fetch(server.url);
  const hidden = "GET /chat/api/session HTTP/1.1\r\nhost: x\r\n\r\n";
  const head = `POST /chat/api/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${hidden.length + 1}\r\n\r\n`;
  const raw = await RawStream.say(server.url, `${head}{`);
  await raw.until(() => raw.text.includes("rate-limited"));
  raw.socket.write(`${hidden}GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n`);
  await raw.until(() => raw.text.includes('"live"'));
  expect(raw.text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 429", "HTTP/1.1 200"]);
  raw.vanish(false);
});

test("behind trusted proxies the address is what the outermost of them saw", async () => {
  const server = await limited({ TRUST_PROXY: "2", LIMIT_ADDRESS: "2+1/h" });
  const from = (forwarded: string) => answer(request(server, "GET", "/session", undefined, via(forwarded)));
  const passes = "401 unauthenticated";
  const refused = "429 rate-limited";
  expect(await from("203.0.113.1, 192.0.2.1")).toBe(passes);
  expect(await from("203.0.113.1:5555, 192.0.2.2")).toBe(passes);
  expect(await from("203.0.113.1, 192.0.2.1")).toBe(refused);
  expect(await from("8.8.8.8, 203.0.113.1, 192.0.2.1")).toBe(refused); // made up
  expect(await from("203.0.113.2, 192.0.2.1")).toBe(passes);
  // A home has a whole /64.
  expect(await from("2001:db8:1:1::1, 192.0.2.1")).toBe(passes);
  expect(await from("2001:db8:1:1:ffff::2, 192.0.2.1")).toBe(passes);
  expect(await from("2001:db8:1:1::3, 192.0.2.1")).toBe(refused);
  expect(await from("2001:db8:1:2::3, 192.0.2.1")).toBe(passes);
  // What cannot be read counts for the connection.
  expect(await from("unknown, 192.0.2.1")).toBe(passes);
  expect(await from("192.0.2.1")).toBe(passes);
  expect(await from("nonsense, 192.0.2.9")).toBe(refused);
});

test("ten wrong passwords for a handle from an address, and no more is looked at; known or not", async () => {
  const server = await limited({ TRUST_PROXY: "1", LIMIT_SIGN_IN: "10+1/h" });
  const ada = await server.person("ada");
  const seen: Record<string, string[]> = {};
  for (const handle of [ada.user.handle, "nobody.at.all", "Not a handle!", "x".repeat(200)]) {
    const said = [];
    for (let i = 0; i < 12; i++) {
      const { status, headers, body } = await signIn(server, handle, WRONG, via("203.0.113.1"));
      said.push(
        `${status} ${headers.get("ratelimit-policy")} ${JSON.stringify(body)}`.replace(/\d+ s\./, "N s."),
      );
    }
    expect(said.map((line) => line.slice(0, 3))).toEqual([...Array(10).fill("401"), "429", "429"]);
    seen[handle] = said;
  }
  const [first, ...others] = Object.values(seen);
  for (const other of others) expect(other).toEqual(first as string[]);

  const { handle } = ada.user;
  expectRefusal(await signIn(server, handle, RIGHT, via("203.0.113.1")), "sign-in", 10, 36_000);
  // The owner elsewhere is not locked out.
  expect((await signIn(server, handle, RIGHT, via("203.0.113.2"))).status).toBe(200);
  expect((await signIn(server, handle, WRONG, via("203.0.113.2"))).status).toBe(401);
}, 20_000);

test("of many wrong passwords at once no more are tried than of as many in turn", async () => {
  const server = await limited({ LIMIT_SIGN_IN: "10+1/h" });
  const { user } = await server.person("ada");
  const tries = Array.from({ length: 300 }, () => signIn(server, user.handle, WRONG));
  // Nobody waited for a hash who was not to have one: that would have been a 503 for some.
  expect(await answers(tries)).toEqual({ "401 bad-credentials": 10, "429 rate-limited": 290 });
}, 20_000);

test("right passwords do not count, also many at once", async () => {
  const server = await limited({ LIMIT_SIGN_IN: "2+1/h", LIMIT_SIGN_IN_ADDRESS: "3+1/h" });
  const ada = await server.person("ada");
  for (let i = 0; i < 5; i++) expect((await signIn(server, ada.user.handle, RIGHT)).status).toBe(200);
  const atOnce = Array.from({ length: 20 }, () => signIn(server, ada.user.handle, RIGHT));
  expect(await answers(atOnce)).toEqual({ 200: 20 });
  expect((await signIn(server, ada.user.handle, WRONG)).status).toBe(401);
  expect((await signIn(server, ada.user.handle, RIGHT)).status).toBe(200);
  expect((await signIn(server, ada.user.handle, WRONG)).status).toBe(401);
  expect((await signIn(server, ada.user.handle, RIGHT)).status).toBe(429);
}, 20_000);

test("the right password of somebody who may not sign in counts as a wrong one does", async () => {
  const server = await limited({ LIMIT_SIGN_IN: "2+1/h" });
  const { user } = await server.person("ada");
  await server.database.sql`update users set deactivated_at = now() where id = ${user.id}`;
  for (let i = 0; i < 2; i++) expect((await signIn(server, user.handle, RIGHT)).status).toBe(401);
  expect((await signIn(server, user.handle, RIGHT)).status).toBe(429);
});

test("what administrators do counts for their accounts; for others there is still nothing there", async () => {
  const server = await limited({ LIMIT_ACCOUNT: "2+1/h" });
  const [ada, ben] = [await server.person("ada"), await server.person("ben")];
  await server.database.sql`update users set administrator = true where id = ${ada.user.id}`;
  for (let i = 0; i < 2; i++) expect((await ada.call("GET", "/admin/users")).status).toBe(200);
  expectRefusal(await ada.call("GET", "/admin/users"), "account", 2, 7_200);
  for (let i = 0; i < 4; i++) expect(await answer(ben.call("GET", "/admin/users"))).toBe("404 not-found");
});

test("the current password is guessed at by the same count as at the sign-in", async () => {
  const server = await limited({ LIMIT_SIGN_IN: "3+1/h" });
  const ada = await server.person("ada");
  const change = (current: string) => ada.call("PUT", "/session/password", { current, next: "another one" });
  expect(await answer(change(WRONG))).toBe("401 bad-credentials");
  expect(await answer(signIn(server, ada.user.handle, WRONG))).toBe("401 bad-credentials");
  expect(await answer(change(WRONG))).toBe("401 bad-credentials");
  expectRefusal(await change(RIGHT), "sign-in", 3, 10_800);
  expectRefusal(await signIn(server, ada.user.handle, RIGHT), "sign-in", 3, 10_800);
  await ada.list(); // the session goes on
});

test("an address has so many wrong passwords in all, whatever the handles", async () => {
  const server = await limited({ TRUST_PROXY: "1", LIMIT_SIGN_IN_ADDRESS: "5+1/h" });
  const ada = await server.person("ada");
  for (let i = 0; i < 5; i++) {
    expect((await signIn(server, `sprayed${i}`, WRONG, via("203.0.113.9"))).status).toBe(401);
  }
  expectRefusal(await signIn(server, "sprayed9", WRONG, via("203.0.113.9")), "sign-in-address", 5, 18_000);
  expect((await signIn(server, ada.user.handle, RIGHT, via("203.0.113.8"))).status).toBe(200);
});

test("a crowd that guesses at one handle is stopped, and does not keep its owner from where they have signed in before", async () => {
  const server = await limited({ TRUST_PROXY: "1", LIMIT_SIGN_IN_ACCOUNT: "6+1/h" });
  const ada = await server.person("ada"); // from the connection's own address
  const { handle } = ada.user;
  expect((await signIn(server, handle, RIGHT, via("198.51.100.1"))).status).toBe(200);
  for (const name of [handle, "nobody.either"]) {
    for (let i = 0; i < 6; i++) {
      expect((await signIn(server, name, WRONG, via(`203.0.113.${i}`))).status).toBe(401);
    }
    expectRefusal(await signIn(server, name, WRONG, via("203.0.113.77")), "sign-in-account", 6, 21_600);
  }
  expect((await signIn(server, handle, RIGHT, via("203.0.113.78"))).status).toBe(429); // new: they must wait
  expect((await signIn(server, handle, RIGHT, via("198.51.100.1"))).status).toBe(200);
  expect((await signIn(server, handle, RIGHT)).status).toBe(200); // where they signed up
  expect((await signIn(server, handle, WRONG, via("198.51.100.1"))).status).toBe(401);
});

test("an address makes so many accounts, or tries to", async () => {
  const server = await limited({ TRUST_PROXY: "1", LIMIT_SIGN_UP: "3+1/h" });
  const signUp = (handle: string, address: string) =>
    request(server, "POST", "/users", { handle, name: "x", password: RIGHT }, via(address));
  expect((await signUp("first.one", "203.0.113.1")).status).toBe(201);
  expect((await signUp("first.one", "203.0.113.1")).status).toBe(409);
  expect((await signUp("second.one", "203.0.113.1")).status).toBe(201);
  expectRefusal(await signUp("third.one", "203.0.113.1"), "sign-up", 3, 10_800);
  expect((await signUp("third.one", "203.0.113.2")).status).toBe(201);
});

test("LIMITS=off lifts every rate limit and what a person may have open, not what the server takes", async () => {
  const least = Object.fromEntries(RATE_NAMES.map((name) => [settingOf(name), "1+1/h"]));
  const server = await limited({ ...least, LIMITS: "off", LIMIT_STREAMS: "1", MAX_STREAMS: "3" });
  const [ada, ben] = [await server.person("ada"), await server.person("ben")];
  const room = await ada.openRoom("room");
  for (let i = 0; i < 5; i++) {
    await ada.send(room.id);
    expect((await signIn(server, ada.user.handle, WRONG)).status).toBe(401);
  }
  const streams = [await ada.stream(), await ada.stream(), await ben.stream()];
  await expect(ada.stream()).rejects.toMatchObject({ status: 503 });
  for (const stream of streams) stream.close();
});

test("a person has so many streams and sockets open together; others are not concerned", async () => {
  const server = await limited({ LIMIT_STREAMS: "3" });
  const [ada, ben] = [await server.person("ada"), await server.person("ben")];
  const room = await ada.openRoom("room");
  const [list, , socket] = [await ada.stream(), await ada.watch(room.id), await ada.socket()];
  for (const path of ["/stream/rooms", `/stream/rooms/${room.id}`]) {
    const { status, headers, body } = await ada.call("GET", path);
    expect([status, body.code]).toEqual([429, "rate-limited"]);
    expect(headers.get("retry-after")).toBe("5");
    expect(headers.get("ratelimit-policy")).toBe('"streams";q=3;qu="concurrent-requests"');
    expect(headers.get("ratelimit")).toBe('"streams";r=0');
  }
  expect(await askedFor(server.api, ada.headers)).toBe("429 rate-limited");
  await ben.stream();

  list.close();
  await until(server, 3);
  await ada.stream();
  await expect(ada.stream()).rejects.toMatchObject({ status: 429 });
  await socket.close();
  await until(server, 3);
  await (await ada.socket()).close();
});

test("a seat that is left twice is left once", () => {
  const seats = new Seats(2, 3);
  const leave = seats.take(1);
  seats.take(1);
  expect(() => seats.take(1)).toThrow("2 streams");
  leave();
  leave();
  expect(seats.taken).toBe(1);
  seats.take(1);
  expect(() => seats.take(1)).toThrow("2 streams");
  seats.take(2);
  expect(() => seats.take(2)).toThrow("this server");
});

test("when all seats are taken a stream is refused with 503 and Retry-After, at once", async () => {
  const server = await limited({ MAX_STREAMS: "2" });
  const people = [await server.person(), await server.person(), await server.person()] as const;
  const [first] = [await people[0].stream(), await people[1].socket()];
  const { status, headers, body } = await people[2].call("GET", "/stream/rooms");
  expect([status, body.code, headers.get("retry-after")]).toEqual([503, "unavailable", "5"]);
  expect(await askedFor(server.api, people[2].headers)).toBe("503 unavailable");
  expect((await people[2].call("GET", "/rooms")).status).toBe(200);
  first.close();
  await until(server, 1);
  await people[2].stream();
});

test("seats are counted exactly: of clients that vanish, that are refused, and that ask for something else", async () => {
  const server = await limited({ LIMIT_STREAMS: "20", LIMIT_ACCOUNT: "off", LIMIT_ADDRESS: "off" });
  const [ada, ben] = [await server.person("ada"), await server.person("ben")];
  const closed = await ben.must("POST", "/rooms", { kind: "closed", name: "closed" });
  for (let round = 0; round < 5; round++) {
    const raw = [];
    for (let i = 0; i < 20; i++) {
      raw.push(
        i % 2 === 0
          ? await RawStream.open(`${server.api}/stream/rooms`, ada.headers)
          : await handshake(server.api, ada.headers),
      );
      if (i % 5 > 2) raw[i]?.vanish(i % 2 === 0); // before it can have been answered
    }
    for (const [i, stream] of raw.entries()) {
      if (i % 5 <= 2) await stream.until(() => /^HTTP\/1.1 (200|101)/.test(stream.text));
    }
    expect(server.limits.seats.taken).toBeLessThanOrEqual(20);
    for (const [i, stream] of raw.entries()) stream.vanish(i % 3 === 0);
    await until(server, 0);
  }
  for (let i = 0; i < 30; i++) {
    expect((await ada.call("GET", `/stream/rooms/${closed.id}`)).status).toBe(404);
    expect((await ada.call("GET", "/ws")).status).toBe(426);
    expect((await fetch(`${server.api}/stream/rooms`, { method: "HEAD", headers: ada.headers })).status).toBe(
      200,
    );
    expect((await request(server, "GET", "/stream/rooms")).status).toBe(401);
  }
  expect(server.limits.seats.taken).toBe(0);
  const streams = await Promise.all(Array.from({ length: 20 }, () => ada.stream()));
  await expect(ada.stream()).rejects.toMatchObject({ status: 429 });
  // The end of a session leaves them all.
  await ada.must("DELETE", "/session");
  for (const stream of streams) await stream.until(() => stream.ended);
  await until(server, 0);
}, 60_000);

test("frames of a socket are counted; what is refused says how long to wait, and the socket lives on", async () => {
  const server = await limited({ LIMIT_FRAME: "4+1/h", LIMIT_TYPING: "2+1/h" });
  const ada = await server.person("ada");
  const room = await ada.openRoom("room");
  const socket = await ada.socket();
  socket.send({ subscribe: "rooms" });
  socket.send({ typing: room.id });
  expect(await answer(ada.call("POST", `/rooms/${room.id}/typing`))).toBe("204");
  socket.send({ typing: room.id });
  const typing = await socket.event("error");
  expect(typing).toMatchObject({ re: { typing: room.id }, data: { status: 429, code: "rate-limited" } });
  expect(await answer(ada.call("POST", `/rooms/${room.id}/typing`))).toBe("429 rate-limited");
  socket.send("nonsense");
  expect((await socket.event("error", 2)).data.code).toBe("bad-json");
  socket.send({ subscribe: "room", id: room.id });
  const refused = await socket.event("error", 3);
  expect(refused).toMatchObject({ re: { subscribe: "room", id: room.id }, data: { code: "rate-limited" } });
  expect(refused.data.retryAfter).toBeGreaterThan(0);
  // Another socket of the same person is no way around, and what is open goes on.
  const second = await ada.socket();
  second.send({ subscribe: "rooms" });
  expect((await second.event("error")).data.code).toBe("rate-limited");
  await ada.send(room.id, "still here");
  await socket.until(() => socket.rooms.get(room.id)?.lastMessage?.body === "still here");
});

test("by default a socket takes all the rooms it may have at once, four times over", async () => {
  const server = await limited();
  const ada = await server.person("ada");
  for (let i = 0; i < 4; i++) {
    const socket = await ada.socket();
    for (let id = 1; id <= 500; id++) socket.send({ unsubscribe: "room", id });
    socket.send({ subscribe: "rooms" });
    await socket.event("rooms");
    expect(socket.of("error")).toEqual([]);
    await socket.close();
  }
});

test("a body that does not arrive in its time is answered 408 and cut, however it drips", async () => {
  const server = await limited({ BODY_TIMEOUT: "1" });
  const ada = await server.person("ada");
  const head = (path: string, more: string) =>
    `POST /chat/api${path} HTTP/1.1\r\nhost: x\r\ncookie: ${ada.headers.cookie}\r\ncontent-type: application/json\r\n${more}\r\n\r\n`;
  const requests: [string, string][] = [
    [`${head("/tokens", "content-length: 1000")}{`, " "],
    [`${head("/tokens", "content-length: 1000")}`, ""],
    [`${head("/tokens", "transfer-encoding: chunked")}`, "1\r\n \r\n"],
    [`${head("/session", "content-length: 60000")}{`, " "],
  ];
  const open = requests.map(async ([text, drop]) => {
    const slow = await RawStream.say(server.url, text);
    const drip = setInterval(() => drop !== "" && slow.socket.write(drop), 50);
    await slow.until(() => slow.closed);
    clearInterval(drip);
    expect(slow.text).toStartWith("HTTP/1.1 408 ");
    expect(slow.text.match(/HTTP\/1.1/g)).toHaveLength(1); // what followed is no other request
    expect(slow.text).toContain('"code":"request-timeout"');
    expect(slow.text.toLowerCase()).toContain("connection: close");
  });
  await Promise.all(open);
  expect((await ada.call("POST", "/tokens", { name: "x" })).status).toBe(201);
});

test("a request whose head does not come to an end is cut, however it drips", async () => {
  const server = await limited({ IDLE_TIMEOUT: "2", PING_INTERVAL: "1", STATEMENT_TIMEOUT: "1" });
  const heads: [string, string][] = [
    ["", ""],
    ["GET / HTTP/1.1\r\nhost: x\r\n", "a: b\r\n"],
    ["GET /", "x"],
    // On a connection that has served one already.
    ["GET /health/live HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n", "a: b\r\n"],
  ];
  await Promise.all(
    heads.map(async ([text, drop]) => {
      const slow = await RawStream.say(server.url, text);
      const drip = setInterval(() => drop !== "" && slow.socket.write(drop), 200);
      await slow.until(() => slow.closed);
      clearInterval(drip);
    }),
  );
}, 30_000);

/** Waits until so many seats are taken. */
async function until(server: TestServer, taken: number): Promise<void> {
  await eventually(() => server.limits.seats.taken === taken, `${taken} seats are taken`);
}
