import { afterAll, beforeAll, expect, test } from "bun:test";
import { visitAs } from "./support/browser.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { act, badgeOf, composer, messageOf, miss, rowOf, say, see } from "./support/talk.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

/** What the browser says of requests that found no server. */
const UNREACHED =
  /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 503/;

test("what is written offline is shown as unsent, survives a reload, and arrives once, in order", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("tunnel", [bob]);
  const tab = await visitAs(ann);
  tab.expected.push(UNREACHED);
  const page = await tab.open(`#/room/${room.id}`);
  await say(page, "before");
  await see(messageOf(page, "before"));
  await tab.context.setOffline(true);
  await see(page.locator(".status-line"), "You are offline");
  await say(page, "one");
  await say(page, "two");
  await see(page.locator(".pending.waiting"), "two");
  await bob.send(room.id, "meanwhile");
  await tab.context.setOffline(false);
  await see(messageOf(page, "meanwhile"));
  await see(messageOf(page, "two"));
  await miss(page.locator(".pending"));
  await eventually(async () => (await page.locator(".status-line").textContent()) === "");
  await page.reload();
  await see(messageOf(page, "two"));
  const { messages } = await bob.page(room.id);
  expect(messages.map(({ body }) => body)).toEqual(["before", "meanwhile", "one", "two"]);
});

test("a conversation goes on over a restart of the server, and nothing is lost or doubled", async () => {
  const first = await testServer();
  const [ann, bob] = [await first.person("ann"), await first.person("bob")];
  const room = await ann.openRoom("restart", [bob]);
  const [annsTab, bobsTab] = [await visitAs(ann), await visitAs(bob)];
  annsTab.expected.push(UNREACHED);
  bobsTab.expected.push(UNREACHED);
  const annsPage = await annsTab.open(`#/room/${room.id}`);
  const bobsPage = await bobsTab.open();
  await say(annsPage, "one");
  await see(badgeOf(bobsPage, "restart"), "1");

  const port = new URL(first.url).port;
  await first.stop();
  await say(annsPage, "two");
  await see(annsPage.locator(".pending"), "two");
  await see(annsPage.locator(".status-line"), "Reconnecting");
  const second = await testServer({ PORT: port }, first.database);
  await see(badgeOf(bobsPage, "restart"), "2");
  await miss(annsPage.locator(".pending"));
  await rowOf(bobsPage, "restart").click();
  await say(bobsPage, "three");
  await see(messageOf(annsPage, "three"));
  expect(await annsPage.locator("[data-seq] .body").allTextContents()).toEqual(["one", "two", "three"]);
  await Promise.all([annsTab.leave(), bobsTab.leave()]);
  await second.close();
  await first.close();
});

test("twelve tabs hold one stream of the list between them, and each is live", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("many", [bob]);
  const tab = await visitAs(ann);
  const streams: string[] = [];
  tab.context.on("request", (request) => {
    if (request.url().includes("/stream/rooms")) streams.push(new URL(request.url()).pathname);
  });
  const pages = [await tab.open()];
  for (let n = 1; n < 12; n++) {
    const page = await tab.context.newPage();
    await page.goto(server.url);
    pages.push(page);
  }
  for (const page of pages) await see(rowOf(page, "many"));
  await bob.send(room.id, "to all");
  for (const page of pages) await see(badgeOf(page, "many"), "1");
  expect(streams).toEqual(["/chat/api/stream/rooms"]);

  // In all of them the room is open: one stream more, and each sends and reads for all.
  for (const page of pages) await rowOf(page, "many").click();
  for (const page of pages) await see(messageOf(page, "to all"));
  await say(pages[7] as (typeof pages)[0], "from the eighth");
  for (const page of pages) {
    await see(messageOf(page, "from the eighth"));
    await miss(badgeOf(page, "many"));
  }
  expect(new Set(streams)).toEqual(new Set(["/chat/api/stream/rooms", `/chat/api/stream/rooms/${room.id}`]));
});

test("what the server refuses is said in words, and can be sent again or discarded", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("refusals", [bob]);
  const tab = await visitAs(bob);
  tab.expected.push(/status of 4\d\d/);
  const page = await tab.open(`#/room/${room.id}`);
  await composer(page).fill("x".repeat(10_003));
  await see(page.locator(".composer .fault"), "3 characters too long");
  await composer(page).press("Enter");
  expect(await page.locator(".pending").count()).toBe(0);
  await say(page, "   ");
  expect(await page.locator(".pending, .message").count()).toBe(0);

  await page.route("**/messages", (route) =>
    route.request().method() === "POST"
      ? route.fulfill({
          status: 403,
          contentType: "application/problem+json",
          body: JSON.stringify({ title: "Forbidden", status: 403, code: "forbidden", detail: "no" }),
        })
      : route.fallback(),
  );
  await say(page, "will not go");
  await see(page.locator(".pending.refused"), "You are not allowed to do that.");
  await page.unroute("**/messages");
  await page.getByRole("button", { name: "Send again" }).click();
  await see(messageOf(page, "will not go"));
  await miss(page.locator(".pending"));
  expect((await ann.page(room.id)).messages.length).toBe(1);
});

test("who is removed from a room, or signed out, sees that", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("leaving", [bob]);
  const tab = await visitAs(bob);
  tab.expected.push(/status of 40[14]/);
  const page = await tab.open(`#/room/${room.id}`);
  await see(composer(page));
  await ann.must("DELETE", `/rooms/${room.id}/members/${bob.user.id}`);
  await see(page.locator(".main-empty"), "You are not in this room");
  await miss(rowOf(page, "leaving"));
  await bob.must("DELETE", "/session");
  await see(page.getByRole("button", { name: "Sign in" }));
});

test("an action that fails says so beside it, and is not done", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("faults");
  await ann.send(room.id, "stays");
  const tab = await visitAs(ann);
  tab.expected.push(/status of 503/);
  const page = await tab.open(`#/room/${room.id}`);
  await see(messageOf(page, "stays"));
  await page.route("**/messages/1", (route) => route.fulfill({ status: 503, body: "no problem document" }));
  await act(page, "stays", "Delete");
  await messageOf(page, "stays").getByRole("group").getByRole("button", { name: "Delete" }).click();
  await see(messageOf(page, "stays").getByRole("alert"));
  expect((await ann.page(room.id)).messages[0]?.deletedAt).toBeNull();
});
