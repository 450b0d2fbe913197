import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import type { Client } from "./support/client.ts";
import { type ClientPages, clientPages, openClient, openTimeline, show } from "./support/client-page.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { hasStatus, leaderOf, openTabs, settle, sleep } from "./support/tabs.ts";

let server: TestServer;
let pages: ClientPages;
let ben: Client;
let ada: Client;
let context: BrowserContext;
beforeAll(async () => {
  server = await testServer();
  pages = await clientPages(server.api);
  ben = await server.person("ben");
});
beforeEach(async () => {
  await context?.close();
  pages.intercept = () => undefined;
  ada = await server.person("ada");
  context = await pages.context(ada);
});
afterAll(async () => {
  await pages.close();
  await server.close();
});

/** Keeps back the next answer to a request, as the server gave it. */
function delayed(method: string, matches: (path: string, search: string) => boolean) {
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let isTaken = false;
  pages.intercept = (request, path) => {
    const { search } = new URL(request.url);
    if (isTaken || request.method !== method || !matches(path, search)) return undefined;
    isTaken = true;
    return (async () => {
      const given = await fetch(pages.target + path + search, { headers: request.headers });
      const text = await given.text();
      answer();
      await released;
      return new Response(text, { status: given.status, headers: { "content-type": "application/json" } });
    })();
  };
  return { answered, release };
}

describe("the list", () => {
  test("that was asked for before a leader's list, and is answered after it told something, misses nothing", async () => {
    const [missed, told] = [await ben.openRoom("missed", [ada]), await ben.openRoom("told", [ada])];
    const late = await pages.open(context);
    const asking = delayed("GET", (path) => path === "/rooms");
    const opening = openClient(late);
    await asking.answered;
    await ben.send(missed.id, "after the one asked, before the other");
    const [leader] = await openTabs(pages, context, 1);
    if (!leader) throw new Error("no tab");
    await hasStatus(leader, "live");
    await ben.send(told.id, "the leader tells of this");
    await settle(ada, [leader]);
    asking.release();
    await opening;
    await settle(ada, [leader, late]);
  });

  test("has no gap at a change of leader where the clock was set back", async () => {
    const pace = { silenceMs: 300, answerMs: 1_000 };
    const room = await ben.openRoom("a clock", [ada]);
    await context.addInitScript(() => {
      const { now } = Date;
      Date.now = () => now() + 1_000 * Number(localStorage.getItem("fast"));
    });
    const [leader, hidden, next] = await openTabs(pages, context, 3, pace);
    if (!leader || !hidden || !next) throw new Error("no tabs");
    const others = [hidden, next];
    const goFast = (seconds: number) =>
      next.evaluate((seconds) => localStorage.setItem("fast", String(seconds)), seconds);
    for (const tab of others) await hasStatus(tab, "live");
    for (const tab of others) await show(tab, false); // they rob nobody
    await sleep(leader);
    await ben.send(room.id, "nobody tells of this");
    await goFast(60);
    await show(next, true); // after a minute, so that it asks
    await settle(ada, [next]);
    await goFast(-3_600);
    await leaderOf(others);
    await settle(ada, others);
  });

  test("heeds no note that it does not understand", async () => {
    const room = await ben.openRoom("noise", [ada]);
    const tabs = await openTabs(pages, context, 3);
    for (const tab of tabs) await hasStatus(tab, "live");
    for (const tab of tabs) {
      await tab.evaluate(() =>
        window.client.onStatus(() => {
          document.title = window.client.status;
        }),
      );
    }
    const stranger = await pages.open(context);
    await stranger.evaluate((id) => {
      const channel = new BroadcastChannel(`foyer:${id}`);
      for (const note of [null, 7, "hello", { kind: "news of tomorrow" }, { kind: "told" }]) {
        channel.postMessage(note);
      }
    }, ada.user.id);
    await ben.send(room.id, "told after it");
    await settle(ada, tabs);
    for (const tab of tabs) expect(await tab.title()).toBe("A bare page"); // live as before
    const leader = await leaderOf(tabs);
    await leader.close();
    const others = tabs.filter((tab) => tab !== leader);
    await leaderOf(others);
    for (const tab of others) await hasStatus(tab, "live");
    await ben.send(room.id, "told by the next");
    await settle(ada, others);
  });

  test("is asked for by one poll at a time, however often the stream comes and goes meanwhile", async () => {
    const tab = await pages.open(context);
    const polls: (() => void)[] = [];
    let stream = "";
    pages.intercept = (request, path) => {
      if (path === "/stream/rooms") {
        return new Response(stream, { headers: { "content-type": "text/event-stream" } }); // and it breaks
      }
      if (path !== "/rooms" || new URL(request.url).search === "") return undefined;
      return new Promise((resolve) => polls.push(() => resolve(undefined)));
    };
    await openClient(tab, { pollMs: 100, retryMs: { first: 40, most: 80 } });
    await eventually(() => polls.length === 1);
    stream = "event: ping\ndata: {}\n\n";
    await eventually(() => polls.length === 4, "a poll each time that it broke");
    stream = "";
    await hasStatus(tab, "connecting");
    for (const answer of polls.splice(0)) answer();
    await hasStatus(tab, "polling");
    await eventually(() => polls.length > 0);
    await tab.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300))); // time for more than one
    expect(polls.length).toBe(1);
  });
});

describe("a tab that starts", () => {
  test("while another signs out does not take itself for signed in", async () => {
    const [first] = await openTabs(pages, context, 1);
    const late = await pages.open(context);
    const asking = delayed("GET", (path) => path === "/rooms");
    const opening = openClient(late).then(
      () => "open",
      (error) => String(error),
    );
    await asking.answered;
    await first?.evaluate(async () => {
      await window.client.api.signOut();
      window.client.announceSignOut();
    });
    await late.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100))); // and it has been heard of
    asking.release();
    expect(await opening).toContain("ApiError");
  });
});

describe("a timeline", () => {
  const bodies = (tab: Page) => tab.evaluate(() => window.timeline.messages.map(({ body }) => body));

  /** The room's next stream begins with what a stream says to one who was away for too long. */
  async function resetStream(roomId: number): Promise<void> {
    const { messages, cursor } = await ada.page(roomId);
    const { intercept } = pages;
    let isTold = false;
    pages.intercept = (request, path) => {
      if (isTold || path !== `/stream/rooms/${roomId}`) return intercept(request, path);
      isTold = true;
      const data = JSON.stringify({ reset: true, messages, cursor });
      return new Response(`event: messages\nid: ${cursor}\ndata: ${data}\n\n`, {
        headers: { "content-type": "text/event-stream" },
      });
    };
  }

  test("holds no older state from an answer that a reset has overtaken", async () => {
    const room = await ben.openRoom("overtaken", [ada]);
    for (let i = 1; i <= 3; i++) await ben.send(room.id, `message ${i}`);
    const [tab] = await openTabs(pages, context, 1, { retryMs: { first: 50, most: 100 } });
    if (!tab) throw new Error("no tab");
    await openTimeline(tab, room.id);
    await eventually(() => server.hub.state.timelines === 1);
    await show(tab, false);
    await eventually(() => server.hub.state.timelines === 0);
    const asking = delayed("GET", (path) => path === `/rooms/${room.id}/messages`);
    const opening = tab.evaluate(() => window.timeline.open());
    await asking.answered;
    await ben.must("PATCH", `/rooms/${room.id}/messages/2`, { body: "edited" });
    await resetStream(room.id);
    await show(tab, true);
    await eventually(async () => (await bodies(tab))[1] === "edited");
    asking.release();
    await opening;
    await eventually(async () => (await tab.evaluate(() => window.timeline.loading)) === null);
    expect(await bodies(tab)).toEqual(["message 1", "edited", "message 3"]);
  });

  test("without a stream asks again for what it could not get", async () => {
    const room = await ben.openRoom("polled", [ada]);
    pages.intercept = (_, path) =>
      path.startsWith("/stream") ? new Response("", { status: 502 }) : undefined;
    const pace = { retryMs: { first: 50, most: 100 }, pollMs: 100 };
    const [tab] = await openTabs(pages, context, 1, pace);
    if (!tab) throw new Error("no tab");
    await openTimeline(tab, room.id);
    await hasStatus(tab, "polling");
    const { intercept } = pages;
    let refused = 0;
    pages.intercept = (request, path) =>
      path.endsWith("/messages") && ++refused <= 3
        ? new Response("", { status: 503 })
        : intercept(request, path);
    await ben.send(room.id, "seen in the list");
    await settle(ada, [tab]);
    await eventually(async () => (await bodies(tab)).includes("seen in the list"));
    await tab.waitForFunction(() => window.timeline.error === null);
    expect(refused).toBeGreaterThan(3);
  });

  test("that could not be loaded again after a reset is loaded once it can be", async () => {
    const room = await ben.openRoom("again", [ada]);
    for (let i = 1; i <= 120; i++) await ben.send(room.id, `message ${i}`);
    const pace = { retryMs: { first: 50, most: 100 }, pollMs: 100 };
    const [tab] = await openTabs(pages, context, 1, pace);
    if (!tab) throw new Error("no tab");
    await openTimeline(tab, room.id, 20);
    await eventually(() => server.hub.state.timelines === 1);
    await show(tab, false);
    await ben.must("PATCH", `/rooms/${room.id}/messages/20`, { body: "edited" });
    pages.intercept = (_, path) =>
      path.endsWith("/messages") ? new Response("", { status: 503 }) : undefined;
    await resetStream(room.id);
    await show(tab, true);
    await tab.waitForFunction(() => window.timeline.error !== null && window.timeline.loading === null);
    pages.intercept = () => undefined;
    pages.cut();
    await eventually(async () => (await bodies(tab)).includes("edited"));
  });
});
