import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { type ClientPages, clientPages, show } from "./support/client-page.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { hasStatus, leaderOf, listIn, openTabs, settle, sleep, wake } from "./support/tabs.ts";

let server: TestServer;
let pages: ClientPages;
let ben: Client;
beforeAll(async () => {
  server = await testServer();
  pages = await clientPages(server.api);
  ben = await server.person("ben");
});
afterAll(async () => {
  await pages.close();
  await server.close();
});

const streams = (count: number) => eventually(() => server.hub.state.streams === count, `${count} streams`);

/** Impatient with a leader that sleeps. */
const IMPATIENT = { silenceMs: 300, answerMs: 150 };

describe("the tabs of a browser", () => {
  test("twelve hold one stream; when its tab closes another takes over, and nothing is lost", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const room = await ben.openRoom("twelve", [ada]);
    const tabs = await openTabs(pages, context, 12);
    let leader = await leaderOf(tabs);
    for (const tab of tabs) await hasStatus(tab, "live");
    for (let i = 0; i < 3; i++) await ben.send(room.id, `to all ${i}`);
    await settle(ada, tabs);
    await streams(1);

    for (let i = 0; i < 4; i++) {
      const sending = ben.send(room.id, `meanwhile ${i}`);
      await leader.close();
      await sending;
      tabs.splice(tabs.indexOf(leader), 1);
      leader = await leaderOf(tabs);
      await settle(ada, tabs);
      await streams(1);
    }
    await context.close();
    await streams(0);
  });

  test("a leader that sleeps is robbed by one that is seen; once awake it follows, and holds what it missed", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const room = await ben.openRoom("asleep", [ada]);
    const tabs = await openTabs(pages, context, 3, IMPATIENT);
    const leader = await leaderOf(tabs);
    const others = tabs.filter((tab) => tab !== leader);
    await sleep(leader);
    await ben.send(room.id, "while the leader sleeps");
    await leaderOf(others);
    await settle(ada, others);
    await ben.send(room.id, "the new one tells");
    await settle(ada, others);
    await wake(leader);
    await settle(ada, tabs);
    expect(await leaderOf(tabs)).not.toBe(leader);
    await streams(1);
    await ben.send(room.id, "all of them follow");
    await settle(ada, tabs);
    await context.close();
    await streams(0);
  });

  test("a leader that only has nothing to tell answers when it is asked, and is left alone", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const tabs = await openTabs(pages, context, 3, IMPATIENT);
    const leader = await leaderOf(tabs);
    const opened = pages.requests.length;
    let asked = 0;
    await leader.exposeFunction("asked", () => asked++);
    await leader.evaluate(() => {
      const channel = new BroadcastChannel(`foyer:${window.client.me.id}`);
      channel.onmessage = ({ data }) => data.kind === "hello" && (window as any).asked();
    });
    await eventually(() => asked >= 8);
    expect(await leaderOf(tabs)).toBe(leader);
    expect(pages.requests.slice(opened)).toEqual([]);
    await context.close();
    await streams(0);
  });

  test("what a leader of before still tells is not listened to", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const room = await ben.openRoom("stale", [ada]);
    const tabs = await openTabs(pages, context, 2);
    for (const tab of tabs) await hasStatus(tab, "live");
    await tabs[1]?.evaluate(() => {
      const { rooms } = window.client;
      rooms.listen(() => {
        if (rooms.all().length === 0) document.title = "emptied";
      });
    });
    await tabs[0]?.evaluate(() => {
      const channel = new BroadcastChannel(`foyer:${window.client.me.id}`);
      const page = { cursor: "old", rooms: [], left: [], reset: true };
      channel.postMessage({ kind: "told", term: 1, count: 7, status: "live", cursor: "old", page });
    });
    await ben.send(room.id, "and now");
    await tabs[1]?.waitForFunction(() => window.client.rooms.all()[0]?.lastMessage?.body === "and now");
    await settle(ada, tabs);
    expect(await tabs[1]?.title()).toBe("A bare page");
    await context.close();
    await streams(0);
  });

  test("a tab whose browser dropped what it was told asks for it", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const room = await ben.openRoom("dropped", [ada]);
    await context.addInitScript(() => {
      const { postMessage } = BroadcastChannel.prototype;
      BroadcastChannel.prototype.postMessage = function (note) {
        if (!note.page || document.title !== "unheard") postMessage.call(this, note);
      };
    });
    const tabs = await openTabs(pages, context, 2, IMPATIENT);
    const leader = await leaderOf(tabs);
    await leader.evaluate(() => {
      document.title = "unheard";
    });
    await ben.send(room.id, "dropped");
    await settle(ada, tabs);
    await context.close();
    await streams(0);
  });

  test("a tab that missed what the new leader had already asked for gets it all the same", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const room = await ben.openRoom("a gap", [ada]);
    const [leader, hidden] = await openTabs(pages, context, 2, IMPATIENT);
    if (!leader || !hidden) throw new Error("no tabs");
    await show(hidden, false); // it robs nobody
    await sleep(leader);
    await ben.send(room.id, "nobody tells of this");
    const [newcomer] = await openTabs(pages, context, 1, IMPATIENT);
    if (!newcomer) throw new Error("no tab");
    await leaderOf([hidden, newcomer]);
    expect(await newcomer.evaluate(() => window.client.isLeading)).toBe(true);
    await settle(ada, [hidden, newcomer]);
    await context.close();
    await streams(0);
  });

  test("a sign-out in one is told to all", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const tabs = await openTabs(pages, context, 3);
    for (const tab of tabs) {
      await tab.evaluate(() => window.client.onSignedOut(() => (document.title += " signed out")));
    }
    const [first, ...rest] = tabs;
    await first?.evaluate(async () => {
      await window.client.api.signOut();
      window.client.announceSignOut();
      window.client.close();
    });
    for (const tab of rest) await tab.waitForFunction(() => document.title === "A bare page signed out");
    await streams(0);
    await context.close();
  });

  test("a session that ends on the server is told to all", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const tabs = await openTabs(pages, context, 2);
    for (const tab of tabs) {
      await tab.evaluate(() => window.client.onSignedOut(() => (document.title += " signed out")));
    }
    for (const tab of tabs) await hasStatus(tab, "live");
    const asked = pages.requests.length;
    await (await ada.signInAgain()).must("PUT", "/session/password", {
      current: "correct horse",
      next: "another horse",
    });
    for (const tab of tabs) await tab.waitForFunction(() => document.title === "A bare page signed out");
    // The one whose stream says so knows; the one that it tells asks, and may lead until it is answered.
    const requests = pages.requests.slice(asked).filter((request) => !request.startsWith("GET /stream/"));
    expect(new Set(requests)).toEqual(new Set(["GET /session"]));
    await context.close();
  });

  test("where there are no locks, each has a stream of its own", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    await context.addInitScript(() => Object.defineProperty(navigator, "locks", { value: undefined }));
    const room = await ben.openRoom("insecure", [ada]);
    const tabs = await openTabs(pages, context, 2);
    await streams(2);
    await ben.send(room.id, "to each");
    await settle(ada, tabs);
    await context.close();
    await streams(0);
  });

  test("a client that is closed leaves nothing behind", async () => {
    const ada = await server.person("ada");
    const context = await pages.context(ada);
    const room = await ben.openRoom("closed", [ada]);
    await context.addInitScript(() => {
      const timers = new Set<unknown>();
      const { setTimeout: set, clearTimeout: clear } = window;
      window.setTimeout = ((fn: () => void, ms: number) => {
        const timer = set(() => {
          timers.delete(timer);
          fn();
        }, ms);
        timers.add(timer);
        return timer;
      }) as typeof window.setTimeout;
      window.clearTimeout = ((timer: number) => {
        timers.delete(timer);
        clear(timer);
      }) as typeof window.clearTimeout;
      Object.assign(window, { timers });
    });
    const [tab, other] = await openTabs(pages, context, 2);
    if (!tab || !other) throw new Error("no tabs");
    for (const page of [tab, other]) {
      const left = await page.evaluate(async (roomId) => {
        const timeline = window.client.timeline(roomId);
        await timeline.open();
        window.client.outbox.send(roomId, "on its way");
        window.client.close();
        await new Promise((resolve) => navigator.locks.request("after the others", resolve));
        return { timers: (window as unknown as { timers: Set<unknown> }).timers.size };
      }, room.id);
      expect(left).toEqual({ timers: 0 });
    }
    await eventually(async () => {
      const { held = [], pending = [] } = await other.evaluate(() => navigator.locks.query());
      return held.length + pending.length === 0;
    }, "no locks");
    await streams(0);
    const asked = pages.requests.length;
    await ben.send(room.id, "unheard");
    expect((await listIn(tab))[0]?.lastMessage?.body).not.toBe("unheard");
    const follows = pages.requests
      .slice(asked)
      .filter((request) => /^GET .(stream|rooms\?|rooms$)/.test(request));
    expect(follows).toEqual([]);
    await context.close();
  });
});
