import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page, Request } from "playwright-core";
import type * as foyer from "../src/web/client/index.ts";
import { type Visitor, visit } from "./support/browser.ts";
import type { Client } from "./support/client.ts";
import { contentsOf } from "./support/contents.ts";
import { type TestServer, testServer } from "./support/server.ts";

/** A page of another origin: another port of the same host, whose pages Chromium's Lax cookies are sent for. */
interface Elsewhere extends AsyncDisposable {
  origin: string;
}

const module = await Bun.build({
  entrypoints: [new URL("../src/web/client/index.ts", import.meta.url).pathname],
  target: "browser",
});
const clientJs = await (module.outputs[0] as Bun.BuildArtifact).text();

function elsewhere(): Elsewhere {
  const site = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) =>
      new URL(request.url).pathname === "/client.js"
        ? new Response(clientJs, { headers: { "content-type": "text/javascript" } })
        : new Response('<!doctype html><meta charset="utf-8"><title>Elsewhere</title>', {
            headers: { "content-type": "text/html" },
          }),
  });
  return { origin: site.url.origin, [Symbol.asyncDispose]: () => site.stop(true) };
}

let evil: Elsewhere;
let friend: Elsewhere;
let server: TestServer;
let ada: Client;
let roomId: number;

beforeAll(async () => {
  [evil, friend] = [elsewhere(), elsewhere()];
  server = await testServer({ ALLOWED_ORIGINS: friend.origin, LIMITS: "off" });
  ada = await server.person("ada");
  ({ id: roomId } = await ada.openRoom("secret"));
  await ada.send(roomId, "canary");
});
afterAll(async () => {
  await evil[Symbol.asyncDispose]();
  await friend[Symbol.asyncDispose]();
  await server.close();
});

/** Ada's browser, signed in, on a page of another origin. */
async function lured({ origin }: Elsewhere): Promise<Visitor> {
  const visitor = await visit(origin);
  visitor.expected.push(/./); // what the browser says of all that it refuses
  await visitor.signIn(ada);
  await visitor.open();
  return visitor;
}

/** What the page at `page` gets out of each way to ask; "" is nothing. Each attempt has ended before it is told. */
const attempts = (page: Page, api: string, roomId: number): Promise<Record<string, string>> =>
  page.evaluate(
    async ([api, roomId]) => {
      const body = JSON.stringify({ body: "planted", name: "planted", kind: "open" });
      const json = { "content-type": "application/json" };
      const asked = (path: string, init: RequestInit) =>
        fetch(api + path, { credentials: "include", ...init }).then(
          async (response) => (response.ok ? `${response.status} ${await response.text()}` : ""),
          () => "",
        );
      const send = (init: RequestInit) => asked(`/rooms/${roomId}/messages`, { method: "POST", ...init });
      const loaded = (element: HTMLElement & { src?: string; href?: string }, path: string) =>
        new Promise<string>((resolve) => {
          element.onload = () => resolve(`loaded ${path}`);
          element.onerror = () => resolve("");
          if (element instanceof HTMLLinkElement)
            Object.assign(element, { rel: "stylesheet", href: api + path });
          else element.src = api + path;
          document.head.append(element);
        });
      const stream = (withCredentials: boolean) =>
        new Promise<string>((resolve) => {
          const source = new EventSource(`${api}/stream/rooms`, { withCredentials });
          source.addEventListener("rooms", ({ data }) => {
            source.close();
            resolve(data);
          });
          source.onerror = () => source.readyState === EventSource.CLOSED && resolve("");
        });
      const socket = () =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(`${api.replace("http", "ws")}/ws`);
          socket.onopen = () => socket.send('{"subscribe":"rooms"}');
          socket.onmessage = ({ data }) => {
            if (!data.includes('"event":"rooms"')) return;
            socket.close();
            resolve(data);
          };
          socket.onclose = () => resolve("");
        });
      return {
        "read with the cookie": await asked("/rooms", {}),
        "read without it": await asked("/rooms", { credentials: "omit" }),
        "read blindly": await asked("/rooms", { mode: "no-cors" }),
        "JSON with the cookie": await send({ headers: json, body }),
        "JSON blindly": await send({ mode: "no-cors", headers: json, body }),
        "text blindly": await send({ mode: "no-cors", body }),
        "a form blindly": await send({ mode: "no-cors", body: new URLSearchParams({ body: "planted" }) }),
        "no body blindly": await asked(`/rooms/${roomId}/typing`, { method: "POST", mode: "no-cors" }),
        "no body, with the cookie": await asked("/rooms/read", { method: "PUT" }),
        "a stream with the cookie": await stream(true),
        "a stream without it": await stream(false),
        "a socket": await socket(),
        "an image": await loaded(new Image(), "/rooms"),
        "a script": await loaded(document.createElement("script"), "/rooms"),
        "a style sheet": await loaded(document.createElement("link"), "/rooms"),
        // At last: it ends the session.
        deletion: await asked("/session", { method: "DELETE" }),
      };
    },
    [api, roomId] as const,
  );

/** Has the page send a form, into a frame or in its own place. @returns the answer's status, if the cookie went along */
async function submit(page: Page, api: string, enctype: string, target: "frame" | "_self"): Promise<number> {
  const answered = page.waitForResponse((response) => response.url().startsWith(api));
  await page.evaluate(
    ([action, enctype, target]) => {
      const frame = document.createElement("iframe");
      frame.name = "frame";
      const form = Object.assign(document.createElement("form"), { action, enctype, target, method: "post" });
      form.append(
        Object.assign(document.createElement("input"), { name: '{"name":"planted","x":"', value: '"}' }),
      );
      document.body.append(frame, form);
      form.submit();
    },
    [`${api}/tokens`, enctype, target] as const,
  );
  const answer = await answered;
  expect((await answer.request().allHeaders()).cookie).toBe(ada.headers.cookie as string); // Lax, for a POST
  if (target === "_self") await page.waitForURL(answer.url());
  return answer.status();
}

/** Has the page send a beacon, and waits for how that ended. */
async function beacon(page: Page, api: string, type: string): Promise<number | "failed"> {
  const isIt = (request: Request) => request.resourceType() === "ping";
  const ended = Promise.race([
    page.waitForResponse((response) => isIt(response.request())).then((response) => response.status()),
    page.waitForEvent("requestfailed", isIt).then(() => "failed" as const),
  ]);
  await page.evaluate(
    ([url, type]) => {
      navigator.sendBeacon(url, new Blob(['{"name":"planted"}'], { type }));
    },
    [`${api}/tokens`, type] as const,
  );
  return ended;
}

const FORM_TYPES = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

test("a page on another port reads nothing and does nothing, whichever way it asks, though the cookie is sent", async () => {
  const before = await contentsOf(server.database);
  const visitor = await lured(evil);
  const got = await attempts(visitor.page, server.api, roomId);
  expect(Object.entries(got).filter(([, what]) => what !== "")).toEqual([]);
  expect(Object.keys(got).length).toBeGreaterThan(15);

  for (const type of FORM_TYPES) {
    expect([type, await submit(visitor.page, server.api, type, "frame")]).toEqual([type, 415]);
  }
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json"]) {
    expect([type, await beacon(visitor.page, server.api, type)]).toEqual([type, "failed"]);
  }

  // In the window itself the browser shows the answer; the page that had it sent is gone by then.
  for (const type of FORM_TYPES) {
    await visitor.open();
    expect([type, await submit(visitor.page, server.api, type, "_self")]).toEqual([type, 415]);
  }
  expect(await contentsOf(server.database)).toEqual(before);
  expect(server.hub.state.streams).toBe(0);
  await ada.must("GET", "/session");
}, 120_000);

test("a page on another port cannot show ours in a frame", async () => {
  const visitor = await lured(evil);
  for (const path of ["/", "/docs", "/chat/api/rooms"]) {
    await visitor.page.evaluate((src) => {
      const frame = document.createElement("iframe");
      frame.src = src;
      return new Promise((resolve) => {
        frame.onload = resolve; // of what the browser shows instead, too
        document.body.append(frame);
      });
    }, server.url + path);
  }
  const shown = visitor.page.frames().map((frame) => frame.url());
  expect(shown.filter((url) => url.startsWith(server.url))).toEqual([]);
}, 60_000);

test("a page of ALLOWED_ORIGINS does all of it with the cookie, and forms are forms for it too", async () => {
  const visitor = await lured(friend);
  const got = await attempts(visitor.page, server.api, roomId);
  const done = Object.entries(got).filter(([, what]) => what !== "");
  expect(done.map(([name]) => name).sort()).toEqual(
    [
      "JSON with the cookie",
      "a socket",
      "a stream with the cookie",
      "deletion",
      "no body, with the cookie",
      "read with the cookie",
    ].sort(),
  );
  for (const name of ["read with the cookie", "a stream with the cookie", "a socket"]) {
    expect([name, got[name]?.includes("canary") || got[name]?.includes("planted")]).toEqual([name, true]);
  }
  expect(got["JSON with the cookie"]).toStartWith("201 ");
  expect((await ada.call("GET", "/session")).status).toBe(401); // the deletion

  ada = await ada.signInAgain();
  await visitor.signIn(ada);
  for (const type of FORM_TYPES) {
    expect([type, await submit(visitor.page, server.api, type, "frame")]).toEqual([type, 415]);
  }
  expect(await beacon(visitor.page, server.api, "application/json")).toBe(201);
}, 60_000);

test("the client module works for a page of ALLOWED_ORIGINS by the server's address alone", async () => {
  const visitor = await visit(friend.origin);
  visitor.expected.push(/./);
  await visitor.open();
  const { handle } = ada.user;
  await visitor.page.evaluate(
    async ([api, handle, password, roomId]) => {
      const { Api, Client } = (await import(`${location.origin}/client.js`)) as typeof foyer;
      const there = new Api(api);
      const me = await there.signIn({ handle, password }); // the cookie of another origin of the same site
      const client = await Client.open(there, me);
      const timeline = client.timeline(roomId);
      await timeline.open();
      client.outbox.send(roomId, "from elsewhere");
      Object.assign(window, { client, timeline });
    },
    [server.api, handle, "correct horse", roomId] as const,
  );
  const live = () =>
    window.client.status === "live" &&
    window.client.rooms.all()[0]?.lastMessage?.body === "from elsewhere" &&
    window.timeline.messages.at(-1)?.body === "from elsewhere";
  await visitor.page.waitForFunction(live);
  await ada.send(roomId, "back");
  await visitor.page.waitForFunction(() => window.timeline.messages.at(-1)?.body === "back");
  const timing = await visitor.page.evaluate(
    async (api) => (await fetch(`${api}/rooms`, { credentials: "include" })).headers.get("server-timing"),
    server.api,
  );
  expect(timing).toStartWith("db;dur=");
}, 60_000);

test("a page of another site has no cookie here, and reads and writes with a token instead", async () => {
  const another = "https://app.example";
  const open = await testServer({ ALLOWED_ORIGINS: another }, server.database);
  const { token } = await ada.must("POST", "/tokens", { name: "elsewhere" });
  const visitor = await visit(another);
  visitor.expected.push(/./);
  await visitor.context.grantPermissions(["local-network-access"]); // what the browser asks before a public page reaches here
  await visitor.context.route(`${another}/**`, (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Another site</title>" }),
  );
  for (const cookie of (ada.headers.cookie ?? "").split("; ")) {
    const [name = "", value = ""] = cookie.split("=");
    await visitor.context.addCookies([{ name, value, url: open.url, httpOnly: true, sameSite: "Lax" }]);
  }
  await visitor.open();
  await visitor.context.unrouteAll(); // while there is a route, Playwright answers preflights itself
  const got = await visitor.page.evaluate(
    async ([api, token, roomId]) => {
      const authorization = `Bearer ${token}`;
      const withCookie = await fetch(`${api}/rooms`, { credentials: "include" });
      const sent = await fetch(`${api}/rooms/${roomId}/messages`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json" },
        body: '{"body":"by token"}',
      });
      const stream = await fetch(`${api}/stream/rooms`, { headers: { authorization } });
      const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
      let text = "";
      while (!text.includes("event: rooms")) text += new TextDecoder().decode((await reader.read()).value);
      await reader.cancel();
      return { withCookie: withCookie.status, sent: sent.status, told: text.includes("by token") };
    },
    [open.api, token, roomId] as const,
  );
  expect(got).toEqual({ withCookie: 401, sent: 201, told: true });
  await open.close();
}, 60_000);
