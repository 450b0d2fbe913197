import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { Client } from "./support/client.ts";
import { BODY, fill, type Operation, operationsOf } from "./support/operations.ts";
import { RawStream } from "./support/raw.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client;
let ben: Client;
let roomId: number;
let operations: Operation[];

beforeAll(async () => {
  server = await testServer({ LIMITS: "off", METRICS_TOKEN: "0123456789abcdef" });
  ada = await server.administrator("ada");
  ben = await server.person("ben");
  ({ id: roomId } = await ada.openRoom("general"));
  operations = await operationsOf(server.url);
});
afterAll(() => server.close());

const SOURCES = join(import.meta.dir, "..", "src");
const API_POLICY = "default-src 'none'; frame-ancestors 'none'";
const YEAR = "max-age=31536000";

interface Answer {
  what: string;
  status: number;
  headers: Headers;
}

/** Asks, and takes no more than the headers. */
async function ask(path: string, init: RequestInit = {}, url = server.url): Promise<Answer> {
  const abort = new AbortController();
  const { status, headers } = await fetch(url + path, { ...init, signal: abort.signal });
  abort.abort();
  return { what: `${init.method ?? "GET"} ${path} ${status}`, status, headers };
}

/** Holds an answer to what every one has. */
function hold({ what, status, headers }: Answer, kind: "api" | "page" | "kept", https = false): void {
  const policy = headers.get("content-security-policy") ?? "";
  const caching = headers.get("cache-control") ?? "";
  expect({
    what,
    sniff: headers.get("x-content-type-options"),
    referrer: headers.get("referrer-policy"),
    permissions: headers.get("permissions-policy"),
    opener: headers.get("cross-origin-opener-policy"),
    resource: headers.get("cross-origin-resource-policy"),
    https: headers.get("strict-transport-security"),
    server: headers.get("server"),
    poweredBy: headers.get("x-powered-by"),
  }).toEqual({
    what,
    sniff: "nosniff",
    referrer: "no-referrer",
    permissions: "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    opener: "same-origin",
    resource: "same-origin",
    https: https ? YEAR : null,
    server: null,
    poweredBy: null,
  });
  if (kind === "api" || status >= 400) {
    expect({ what, policy, caching }).toEqual({ what, policy: API_POLICY, caching: "no-store" });
  } else {
    expect({ what, none: policy.startsWith("default-src 'none'; script-src 'self';") }).toEqual({
      what,
      none: true,
    });
    expect({ what, framed: !policy.includes("frame-ancestors 'none'") }).toEqual({ what, framed: false });
    expect({ what, caching }).toEqual({
      what,
      caching: expect.stringMatching(/^(no-cache|public, max-age=\d+)/),
    });
  }
}

/** Each operation by somebody who is signed in, by nobody, with a token that is none, and with what does not fit. */
async function* everyAnswer(url = server.url, more: Record<string, string> = {}): AsyncGenerator<Answer> {
  const json = { "content-type": "application/json" };
  for (const { method, path } of operations) {
    if ((await ada.call("GET", "/session")).status === 401) ada = await ada.signInAgain();
    const given = {
      id: path.includes("/admin/users/") ? ben.user.id : roomId,
      seq: 1,
      userId: "me",
      emoji: "👍",
    };
    const { cookie = "" } = ada.headers;
    const signedIn = { cookie: `${cookie}; __Host-${cookie}` }; // the second one is for https
    const body = method === "GET" ? undefined : JSON.stringify(BODY);
    const people: Record<string, string>[] = [{}, { authorization: "Bearer nobody" }, signedIn];
    for (const headers of people) {
      const all = { ...headers, ...more, ...(body ? json : {}) };
      yield await ask(fill(path, given), { method, headers: all, body }, url);
    }
    yield await ask(fill(path, { id: "x" }), { method, headers: { ...signedIn, ...more } }, url);
    yield await ask(fill(path, given), { method: method === "GET" ? "HEAD" : method, headers: more }, url);
    if (!body) continue;
    yield await ask(fill(path, given), { method, headers: { ...signedIn, ...more }, body: "text" }, url);
    yield await ask(
      fill(path, given),
      { method, headers: { ...signedIn, ...more, ...json }, body: "{" },
      url,
    );
  }
}

test("every answer of the API, well or badly, by whomever, has all headers and is not kept", async () => {
  const statuses = new Set<number>();
  for await (const answer of everyAnswer()) {
    hold(answer, "api");
    statuses.add(answer.status);
  }
  expect([...statuses].sort()).toEqual(expect.arrayContaining([200, 201, 204, 400, 401, 404, 415, 422, 426]));
});

test("the page and the documentation have them, with all that they load, anew and when it is held already", async () => {
  for (const path of ["/", "/docs"]) {
    const html = await (await fetch(server.url + path)).text();
    const links = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link as string);
    expect(links.length).toBeGreaterThanOrEqual(3);
    for (const link of [path, ...links]) {
      const whole = await ask(link);
      hold(whole, "kept");
      hold(await ask(link, { method: "HEAD" }), "kept");
      const etag = whole.headers.get("etag");
      if (etag === null) continue; // the document, made anew
      const held = await ask(link, { headers: { "if-none-match": etag } });
      expect(held.status).toBe(304);
      hold(held, "kept");
    }
  }
  hold(await ask("/docs/json"), "kept");
});

test("so have health, metrics, what is nowhere, and what was refused before it was looked at", async () => {
  const metrics = { authorization: "Bearer 0123456789abcdef" };
  const large = { method: "POST", body: "x".repeat(70_000), headers: { "content-type": "application/json" } };
  for (const [path, init, status] of [
    ["/health/live", {}, 200],
    ["/health/ready", {}, 200],
    ["/metrics", { headers: metrics }, 200],
    ["/metrics", {}, 404],
    ["/nowhere", {}, 404],
    ["/assets/nothing.js", {}, 404],
    ["/docs/nothing.js", {}, 404],
    ["/chat/api/nowhere", {}, 404],
    ["/chat/api/rooms", { method: "PROPFIND" }, 404],
    ["/chat/api/rooms", { method: "OPTIONS" }, 404],
    ["/chat/api/rooms", { headers: { ...ada.headers, origin: "https://evil.example" } }, 403],
    ["/chat/api/users", large, 413],
    ["/", { headers: { host: "a b" } }, 400],
  ] as [string, RequestInit, number][]) {
    const answer = await ask(path, init);
    expect([path, answer.status]).toEqual([path, status]);
    hold(answer, "api");
  }
});

test("so has what a server without its database says", async () => {
  const other = await testServer();
  await other.database.drop();
  hold(await ask("/health/ready", {}, other.url), "api");
  const answer = await ask("/chat/api/rooms", { headers: ada.headers }, other.url);
  expect(answer.status).toBeGreaterThanOrEqual(500);
  hold(answer, "api");
  await other.stop();
});

test("no answer names a program, as it is on the wire", async () => {
  const answer = await RawStream.open(`${server.url}/health/live`, {});
  await answer.until(() => answer.text.includes("live"));
  answer.vanish(false);
  expect(answer.text).not.toMatch(/bun|elysia|\nserver:|powered/i);
});

test("they are written in one place", async () => {
  const names =
    /"(content-security-policy|x-content-type-options|referrer-policy|permissions-policy|cross-origin-|strict-transport)/i;
  const found: string[] = [];
  for (const path of new Bun.Glob("**/*.{ts,tsx}").scanSync(SOURCES)) {
    if (names.test(await Bun.file(join(SOURCES, path)).text())) found.push(path);
  }
  // The two pages say their own policy, out of what headers.ts has.
  expect(found.sort()).toEqual(["docs/routes.ts", "headers.ts", "web/routes.ts"]);
});

test("behind https a browser is told to stay with it; a client cannot make that up", async () => {
  const [proxied, bare] = [await testServer({ TRUST_PROXY: "1" }, server.database), server];
  const https = { "x-forwarded-proto": "https" };
  for await (const answer of everyAnswer(proxied.url, https)) hold(answer, "api", true);
  hold(await ask("/", { headers: https }, proxied.url), "kept", true);
  hold(await ask("/nowhere", { headers: https }, proxied.url), "api", true);
  hold(await ask("/nowhere", { headers: { "x-forwarded-proto": "http" } }, proxied.url), "api");
  hold(await ask("/nowhere", {}, proxied.url), "api");
  hold(await ask("/nowhere", { headers: https }, bare.url), "api");
  await proxied.close();
});
