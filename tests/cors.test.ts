import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { fill, type Operation, operationsOf } from "./support/operations.ts";
import { type TestServer, testServer } from "./support/server.ts";

const FRIENDS = ["https://app.example.com", "http://localhost:5173"];
const STRANGERS = [
  "https://evil.example",
  "https://app.example.com.evil.example",
  "http://app.example.com",
  "https://app.example.com:8443",
  "https://APP.example.com",
  "https://app.example.com/",
  "null",
  "*",
  "",
];

let server: TestServer;
let ada: Client;
let roomId: number;
let operations: Operation[];

beforeAll(async () => {
  server = await testServer({ ALLOWED_ORIGINS: FRIENDS.join(" "), LIMITS: "off" });
  ada = await server.person("ada");
  ({ id: roomId } = await ada.openRoom("general"));
  operations = await operationsOf(server.url);
});
afterAll(() => server.close());

/** The headers of an answer; what comes after them is not waited for. */
async function headersOf(method: string, path: string, headers: Record<string, string>) {
  const abort = new AbortController();
  const response = await fetch(server.url + path, { method, headers, signal: abort.signal });
  const told = Object.fromEntries(
    [...response.headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"),
  );
  abort.abort();
  return { status: response.status, told };
}

const reads = () =>
  operations.filter(({ method, path }) => method === "GET" && path.startsWith("/chat/api/"));
const filled = (path: string) => fill(path, { id: roomId });

test("an origin of ALLOWED_ORIGINS may read every answer, streams and errors too; it is named, and nobody else", async () => {
  for (const { path } of reads()) {
    for (const origin of FRIENDS) {
      for (const who of [ada.headers, {}]) {
        expect([path, (await headersOf("GET", filled(path), { ...who, origin })).told]).toEqual([
          path,
          {
            vary: "Origin",
            "access-control-allow-origin": origin,
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "Retry-After, RateLimit, RateLimit-Policy, Server-Timing",
          },
        ]);
      }
    }
  }
  const unknown = await headersOf("GET", "/chat/api/nowhere", { origin: FRIENDS[0] as string });
  expect(unknown.told["access-control-allow-origin"]).toBe(FRIENDS[0] as string);
});

test("no other origin may read anything, and nothing of what it says comes back", async () => {
  for (const { path } of reads()) {
    for (const origin of [...STRANGERS, server.url]) {
      const { told } = await headersOf("GET", filled(path), { ...ada.headers, origin });
      expect([path, origin, told]).toEqual([path, origin, { vary: "Origin" }]);
    }
    expect((await headersOf("GET", filled(path), ada.headers)).told).toEqual({ vary: "Origin" });
  }
});

test("what a limit refuses can be read as well, with when to come back", async () => {
  const strict = await testServer({
    ALLOWED_ORIGINS: FRIENDS.join(" "),
    LIMITS: "on",
    LIMIT_ADDRESS: "1+1/h",
  });
  const ask = () => fetch(`${strict.api}/rooms`, { headers: { origin: FRIENDS[0] as string } });
  await ask();
  const { status, headers } = await ask();
  expect(status).toBe(429);
  expect(headers.get("access-control-allow-origin")).toBe(FRIENDS[0] as string);
  const exposed = (headers.get("access-control-expose-headers") ?? "").toLowerCase().split(", ");
  for (const name of ["retry-after", "ratelimit", "ratelimit-policy"]) {
    expect([name, headers.has(name), exposed.includes(name)]).toEqual([name, true, true]);
  }
  await strict.close();
});

test("every path answers the preflight of an allowed origin with exactly its methods", async () => {
  const methodsOf = (asked: string) =>
    operations
      .filter(({ path }) => new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`).test(asked))
      .map(({ method }) => method);
  const paths = new Set(operations.map(({ path }) => path).filter((path) => path.startsWith("/chat/api/")));
  let hidden = 0;
  expect(paths.size).toBeGreaterThan(20);
  for (const path of paths) {
    const { status, told } = await headersOf("OPTIONS", filled(path), {
      origin: FRIENDS[0] as string,
      "access-control-request-method": "PUT",
      "access-control-request-headers": "content-type",
    });
    if (path.startsWith("/chat/api/admin/")) {
      // A preflight has no cookie, and for who is no administrator there is nothing there.
      expect({ path, status }).toEqual({ path, status: 404 });
      hidden++;
      continue;
    }
    expect({ path, status }).toEqual({ path, status: 204 });
    expect(told).toEqual({
      vary: "Origin",
      "access-control-allow-origin": FRIENDS[0] as string,
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": [...new Set(methodsOf(filled(path)))].sort().join(", "),
      "access-control-allow-headers": "Authorization, Content-Type, Last-Event-ID",
      "access-control-expose-headers": expect.any(String),
      "access-control-max-age": "600",
    });
  }
  expect(hidden).toBeGreaterThan(0);
});

test("for everybody else a preflight is a method that is not there", async () => {
  for (const origin of [...STRANGERS, server.url]) {
    const { status, told } = await headersOf("OPTIONS", "/chat/api/rooms", {
      origin,
      "access-control-request-method": "POST",
    });
    expect({ origin, status, told }).toEqual({ origin, status: 404, told: { vary: "Origin" } });
  }
});

test("page, documentation and health are for no other origin's scripts", async () => {
  for (const path of ["/", "/docs", "/docs/json", "/health/live", "/nowhere", "/chat/apis"]) {
    const { told } = await headersOf("GET", path, { origin: FRIENDS[0] as string });
    expect([path, Object.keys(told).filter((name) => name !== "vary")]).toEqual([path, []]);
  }
});

test("without ALLOWED_ORIGINS nobody is let in, and OPTIONS is nowhere", async () => {
  const closed = await testServer({}, server.database);
  try {
    for (const method of ["GET", "OPTIONS"]) {
      const response = await fetch(`${closed.api}/rooms`, {
        method,
        headers: { ...ada.headers, origin: FRIENDS[0] as string },
      });
      expect(response.status).toBe(method === "GET" ? 403 : 404);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
    }
  } finally {
    await closed.close();
  }
});
