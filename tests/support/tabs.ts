import type { BrowserContext, CDPSession, Page } from "playwright-core";
import type { Pace } from "../../src/web/client/index.ts";
import type { Client as Person } from "./client.ts";
import { type ClientPages, openClient } from "./client-page.ts";
import { eventually } from "./eventually.ts";

/** Tabs of one browser, each with the client open. */
export async function openTabs(
  pages: ClientPages,
  context: BrowserContext,
  count: number,
  pace: Partial<Pace> = {},
): Promise<Page[]> {
  const tabs: Page[] = [];
  for (let i = 0; i < count; i++) {
    const tab = await pages.open(context);
    await openClient(tab, pace);
    tabs.push(tab);
  }
  return tabs;
}

/** The list in a tab. */
export const listIn = (tab: Page) => tab.evaluate(() => window.client.rooms.all());

/** Waits until each tab holds what the server says. */
export async function settle(person: Person, tabs: Page[]): Promise<void> {
  for (const [i, tab] of tabs.entries()) {
    await eventually(
      async () => Bun.deepEquals(await listIn(tab), (await person.list()).rooms),
      `tab ${i} holds what the server says`,
    );
  }
}

/** Waits until a tab has a status. */
export const hasStatus = (tab: Page, status: string): Promise<unknown> =>
  tab.waitForFunction((status) => window.client.status === status, status, { timeout: 15_000 });

/** Waits until exactly one of these tabs leads. */
export async function leaderOf(tabs: Page[]): Promise<Page> {
  let found: Page[] = [];
  await eventually(async () => {
    const leading = await Promise.all(tabs.map((tab) => tab.evaluate(() => window.client.isLeading)));
    found = tabs.filter((_, i) => leading[i]);
    return found.length === 1;
  }, "one tab leads");
  return found[0] as Page;
}

const asleep = new WeakMap<Page, CDPSession>();

/** Puts a tab to sleep: it runs nothing any more, and keeps its connections and locks. What comes for it waits. */
export async function sleep(tab: Page): Promise<void> {
  const session = await tab.context().newCDPSession(tab);
  asleep.set(tab, session);
  await session.send("Debugger.enable");
  await session.send("Debugger.pause");
}

/** Wakes it up: it goes on with what waits. */
export async function wake(tab: Page): Promise<void> {
  const session = asleep.get(tab);
  await session?.send("Debugger.disable");
  await session?.detach();
}
