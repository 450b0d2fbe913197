import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { visitAs } from "./support/browser.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { badgeOf, composer, messageOf, miss, rowOf, see } from "./support/talk.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

/** The names as they are seen, from the top. */
const order = async (page: Page): Promise<string[]> => {
  const rows = await page
    .locator(".row-place")
    .evaluateAll((all) =>
      all
        .toSorted((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
        .map((row) => row.querySelector(".row-name")?.firstChild?.textContent ?? ""),
    );
  return rows;
};

/** Many rooms at once, straight into the database. @returns the newest one's id */
async function manyRooms({ user }: Client, count: number): Promise<void> {
  const { sql } = server.database;
  await sql`
    with made as (
      insert into foyer.rooms (kind, name, created_at)
      select 'open', 'room ' || n, now() - n * interval '1 minute' from generate_series(1, ${count}) n
      returning id
    )
    insert into foyer.memberships (room_id, user_id, role)
    select id, ${user.id}, 'member' from made`;
}

test("the newest activity comes first, but never away from under the pointer", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const [a, , c] = [
    await ann.openRoom("alpha", [bob]),
    await ann.openRoom("beta", [bob]),
    await ann.openRoom("gamma", [bob]),
  ];
  const tab = await visitAs(bob);
  const page = await tab.open();
  await see(rowOf(page, "alpha"));
  expect(await order(page)).toEqual(["gamma", "beta", "alpha"]);
  await ann.send(a.id, "up");
  await see(badgeOf(page, "alpha"), "1");
  await eventually(async () => (await order(page)).join() === "alpha,gamma,beta");

  await rowOf(page, "gamma").hover();
  await ann.send(c.id, "under the pointer");
  await see(badgeOf(page, "gamma"), "1"); // told, not moved
  expect(await order(page)).toEqual(["alpha", "gamma", "beta"]);
  await page.mouse.move(800, 400);
  await eventually(async () => (await order(page)).join() === "gamma,alpha,beta");
});

test("a muted room's messages are counted quietly, and not in the tab's title", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const loud = await ann.openRoom("loud", [bob]);
  const muted = await ann.openRoom("muted", [bob]);
  await bob.must("PATCH", `/rooms/${muted.id}/members/me`, { involvement: "none" });
  const tab = await visitAs(bob);
  const page = await tab.open();
  await ann.send(muted.id, "quiet");
  await ann.send(loud.id, "loud");
  await see(badgeOf(page, "loud"), "1");
  expect(await page.title()).toBe("(1) Foyer");
  expect(await badgeOf(page, "muted").getAttribute("class")).toBe("badge quiet");
  await page.getByRole("button", { name: "Mark everything as read" }).click();
  await see(page.getByRole("dialog"), "2 unread messages in 2 rooms");
  await page.getByRole("dialog").getByRole("button", { name: "Mark everything as read" }).click();
  await miss(page.locator("[data-unread]"));
  await eventually(async () => (await page.title()) === "Foyer");
  expect(await page.locator("link[rel=icon]").getAttribute("href")).not.toContain("unread");
});

test("of five thousand rooms some dozens are drawn; keys reach each of them, and the filter finds one", async () => {
  const ann = await server.person("ann");
  await manyRooms(ann, 5_000);
  const tab = await visitAs(ann, { viewport: { width: 1000, height: 700 } });
  const page = await tab.open();
  await see(rowOf(page, "room 1"));
  const drawn = () => page.locator(".row").count();
  expect(await drawn()).toBeLessThan(40);
  await page.locator(".row").first().focus();
  await page.keyboard.press("End");
  await eventually(async () => (await page.locator(":focus .row-name").textContent()) === "room 5000");
  expect(await drawn()).toBeLessThan(40);
  expect(await page.locator(":focus").locator("..").getAttribute("aria-posinset")).toBe("5000");
  await page.keyboard.press("ArrowUp");
  await eventually(async () => (await page.locator(":focus .row-name").textContent()) === "room 4999");
  await page.keyboard.press("Enter");
  await see(composer(page));
  await page.getByRole("searchbox").fill("ROOM 2345");
  await eventually(async () => (await page.locator(".row-name").allTextContents()).join() === "room 2345");
  await page.getByRole("searchbox").fill("nothing like it");
  await see(page.locator(".rows-empty"), "No room matches");
});

test("who has scrolled down keeps the rows in sight when others come to the top", async () => {
  const ann = await server.person("ann");
  await manyRooms(ann, 60);
  const tab = await visitAs(ann, { viewport: { width: 1000, height: 500 } });
  const page = await tab.open();
  await see(rowOf(page, "room 1"));
  await page.locator(".rows").evaluate((rows) => rows.scrollTo(0, 2_000));
  await see(rowOf(page, "room 31"));
  const place = () => rowOf(page, "room 31").evaluate((row) => row.getBoundingClientRect().top);
  const before = await place();
  const room = await ann.openRoom("brand new");
  await eventually(
    async () => (await page.locator(".row-place").first().getAttribute("aria-setsize")) === "61",
  );
  expect(await place()).toBe(before);
  await ann.send(room.id, "and again");
  expect(await place()).toBe(before);
});

test("on a narrow screen there is the list or the room, a way back, and all by touch", async () => {
  const ann = await server.person("ann");
  const pocket = await ann.openRoom("pocket");
  const tab = await visitAs(ann, { viewport: { width: 390, height: 800 }, hasTouch: true });
  const page = await tab.open();
  await rowOf(page, "pocket").tap();
  await see(composer(page));
  expect(await rowOf(page, "pocket").isVisible()).toBe(false);
  await ann.send(pocket.id, "tap me");
  await messageOf(page, "tap me").tap();
  await messageOf(page, "tap me").getByRole("button", { name: "React" }).tap();
  await page.getByRole("button", { name: "🎉" }).tap();
  await see(messageOf(page, "tap me").locator(".reaction"), "1");
  await messageOf(page, "tap me").getByRole("button", { name: "Reply" }).tap();
  await see(page.locator(".composer-banner"), "tap me");
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBe(390);
  await page.getByRole("link", { name: "Back to the rooms" }).tap();
  await see(rowOf(page, "pocket"));
});
