import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import type { Client } from "./support/client.ts";
import { type ClientPages, clientPages, openClient, openTimeline, show } from "./support/client-page.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { hasStatus, openTabs, settle } from "./support/tabs.ts";

/** Seconds; the watchdog is two and a half of it. */
const PING = 1;
const QUICK = {
  watchdogMs: 2_500 * PING,
  deliverMs: 300,
  openMs: 1_000,
  trialMs: 500,
  pollMs: 100,
  refreshMs: 500,
  retryMs: { first: 50, most: 400 },
};

let server: TestServer;
let second: TestServer;
let pages: ClientPages;
let ben: Client;
let ada: Client;
let context: BrowserContext;
beforeAll(async () => {
  server = await testServer({ PING_INTERVAL: String(PING) });
  second = await testServer({ PING_INTERVAL: String(PING) }, server.database);
  pages = await clientPages(server.api);
  ben = await server.person("ben");
});
beforeEach(async () => {
  await context?.close();
  await eventually(() => server.hub.state.streams === 0, "no stream is open");
  ada = await server.person("ada");
  context = await pages.context(ada);
  pages.intercept = () => undefined;
  pages.streams = "pass";
});
afterAll(async () => {
  await pages.close();
  await second.close();
  await server.close();
});

const tabOf = async (pace = QUICK): Promise<Page> => (await openTabs(pages, context, 1, pace))[0] as Page;

/** What the timeline holds is what the server says. */
async function holdsAll(tab: Page, roomId: number): Promise<void> {
  await eventually(async () => {
    const held = await tab.evaluate(() => window.timeline.messages);
    return Bun.deepEquals(held, (await ada.page(roomId, "?limit=200")).messages);
  }, "the timeline holds what the server says");
}

describe("a stream", () => {
  test("comes back over a restart of its server, with everything that was missed, once", async () => {
    const [stays, other] = [await testServer({}, server.database), second];
    const own = await clientPages(stays.api);
    const context = await own.context(ada);
    const tab = await own.open(context);
    await openClient(tab, QUICK);
    const there = ben.with(ben.headers, other.api);
    const room = await there.openRoom("restarted", [ada]);
    for (let i = 0; i < 3; i++) await there.send(room.id, `before ${i}`);
    await openTimeline(tab, room.id);
    await hasStatus(tab, "live");

    const opened = () =>
      own.requests.filter((request) => request.startsWith(`GET /stream/rooms/${room.id}?cursor=`));
    for (let round = 0; round < 2; round++) {
      const port = new URL(own.target).port;
      await stays.stop();
      for (let i = 0; i < 3; i++) await there.send(room.id, `while it is down ${round} ${i}`);
      await there.must("PATCH", `/rooms/${room.id}/messages/2`, { body: `edited ${round}` });
      const again = await testServer({ PORT: port }, server.database);
      await hasStatus(tab, "live");
      await settle(ada, [tab]);
      await holdsAll(tab, room.id);
      await eventually(() => again.hub.state.streams === 2); // the room's as well: from there it comes now
      await there.send(room.id, `and up again ${round}`);
      await holdsAll(tab, room.id);
      stays.stop = again.stop;
    }
    // Each time from where it stood, not from the beginning.
    const list = own.requests.filter((request) => request.startsWith("GET /stream/rooms?cursor="));
    expect(new Set(list).size).toBeGreaterThanOrEqual(2);
    expect(new Set(opened()).size).toBeGreaterThanOrEqual(2);
    await context.close();
    await own.close();
    await stays.stop();
  });

  test.each([
    ["hold", { ...QUICK, openMs: 60_000 }],
    ["swallow", { ...QUICK, deliverMs: 60_000 }],
  ] as const)("that is held back (%s) is replaced by asking, until it gets through", async (mode, pace) => {
    pages.streams = mode;
    const room = await ben.openRoom("held back", [ada]);
    const tab = await tabOf(pace);
    await openTimeline(tab, room.id);
    await hasStatus(tab, "polling");
    for (let i = 0; i < 3; i++) {
      await ben.send(room.id, `asked for ${i}`);
      await settle(ada, [tab]);
      await holdsAll(tab, room.id);
    }
    pages.streams = "pass";
    await hasStatus(tab, "live");
    await ben.send(room.id, "by the stream");
    await settle(ada, [tab]);
    const asked = pages.requests.length;
    await ben.send(room.id, "by the stream again");
    await settle(ada, [tab]);
    expect(pages.requests.slice(asked).filter((request) => request.startsWith("GET /rooms?since"))).toEqual(
      [],
    );
  });

  test("that stalls is opened anew", async () => {
    const room = await ben.openRoom("stalled", [ada]);
    const tab = await tabOf();
    await hasStatus(tab, "live");
    pages.streams = "hold";
    await ben.send(room.id, "swallowed");
    await hasStatus(tab, "polling");
    pages.streams = "pass";
    await hasStatus(tab, "live");
    await settle(ada, [tab]);
  });

  test("that pings lives on in silence", async () => {
    await ben.openRoom("silent", [ada]);
    const tab = await tabOf();
    await hasStatus(tab, "live");
    const opened = () => pages.requests.filter((request) => request.startsWith("GET /stream")).length;
    const before = opened();
    let heard = 0;
    await tab.exposeFunction("heard", () => heard++);
    await tab.evaluate(() => {
      const channel = new BroadcastChannel(`foyer:${window.client.me.id}`);
      channel.onmessage = () => (window as unknown as { heard(): void }).heard();
    });
    await eventually(() => heard >= 8, "eight signs of life", 20_000); // twice the watchdog
    expect(opened()).toBe(before);
  });

  test("in a session that ends while its server is away tells that it is over", async () => {
    const tab = await tabOf();
    await hasStatus(tab, "live");
    await tab.evaluate(() => window.client.onSignedOut(() => (document.title = "signed out")));
    const asked = pages.requests.length;
    pages.intercept = (_, path) =>
      path.startsWith("/stream") ? new Response("", { status: 502 }) : undefined;
    await server.database.sql`delete from sessions where user_id = ${ada.user.id}`;
    pages.cut();
    await tab.waitForFunction(() => document.title === "signed out");
    expect(pages.requests.slice(asked)).toContain("GET /session");
  });

  test("of a browser in which somebody else has signed in tells that it is over", async () => {
    const tab = await tabOf();
    await hasStatus(tab, "live");
    await tab.evaluate(() => window.client.onSignedOut(() => (document.title = "signed out")));
    const [name = "", value = ""] = (ben.headers.cookie ?? "").split("=");
    await context.addCookies([{ name, value, url: pages.url }]);
    pages.intercept = (_, path) =>
      path.startsWith("/stream") ? new Response("", { status: 502 }) : undefined;
    pages.cut();
    await tab.waitForFunction(() => document.title === "signed out");
  });

  test("waits for as long as the server asks", async () => {
    const tab = await tabOf();
    await hasStatus(tab, "live");
    const asked: number[] = [];
    pages.intercept = (_, path) => {
      if (!path.startsWith("/stream") && path !== "/session" && path !== "/rooms") return undefined;
      if (path.startsWith("/stream")) asked.push(performance.now());
      return new Response("{}", { status: 503, headers: { "retry-after": "2" } });
    };
    pages.cut();
    await eventually(() => asked.length === 3, "three tries", 20_000);
    // The clock is the rule here: each comes two seconds after the one before, at the least.
    expect((asked[2] as number) - (asked[1] as number)).toBeGreaterThanOrEqual(2_000);
  });

  test("of a browser without a network is offline at once, and back at once", async () => {
    const room = await ben.openRoom("offline", [ada]);
    const tab = await tabOf({
      ...QUICK,
      deliverMs: 10_000,
      watchdogMs: 60_000,
      retryMs: { first: 60_000, most: 60_000 },
    });
    await hasStatus(tab, "live");
    await tab.evaluate(() => window.client.onStatus(() => (document.title += ` ${window.client.status}`)));
    pages.streams = "hold"; // a connection that is dead, and nobody has said so
    await context.setOffline(true);
    await hasStatus(tab, "offline");
    await ben.send(room.id, "missed");
    await context.setOffline(false);
    await hasStatus(tab, "connecting");
    pages.streams = "pass";
    await hasStatus(tab, "live");
    await settle(ada, [tab]);
    expect(await tab.title()).toBe("A bare page offline connecting live"); // live is what says something
  });
});

describe("a timeline's stream", () => {
  /** Besides the list's. */
  const roomStreams = () => server.hub.state.streams - 1;

  test("is there while the tab is seen; hidden it stands still, and goes on where it stood", async () => {
    const room = await ben.openRoom("hidden", [ada]);
    const tab = await tabOf();
    for (let i = 0; i < 5; i++) await ben.send(room.id, `before ${i}`);
    await openTimeline(tab, room.id);
    await eventually(() => roomStreams() === 1);
    await show(tab, false);
    await eventually(() => roomStreams() === 0);
    await ben.send(room.id, "while hidden");
    await ben.must("PATCH", `/rooms/${room.id}/messages/2`, { body: "edited while hidden" });
    const asked = pages.requests.length;
    await show(tab, true);
    await holdsAll(tab, room.id);
    expect(pages.requests.slice(asked).filter((request) => request.includes("/messages"))).toEqual([]);
  });

  test("three are open in a browser, of those who turned to their room last; the others ask", async () => {
    const room = await ben.openRoom("crowded", [ada]);
    const tabs = await openTabs(pages, context, 5, QUICK);
    for (const tab of tabs) await openTimeline(tab, room.id);
    await eventually(() => roomStreams() === 3);
    for (let i = 0; i < 3; i++) {
      await ben.send(room.id, `to all ${i}`);
      for (const tab of tabs) await holdsAll(tab, room.id);
    }
    expect(roomStreams()).toBe(3);
    await ben.must("PUT", `/rooms/${room.id}/messages/1/reactions/${encodeURIComponent("👍")}`);
    for (const tab of tabs) await holdsAll(tab, room.id); // though no row tells of it
    const opened = () => pages.requests.filter((request) => request.startsWith("GET /stream/rooms/")).length;
    const before = opened();
    await tabs[4]?.close();
    await eventually(
      () => opened() === before + 1 && roomStreams() === 3,
      "the one that is free again is taken",
    );
    await ben.send(room.id, "one is free");
    for (const tab of tabs.slice(0, 4)) await holdsAll(tab, room.id);
  });

  test("that is hidden and shown again takes nobody else's", async () => {
    const room = await ben.openRoom("blinking", [ada]);
    const tabs = await openTabs(pages, context, 3, { ...QUICK, refreshMs: 60_000 });
    for (const tab of tabs) await openTimeline(tab, room.id);
    await eventually(() => roomStreams() === 3);
    const asked = pages.requests.length;
    for (let i = 0; i < 5; i++) {
      await tabs[0]?.evaluate(() => {
        for (const state of ["hidden", "visible"]) {
          Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
          document.dispatchEvent(new Event("visibilitychange"));
        }
      });
      await eventually(() => roomStreams() === 3);
    }
    await ben.send(room.id, "to all three");
    for (const tab of tabs) await holdsAll(tab, room.id);
    expect(pages.requests.slice(asked).filter((request) => request.includes("/messages"))).toEqual([]);
  });

  test("of a room that one is removed from is gone", async () => {
    for (const away of [false, true]) {
      const room = await ben.openRoom("gone", [ada]);
      const tab = await tabOf();
      await openTimeline(tab, room.id);
      await eventually(() => roomStreams() === 1);
      if (away)
        pages.intercept = (_, path) =>
          path.startsWith("/stream/rooms/") ? new Response("", { status: 502 }) : undefined;
      if (away) pages.cut();
      const asked = pages.requests.length;
      await ben.must("DELETE", `/rooms/${room.id}/members/${ada.user.id}`);
      await tab.waitForFunction(() => window.timeline.gone);
      // Whoever is told does not ask.
      const again = new RegExp(`/stream|GET /rooms/${room.id}$`);
      if (!away) expect(pages.requests.slice(asked).filter((request) => again.test(request))).toEqual([]);
      await tab.close();
    }
  });
});
