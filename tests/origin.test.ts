import { afterAll, beforeAll, expect, test } from "bun:test";
import { Client } from "./support/client.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { askedFor } from "./support/socket.ts";

let server: TestServer;
let ada: Client;
/** The server's own address, as a browser's `Origin`. */
let own: string;

beforeAll(async () => {
  server = await testServer({ ALLOWED_ORIGINS: "https://app.example.com, http://localhost:5173" });
  ada = await server.person("ada");
  own = server.url;
});
afterAll(() => server.close());

type Headers = Record<string, string>;

/** What is protected: a write, a stream, a plain read, and what needs no session. */
const REQUESTS: Record<string, (headers: Headers, api?: string) => Promise<number>> = {
  "a write": (headers, api) => answer("POST", "/tokens", { name: "x" }, { ...ada.headers, ...headers }, api),
  "a write without a body": (headers, api) =>
    answer("PUT", "/rooms/read", undefined, { ...ada.headers, ...headers }, api),
  "a read": (headers, api) => answer("GET", "/rooms", undefined, { ...ada.headers, ...headers }, api),
  "a stream": (headers, api) =>
    answer("GET", "/stream/rooms", undefined, { ...ada.headers, ...headers }, api),
  "a socket": async (headers, api = server.api) => {
    const status = Number.parseInt(await askedFor(api, { ...ada.headers, ...headers }), 10);
    return status === 101 ? 200 : status;
  },
  "a sign-in": (headers, api) =>
    answer("POST", "/session", { handle: ada.user.handle, password: Client.password }, headers, api),
};

async function answer(method: string, path: string, body: unknown, headers: Headers, api = server.api) {
  const abort = new AbortController();
  const response = await fetch(api + path, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: abort.signal,
  });
  if (response.status === 403) {
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await response.json()).toMatchObject({ code: "bad-origin", status: 403 });
  }
  abort.abort();
  return response.status < 300 ? 200 : response.status;
}

const SITES = [undefined, "same-origin", "none", "same-site", "cross-site", "nonsense"] as const;

/** An `Origin`, and whether it is let in; with none, `Sec-Fetch-Site` decides. */
const origins = (): [string | undefined, boolean | undefined][] => {
  const port = Number(new URL(own).port);
  return [
    [undefined, undefined],
    [own, true],
    [own.replace("http:", "https:"), true], // https may end in front of us
    ["https://app.example.com", true],
    ["http://localhost:5173", true],
    [own.replace(String(port), String(port + 1)), false],
    [own.replace(`:${port}`, ""), false],
    ["https://evil.example", false],
    [`http://evil.example:${port}`, false],
    [own.replace("127.0.0.1", "localhost"), false],
    [own.replace("http:", "ftp:"), false],
    ["https://app.example.com.evil.example", false],
    ["http://app.example.com", false],
    ["https://app.example.com:444", false],
    ["null", false],
    ["", false],
    ["nonsense", false],
    ["http://", false],
    [`${own}, https://evil.example`, false],
    [`https://evil.example#${own}`, false],
    [`http://127.0.0.1:${port}@evil.example`, false],
    ["file://", false],
  ];
};

for (const what of Object.keys(REQUESTS)) {
  test(`${what} is taken from our own pages and from programs, and from no other site`, async () => {
    const send = REQUESTS[what] as (typeof REQUESTS)[string];
    // Each sign-in costs a hash: fewer of them tell as much.
    const sites = what === "a sign-in" ? ([undefined, "same-origin", "cross-site"] as const) : SITES;
    for (const [origin, passes] of origins()) {
      if (what === "a sign-in" && passes && origin !== own) continue;
      for (const site of sites) {
        const expected = passes ?? (site === undefined || site === "same-origin" || site === "none");
        const status = await send({
          ...(origin === undefined ? {} : { origin }),
          ...(site === undefined ? {} : { "sec-fetch-site": site }),
        });
        expect({ origin, site, status }).toEqual({ origin, site, status: expected ? 200 : 403 });
      }
    }
  });
}

test("a request that is refused for its origin has done nothing", async () => {
  const before = await ada.must("GET", "/tokens");
  await answer("POST", "/tokens", { name: "evil" }, { ...ada.headers, origin: "https://evil.example" });
  await answer("DELETE", "/session", undefined, { ...ada.headers, "sec-fetch-site": "cross-site" });
  const response = await fetch(`${server.api}/users`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: "https://evil.example" },
    body: JSON.stringify({ handle: "planted", name: "Planted", password: "attacker's own" }),
  });
  expect(response.status).toBe(403);
  expect(await ada.must("GET", "/tokens")).toEqual(before);
  expect(await ada.must("GET", "/users?q=planted")).toEqual({ users: [] });
});

test("a bearer request is free of the rule; another scheme is not", async () => {
  const { token } = await ada.must("POST", "/tokens", { name: "script" });
  const evil = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  const program = { authorization: `Bearer ${token}` };
  expect(await answer("GET", "/rooms", undefined, { ...program, ...evil })).toBe(200);
  expect(await answer("PUT", "/rooms/read", undefined, { ...program, ...evil })).toBe(200);
  // With the cookie beside it: the token alone counts, so the cookie gains nobody anything.
  const nobody = { ...ada.headers, authorization: "Bearer wrong" };
  expect(await answer("PUT", "/rooms/read", undefined, { ...nobody, ...evil })).toBe(401);
  // A browser sends a proxy's password by itself, as it sends the cookie.
  const basic = { ...ada.headers, authorization: "Basic YTpi" };
  expect(await answer("PUT", "/rooms/read", undefined, { ...basic, ...evil })).toBe(403);
  expect(
    await answer("PUT", "/rooms/read", undefined, { ...basic, authorization: "Bearertoken", ...evil }),
  ).toBe(403);
});

test("our own address is what Host says, whatever its letters; the scheme's own port may be left out", async () => {
  const port = new URL(own).port;
  const pairs: [string, string, number][] = [
    [`chat.example.com:${port}`, `http://chat.example.com:${port}`, 200],
    ["CHAT.example.com", "https://chat.example.com", 200],
    ["chat.example.com:443", "https://chat.example.com", 200],
    ["chat.example.com:443", "http://chat.example.com", 403],
    ["chat.example.com", "https://chat.example.com:8443", 403],
    ["[::1]:3000", "http://[::1]:3000", 200],
    ["chat.example.com", "https://evil.example", 403],
  ];
  for (const [host, origin, expected] of pairs) {
    const status = await answer("PUT", "/rooms/read", undefined, { ...ada.headers, host, origin });
    expect({ host, origin, status }).toEqual({ host, origin, status: expected });
  }
});

test("X-Forwarded-Host and -Proto count behind a trusted proxy only", async () => {
  const forwarded = (host: string, proto?: string) => ({
    "x-forwarded-host": host,
    ...(proto ? { "x-forwarded-proto": proto } : {}),
  });
  const chat = { origin: "https://chat.example.com" };
  const write = (headers: Headers, api: string) =>
    answer("PUT", "/rooms/read", undefined, { ...cookies, ...headers }, api);
  // The same session under both names of the cookie.
  const { cookie = "" } = ada.headers;
  const cookies = { cookie: `${cookie}; __Host-${cookie}` };

  expect(await write({ ...chat, ...forwarded("chat.example.com", "https") }, server.api)).toBe(403);

  const [one, two] = [
    await testServer({ TRUST_PROXY: "1" }, server.database),
    await testServer({ TRUST_PROXY: "2" }, server.database),
  ];
  try {
    expect(await write({ ...chat, ...forwarded("chat.example.com", "https") }, one.api)).toBe(200);
    expect(await write({ ...chat, ...forwarded("chat.example.com") }, one.api)).toBe(200);
    // The proxy says that it was https: a page over plain http is another origin.
    const plain = { origin: "http://chat.example.com" };
    expect(await write({ ...plain, ...forwarded("chat.example.com", "https") }, one.api)).toBe(403);
    expect(await write({ ...plain, ...forwarded("chat.example.com", "http") }, one.api)).toBe(200);
    // Once a proxy speaks, our own address is not what the browser saw.
    expect(await write({ origin: one.url, ...forwarded("chat.example.com", "https") }, one.api)).toBe(403);
    // The last hop is the proxy's word; what stands before it, a client may have made up.
    const madeUp = forwarded("evil.example, chat.example.com", "https");
    expect(await write({ origin: "https://evil.example", ...madeUp }, one.api)).toBe(403);
    expect(await write({ ...chat, ...madeUp }, one.api)).toBe(200);
    const throughTwo = forwarded("evil.example, chat.example.com, inner", "https, https, http");
    expect(await write({ ...chat, ...throughTwo }, two.api)).toBe(200);
    expect(await write({ origin: "https://evil.example", ...throughTwo }, two.api)).toBe(403);
    expect(await write({ origin: "https://inner", ...throughTwo }, two.api)).toBe(403);
  } finally {
    await one.close();
    await two.close();
  }
});

test("the documentation and the health of the server may be looked at from anywhere", async () => {
  for (const path of ["/docs", "/docs/json", "/health/live"]) {
    const response = await fetch(server.url + path, { headers: { "sec-fetch-site": "cross-site" } });
    expect(response.status).toBe(200);
  }
});
