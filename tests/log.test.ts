import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { type LogLevel, readConfig } from "../src/config.ts";
import { createLog } from "../src/log.ts";
import { type Server, startServer } from "../src/server.ts";
import { Client } from "./support/client.ts";
import { freshDatabase, type TestDatabase } from "./support/database.ts";

let database: TestDatabase;
let server: Server;
let api: string;
let log: Written;

/** A log that is read here. */
interface Written {
  /** Each line as it was written. */
  lines: string[];
  /** Waits for so many lines that say `msg` and of which something holds. @returns them */
  until(msg: string, count?: number, holds?: (line: any) => boolean): Promise<any[]>;
}

/** A server whose log is written into memory. */
async function start(level: LogLevel): Promise<{ server: Server; log: Written }> {
  const lines: string[] = [];
  let arrived = () => {};
  const destination = {
    write(line: string) {
      lines.push(line);
      arrived();
    },
  };
  const written: Written = {
    lines,
    async until(msg, count = 1, holds = () => true) {
      while (true) {
        const found = lines.map((line) => JSON.parse(line)).filter((line) => line.msg === msg && holds(line));
        if (found.length >= count) return found;
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
    },
  };
  const config = readConfig({ PORT: "0", LOG_LEVEL: level, STATEMENT_TIMEOUT: "1" });
  return { server: await startServer(config, database.target, createLog(level, destination)), log: written };
}

beforeAll(async () => {
  database = await freshDatabase();
  ({ server, log } = await start("trace"));
  api = `${server.url}/chat/api`;
});
afterAll(async () => {
  await server.stop();
  await database.drop();
});
beforeEach(() => {
  log.lines.length = 0;
});

test("a request is one line: method, path, status, milliseconds, and nothing else", async () => {
  const response = await fetch(`${api}/session/ways?q=ada`);
  expect(response.status).toBe(200);
  const [line] = await log.until("request");
  expect(line).toEqual({
    level: 30,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    msg: "request",
    method: "GET",
    path: "/chat/api/session/ways",
    status: 200,
    ms: expect.any(Number),
  });
  expect(line.ms).toBeGreaterThan(0);
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]).toEndWith("}\n");
});

test("of who was refused the line tells the address, and why", async () => {
  const answers = [
    await fetch(`${api}/users?q=ada`),
    await fetch(`${api}/session`, { headers: { origin: "https://evil.example" } }),
  ];
  const lines = await log.until("request", 2);
  expect(answers.map(({ status }) => status)).toEqual([401, 403]);
  expect(lines.map(({ code, address }: any) => [code, address])).toEqual([
    ["unauthenticated", "127.0.0.1"],
    ["bad-origin", "127.0.0.1"],
  ]);
});

test("the status is the one that the client got", async () => {
  const ada = await Client.signUp(api, "ada");
  await log.until("request"); // written once the response is sent
  const json = { ...ada.headers, "content-type": "application/json" };
  const requests: [method: string, path: string, status: number, init?: RequestInit][] = [
    ["GET", "/chat/api/session", 200, { headers: ada.headers }],
    ["POST", "/chat/api/tokens", 201, { headers: json, body: '{"name":"x"}' }],
    ["DELETE", "/chat/api/tokens/1", 204, { headers: ada.headers }],
    ["POST", "/chat/api/tokens", 400, { headers: json, body: "{" }],
    ["GET", "/chat/api/session", 401],
    ["GET", "/chat/api/session", 403, { headers: { origin: "https://evil.example" } }],
    ["GET", "/chat/api/rooms/1", 404, { headers: ada.headers }],
    ["GET", "/chat/api/nowhere", 404],
    ["GET", "/nowhere", 404],
    ["GET", "/", 200],
    [
      "POST",
      "/chat/api/users",
      409,
      { headers: json, body: '{"handle":"ada","name":"a","password":"12345678"}' },
    ],
    ["POST", "/chat/api/tokens", 413, { headers: json, body: "x".repeat(65_537) }],
    ["POST", "/chat/api/tokens", 415, { headers: ada.headers, body: "x" }],
    ["POST", "/chat/api/tokens", 422, { headers: json, body: "{}" }],
    ["GET", "/docs", 200],
    ["GET", "/health/ready", 200],
  ];
  for (const [method, path, status, init] of requests) {
    log.lines.length = 0;
    const response = await fetch(server.url + path, { method, ...init });
    await response.arrayBuffer();
    const [line] = await log.until("request");
    expect(line).toMatchObject({ method, path, status });
    expect(response.status).toBe(status);
    expect(log.lines).toHaveLength(1);
  }
});

test("a stream is a line when it is asked for, one when it opens and one when it closes", async () => {
  const ada = await Client.signUp(api, "streamer");
  await log.until("request");
  log.lines.length = 0;
  const stream = await ada.stream();
  await stream.event("rooms");
  const [opened] = await log.until("stream opened");
  expect(opened).toMatchObject({ user: ada.user.id, resumed: false });
  stream.close();
  const [closed] = await log.until("stream closed");
  expect(closed).toMatchObject({ user: ada.user.id, seconds: expect.any(Number) });
  const [line] = await log.until("request");
  expect(line).toMatchObject({ path: "/chat/api/stream/rooms", status: 200 });
  expect(log.lines).toHaveLength(3);
});

test("no secret, query, name or text is ever in the log, whatever happens", async () => {
  const secrets = {
    password: "s3cret-password",
    next: "s3cret-next-password",
    wrong: "s3cret-wrong-password",
    text: "s3cret-text",
    query: "s3cret-query",
    name: "s3cret-name",
    clientId: "s3cret-client-id",
  };
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(api + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  await post("/users", { handle: "keeper", name: secrets.name, password: secrets.password });
  await post("/session", { handle: "keeper", password: secrets.wrong });
  const signIn = await post("/session", { handle: "keeper", password: secrets.password });
  const cookie = signIn.headers.getSetCookie()[0]?.split(";")[0] as string;
  const session = { cookie };
  const { token } = await (await post("/tokens", { name: secrets.name }, session)).json();
  const all = { ...secrets, cookie: cookie.split("=")[1] as string, token };
  const program = { authorization: `Bearer ${token}` };

  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = session) =>
    fetch(api + path, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  const room = await (await call("POST", "/rooms", { kind: "open", name: secrets.name })).json();
  const messages = `/rooms/${room.id}/messages`;
  const message = { body: secrets.text, clientId: secrets.clientId };
  await call("PUT", "/session/password", { current: secrets.wrong, next: secrets.next });
  await call("PUT", "/session/password", { current: secrets.password, next: secrets.next });
  await call("POST", messages, message, program);
  await call("POST", messages, message);
  await call("PATCH", `${messages}/1`, { body: `${secrets.text} 2` });
  await call("GET", `/users?q=${secrets.query}`);
  await call("GET", `/users?q=${secrets.query}%00`);
  await call("GET", `/rooms?since=${secrets.query}&limit=${secrets.query}`);
  await call("GET", `/nowhere?q=${secrets.query}`);
  await call("GET", "/session", undefined, { authorization: `Bearer ${token}x` });
  await call("GET", "/session", undefined, { authorization: `Nonsense ${token}` });
  await call("POST", messages, { body: { text: secrets.text } });
  await post(messages, `{"body":"${secrets.text}`, session);
  await call("POST", messages, { body: secrets.text, replyTo: 77 });
  const stream = await fetch(`${api}/stream/rooms?cursor=${secrets.query}`, { headers: session });
  await stream.body?.cancel();
  await log.until("stream closed");

  // Faults of the database whose messages quote the row, or what was sent.
  const { sql } = database;
  await sql.unsafe(`
    create function refuse() returns trigger language plpgsql as $$
    begin
      if new.body like '%cast' then perform new.body::bigint; end if;
      if new.body like '%slow' then perform pg_sleep(10); end if;
      return new;
    end $$;
    create trigger refuse before insert on messages for each row execute function refuse();
    alter table messages add check (body not like '%check')`);
  const faults = ["cast", "slow", "check"];
  const statuses = [];
  for (const fault of faults) {
    statuses.push((await call("POST", messages, { body: `${secrets.text} ${fault}` })).status);
  }
  expect(statuses).toEqual([500, 503, 500]);
  await sql.unsafe("alter table messages drop column body cascade");
  expect((await call("POST", messages, { body: secrets.text })).status).toBe(500);
  await call("DELETE", "/session");

  const failed = await log.until("request failed", 3);
  // They say where, and what kind of fault.
  expect(failed.map((line) => line.code)).toEqual(["22P02", "23514", "42703"]);
  for (const line of failed) {
    expect(line).toMatchObject({ level: 50, method: "POST", path: `/chat/api${messages}` });
    expect(line.stack).toContain("PostgresError");
  }
  const [unavailable] = await log.until("the database did not answer");
  expect(unavailable).toMatchObject({ level: 40, code: "57014" });
  expect(await log.until("request", 4, (line) => line.status >= 500)).toHaveLength(4);
  await log.until("request", 1, (line) => line.method === "DELETE");

  const everything = log.lines.join("");
  for (const [what, secret] of Object.entries(all)) {
    expect(secret.length).toBeGreaterThan(8);
    expect({ what, found: log.lines.filter((line) => line.includes(secret)) }).toEqual({ what, found: [] });
  }
  expect(everything).not.toContain("s3cret");
  for (const header of ["cookie", "authorization", "Bearer"]) expect(everything).not.toContain(header);
});

test("a proxy that is not trusted is told of once", async () => {
  for (let i = 0; i < 3; i++) {
    await fetch(`${server.url}/health/live`, { headers: { "x-forwarded-for": "203.0.113.7" } });
  }
  await log.until("request", 3);
  const told = log.lines.map((line) => JSON.parse(line)).filter(({ msg }) => /TRUST_PROXY/.test(msg));
  expect(told).toEqual([
    {
      level: 40,
      time: expect.any(String),
      msg: "a request has X-Forwarded-For, but TRUST_PROXY is 0: all who come by a proxy count as one address",
    },
  ]);
});

test("at warn, requests are not logged; what fails is", async () => {
  const quiet = await start("warn");
  try {
    const there = `${quiet.server.url}/chat/api`;
    expect((await fetch(`${there}/session`)).status).toBe(401);
    await database.sql`alter table users rename to hidden`;
    const answer = await fetch(`${there}/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ handle: "ada", password: "x" }),
    });
    expect(answer.status).toBe(500);
    const [line] = await quiet.log.until("request failed");
    expect(line).toMatchObject({ level: 50, code: "42P01", path: "/chat/api/session" });
    expect(quiet.log.lines).toHaveLength(1);
  } finally {
    await database.sql`alter table hidden rename to users`;
    await quiet.server.stop();
  }
});
