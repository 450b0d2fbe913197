import { afterAll, beforeAll, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import type { Client } from "./support/client.ts";
import { type ClientPages, clientPages, openClient } from "./support/client-page.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";

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

/** The list in a page, as it is shown. */
const list = (page: Page) => page.evaluate(() => window.client.rooms.all());
const leads = (page: Page) => page.evaluate(() => window.client.isLeading);
const status = (page: Page) => page.evaluate(() => window.client.status);

/** Waits until what each page shows is what the server says. */
async function settle(person: Client, tabs: Page[]): Promise<void> {
  for (const tab of tabs) {
    await eventually(
      async () => Bun.deepEquals(await list(tab), (await person.list()).rooms),
      "the list in a tab",
    );
  }
}

async function leaderOf(tabs: Page[]): Promise<Page> {
  let found: Page[] = [];
  await eventually(async () => {
    const leading = await Promise.all(tabs.map(leads));
    found = tabs.filter((_, i) => leading[i]);
    return found.length === 1;
  }, "one tab leads");
  return found[0] as Page;
}

async function tabsOf(context: BrowserContext, count: number, pace = {}): Promise<Page[]> {
  const tabs: Page[] = [];
  for (let i = 0; i < count; i++) {
    const tab = await pages.open(context);
    await openClient(tab, pace);
    tabs.push(tab);
  }
  return tabs;
}

test("twelve tabs hold one stream; when its tab closes another takes over, and nothing is lost", async () => {
  const ada = await server.person("ada");
  const context = await pages.context(ada);
  const room = await ben.openRoom("twelve", [ada]);
  const tabs = await tabsOf(context, 12);
  let leader = await leaderOf(tabs);
  await eventually(() => server.hub.state.streams === 1);
  await eventually(async () => (await Promise.all(tabs.map(status))).every((said) => said === "live"));
  for (let i = 0; i < 3; i++) await ben.send(room.id, `to all ${i}`);
  await settle(ada, tabs);
  expect(server.hub.state.streams).toBe(1);

  for (let i = 0; i < 4; i++) {
    const others = tabs.filter((tab) => tab !== leader);
    const sending = ben.send(room.id, `meanwhile ${i}`);
    await leader.close();
    await sending;
    tabs.splice(tabs.indexOf(leader), 1);
    leader = await leaderOf(others);
    await settle(ada, others);
    await eventually(() => server.hub.state.streams === 1);
  }
  await context.close();
  await eventually(() => server.hub.state.streams === 0);
});
