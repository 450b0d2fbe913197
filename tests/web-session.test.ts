import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import { Client } from "./support/client.ts";
import { type ClientPages, clientPages, openClient } from "./support/client-page.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { hasStatus, leaderOf, openTabs, settle, sleep, wake } from "./support/tabs.ts";

let server: TestServer;
let pages: ClientPages;
let ada: Client;
let context: BrowserContext;
beforeAll(async () => {
  server = await testServer();
  pages = await clientPages(server.api);
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

const QUICK = { retryMs: { first: 50, most: 100 } };

const tabOf = async (): Promise<Page> => (await openTabs(pages, context, 1, QUICK))[0] as Page;

const send = (tab: Page, roomId: number, body: string) =>
  tab.evaluate(
    ([roomId, body]) => void window.client.outbox.send(roomId as number, body as string),
    [roomId, body],
  );

const noteSignOut = (tab: Page) =>
  tab.evaluate(() => window.client.onSignedOut(() => (document.title = "signed out")));
const isSignedOut = (tab: Page) => tab.waitForFunction(() => document.title === "signed out");

/** The keys that hold what was not sent. */
const unsent = (tab: Page) =>
  tab.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("foyer:outbox:")));

describe("somebody else who signs in in the same browser", () => {
  async function signIn(person: Client): Promise<void> {
    const [name = "", value = ""] = (person.headers.cookie ?? "").split("=");
    await context.addCookies([{ name, value, url: pages.url }]);
  }

  test("ends what other tabs do for the one before, and nothing is sent in the wrong name", async () => {
    const eve = await server.person("eve");
    const room = await ada.openRoom("shared", [eve]);
    const tab = await tabOf();
    await hasStatus(tab, "live");
    await noteSignOut(tab);
    pages.intercept = ({ method }) => (method === "POST" ? new Response("", { status: 503 }) : undefined);
    await send(tab, room.id, "in my name");
    await eventually(() => pages.requests.filter((request) => request.startsWith("POST")).length >= 1);
    await signIn(eve);
    const evesTab = await tabOf();
    await isSignedOut(tab);
    pages.intercept = () => undefined;
    await settle(eve, [evesTab]);
    expect((await eve.page(room.id)).messages).toEqual([]);

    await signIn(ada);
    await ada.send(room.id, "before");
    await tabOf();
    await eventually(async () => (await ada.page(room.id)).messages.length === 2);
    const { messages } = await ada.page(room.id);
    expect(messages.map(({ sender, body }) => [sender.id, body])).toEqual([
      [ada.user.id, "before"],
      [ada.user.id, "in my name"],
    ]);
  });

  test("is asked after where a tab only says so", async () => {
    const [tab, other] = [await tabOf(), await tabOf()];
    await noteSignOut(tab);
    await other.evaluate(() => localStorage.setItem("foyer:signed-in", "999999"));
    const me = String(ada.user.id);
    await tab.waitForFunction((me) => localStorage.getItem("foyer:signed-in") === me, me);
    expect(await tab.title()).not.toBe("signed out");
  });
});

test("who signs out and in again is not signed out by a tab that only now hears of the first", async () => {
  const tabs = [await tabOf(), await tabOf()];
  const leader = await leaderOf(tabs);
  const other = tabs.find((tab) => tab !== leader) as Page;
  await hasStatus(leader, "live");
  await sleep(leader);
  await other.evaluate(
    async ([handle, password]) => {
      const { api } = window.client;
      await api.signOut();
      window.client.announceSignOut();
      window.client.close();
      const me = await api.signIn({ handle: handle as string, password: password as string });
      window.client = await window.foyer.Client.open(api, me, { silenceMs: 300, answerMs: 100 });
    },
    [ada.user.handle, Client.password],
  );
  await noteSignOut(other);
  await hasStatus(other, "live");
  await wake(leader);
  await other.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300))); // time for what it says
  expect(await other.title()).not.toBe("signed out");
});

describe("what was not sent", () => {
  test("is not kept by a tab that was under way with it when its person signed out", async () => {
    const room = await ada.openRoom("leaving");
    const tabs = [await tabOf(), await tabOf()];
    const leader = await leaderOf(tabs);
    const other = tabs.find((tab) => tab !== leader) as Page;
    await hasStatus(leader, "live");
    await noteSignOut(leader);
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: answer, resolve: refuse } = Promise.withResolvers<undefined>();
    pages.intercept = ({ method }, path) => {
      if (method !== "POST" || !path.endsWith("/messages")) return undefined;
      arrive();
      return answer;
    };
    await send(leader, room.id, "for nobody to see");
    await arrived;
    await other.evaluate(() => window.client.api.signOut());
    await isSignedOut(leader);
    await other.evaluate(() => window.client.outbox.clear());
    const answered = leader.waitForResponse((response) => response.url().endsWith("/messages"));
    refuse(undefined);
    await (await answered).finished();
    await leader.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)));
    expect(await unsent(leader)).toEqual([]);
  });

  test("is not what something else has left in the storage", async () => {
    const room = await ada.openRoom("litter");
    const tab = await pages.open(context);
    await tab.evaluate(
      ([id, roomId]) => {
        const kept = { clientId: "e", roomId, body: "b", replyTo: null, createdAt: "", order: 1, tab: "t" };
        const litter = [
          "",
          "{",
          "null",
          "[]",
          '"text"',
          JSON.stringify({ clientId: "5", body: "no room" }),
          JSON.stringify({ ...kept, clientId: "6", roomId: "../users/me" }),
          JSON.stringify({ ...kept, clientId: "7", order: null }),
          JSON.stringify({ ...kept, clientId: "another key's" }),
        ];
        for (const [i, text] of litter.entries()) localStorage.setItem(`foyer:outbox:${id}:${i}`, text);
        for (let i = 0; i < 3; i++) localStorage.setItem(`foyer:${id}:room:${i}`, "litter");
      },
      [ada.user.id, room.id],
    );
    const asked = pages.requests.length;
    await openClient(tab, QUICK);
    await send(tab, room.id, "mine");
    await eventually(async () => (await ada.page(room.id)).messages.length > 0);
    const sent = pages.requests.slice(asked).filter((request) => !request.startsWith("GET"));
    expect(sent).toEqual([`POST /rooms/${room.id}/messages`]);
  });

  test("has not arrived where the answer is none", async () => {
    const room = await ada.openRoom("swallowed");
    const tab = await tabOf();
    let swallowed = 0;
    pages.intercept = ({ method }) => (method === "POST" && ++swallowed < 3 ? new Response("") : undefined);
    await send(tab, room.id, "arrives");
    await eventually(async () => (await ada.page(room.id)).messages.length === 1);
    await eventually(async () => (await unsent(tab)).length === 0);
  });
});
