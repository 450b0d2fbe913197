import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { stumbles } from "./support/axe.ts";
import { visitAs } from "./support/browser.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { act, composer, messageOf, miss, rowOf, say, see } from "./support/talk.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

const UNAVAILABLE = {
  status: 503,
  contentType: "application/problem+json",
  body: JSON.stringify({ type: "about:blank", title: "", status: 503, detail: "", code: "unavailable" }),
};

async function fill(person: Client, roomId: number, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) await person.send(roomId, `message ${n}`);
}

/** What has the focus, by its name. */
const focused = (page: Page) =>
  page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.tagName);

/** Presses one of the buttons beside a message, by the keyboard. */
async function press(page: Page, text: string, action: string): Promise<void> {
  await messageOf(page, text).focus();
  await messageOf(page, text).getByRole("button", { name: action, exact: true }).focus();
  await page.keyboard.press("Enter");
}

/** Until what was to come with the next frame is there. */
const twoFrames = (page: Page) =>
  page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))),
  );

const belowEnd = (page: Page) =>
  page
    .locator(".scroller")
    .evaluate((scroller) => Math.round(scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop));

test("what is to be chosen beside a message is in sight, and stays while the pointer goes there", async () => {
  const ann = await server.person("ann");
  const [short, long] = [await ann.openRoom("short"), await ann.openRoom("long")];
  await fill(ann, short.id, 3);
  await fill(ann, long.id, 40);
  const tab = await visitAs(ann, { viewport: { width: 1000, height: 700 } });
  const page = await tab.open(`#/room/${short.id}`);
  const grid = page.locator(".emoji-grid");
  const isInSight = async () => {
    const [inside, around] = [await grid.boundingBox(), await page.locator(".scroller").boundingBox()];
    if (!inside || !around) return false;
    return inside.y >= around.y && inside.y + inside.height <= around.y + around.height;
  };
  await act(page, "message 3", "React");
  await see(grid);
  expect(await isInSight()).toBe(true);

  await rowOf(page, "long").click();
  await see(messageOf(page, "message 40"));
  const highest = await page.evaluate(() => {
    const top = document.querySelector(".scroller")?.getBoundingClientRect().top ?? 0;
    const all = [...document.querySelectorAll<HTMLElement>("[data-seq]")];
    return all.find((element) => element.getBoundingClientRect().bottom > top + 10)?.dataset.seq;
  });
  await act(page, `message ${highest}`, "React");
  await see(grid);
  expect(await isInSight()).toBe(true);
  await page.keyboard.press("Escape");

  await act(page, "message 30", "React");
  const from = await messageOf(page, "message 30").getByRole("button", { name: "React" }).boundingBox();
  const to = await grid.boundingBox();
  if (!from || !to) throw new Error("nothing to see");
  await page.mouse.move(from.x + 10, from.y + 10);
  await page.mouse.move(from.x + 10, to.y + to.height - 15, { steps: 40 }); // over other messages
  await grid.getByRole("button", { name: "🎉" }).click();
  await see(messageOf(page, "message 30").locator(".reaction"));
});

test("when what has the keyboard's focus goes, the focus goes on, not away", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("keys");
  await fill(ann, room.id, 60);
  const tab = await visitAs(ann);
  const page = await tab.open(`#/room/${room.id}`);
  await see(messageOf(page, "message 60"));
  const isOn = (text: string) =>
    eventually(() => messageOf(page, text).evaluate((row) => row === document.activeElement));
  const isCalled = (name: string) => eventually(async () => (await focused(page)) === name);

  await press(page, "message 58", "React");
  await see(page.locator(".emoji-grid button:focus"));
  await page.keyboard.press("Escape");
  await isCalled("React");
  await page.keyboard.press("Enter");
  await see(page.locator(".emoji-grid button:focus"));
  await page.keyboard.press("Enter");
  await isCalled("React");
  await messageOf(page, "message 58").locator(".reaction").focus();
  await page.keyboard.press("Enter");
  await miss(page.locator(".reaction"));
  await isOn("message 58");

  await press(page, "message 57", "Delete");
  await see(page.getByRole("group", { name: "Delete" }));
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await see(page.locator(".gone"));
  await eventually(() => page.locator(`[data-seq="57"]`).evaluate((row) => row === document.activeElement));

  await press(page, "message 56", "Reply");
  await page.getByRole("button", { name: "Do not reply" }).focus();
  await page.keyboard.press("Enter");
  await isCalled("Write to keys");
  const jump = page.getByRole("button", { name: "Jump to the newest message" });
  await eventually(async () => {
    // Again: while the box above changes its height, the end is kept in sight.
    await page.locator(".scroller").evaluate((scroller) => scroller.scrollTo(0, 0));
    return jump.isVisible();
  });
  await jump.focus();
  await page.keyboard.press("Enter");
  await isCalled("Write to keys");
});

test("a screen reader is told each new message of others, also the same words again", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("spoken", [bob]);
  await ann.send(room.id, "before");
  const tab = await visitAs(bob);
  const page = await tab.open(`#/room/${room.id}`);
  await see(messageOf(page, "before"));
  await say(page, "my own");
  await see(messageOf(page, "my own"));
  for (const text of ["yes", "yes", "no"]) await ann.send(room.id, text);
  const told = page.getByRole("log").locator("p");
  await eventually(async () => (await told.count()) === 3);
  const name = ann.user.name;
  expect(await told.allTextContents()).toEqual([`${name}: yes`, `${name}: yes`, `${name}: no`]);
});

test("nobody stumbles over the list or a room with all that may be in it, in light and dark", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("museum", [bob]);
  const first = await ann.send(room.id, `hello @${bob.user.handle}, see https://example.org`);
  await ann.send(room.id, "`code` and\n```\na block\n```", { replyTo: first.seq });
  await ann.must("PUT", `/rooms/${room.id}/messages/${first.seq}/reactions/${encodeURIComponent("👍")}`);
  await ann.send(room.id, "gone");
  await ann.must("DELETE", `/rooms/${room.id}/messages/${first.seq + 2}`);
  await bob.send(room.id, "mine");
  await bob.must("PUT", `/rooms/${room.id}/unread`, { seq: first.seq });
  const direct = await ann.must("POST", "/rooms", { kind: "direct", members: [bob.user.id] });
  await ann.send(direct.id, "psst");
  for (const colorScheme of ["light", "dark"] as const) {
    const tab = await visitAs(bob, { colorScheme });
    const page = await tab.open(`#/room/${room.id}`);
    await act(page, "mine", "React");
    await see(page.locator(".emoji-grid"));
    expect(await stumbles(page, ".shell")).toEqual([]);
    await page.keyboard.press("Escape");
    await act(page, "mine", "Delete");
    await composer(page).pressSequentially("@ann");
    await see(page.getByRole("option"));
    expect(await stumbles(page, ".shell")).toEqual([]);
    await bob.must("PUT", `/rooms/${room.id}/unread`, { seq: first.seq });
  }
});

test("on a narrow screen the way back leads to the row that one came from", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("pocket");
  await ann.openRoom("above");
  await ann.send(room.id, "first");
  const tab = await visitAs(ann, { viewport: { width: 390, height: 800 }, hasTouch: true });
  const page = await tab.open();
  await rowOf(page, "pocket").focus();
  await page.keyboard.press("Enter");
  await see(messageOf(page, "first"));
  await page.getByRole("link", { name: "Back to the rooms" }).focus();
  await page.keyboard.press("Enter");
  await eventually(() => rowOf(page, "pocket").evaluate((row) => row === document.activeElement));
});

test("what a panel or a dialog covers is not read before it can be seen", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("covered", [bob]);
  await ann.send(room.id, "first");
  const tab = await visitAs(bob, { viewport: { width: 390, height: 800 }, hasTouch: true });
  await tab.page.clock.install();
  const page = await tab.open(`#/room/${room.id}`);
  const unread = async () => (await bob.room(room.id)).unreadCount;
  await eventually(async () => (await unread()) === 0);
  const reads: string[] = [];
  page.on("request", (request) => request.url().endsWith("/read") && reads.push(request.url()));
  const arrives = async (text: string) => {
    await ann.send(room.id, text);
    await messageOf(page, text).waitFor({ state: "attached" });
    reads.length = 0;
    await page.clock.fastForward(1_000); // what was seen is gathered for less
    await twoFrames(page);
    expect(reads).toEqual([]);
  };
  await page.getByRole("button", { name: "Members", exact: true }).tap();
  await see(page.locator(".panel"));
  await arrives("behind a panel");
  expect(await unread()).toBe(1);
  await page.locator(".panel").getByRole("button", { name: "Close" }).tap();
  await eventually(async () => (await unread()) === 0);
  await page.getByRole("button", { name: "Room settings" }).tap();
  await see(page.getByRole("dialog"));
  await arrives("behind a dialog");
  expect(await unread()).toBe(1);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).tap();
  await eventually(async () => (await unread()) === 0);
});

test("a panel stands beside the room only where there is width for both", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("wide");
  const tab = await visitAs(ann, { viewport: { width: 820, height: 900 } });
  const page = await tab.open(`#/room/${room.id}`);
  await page.getByRole("button", { name: "Members", exact: true }).click();
  await see(page.locator(".panel"));
  expect(await composer(page).isVisible()).toBe(false);
  expect(await page.locator(".row").isVisible()).toBe(true);
  await page.setViewportSize({ width: 1100, height: 900 });
  const box = await page.locator(".room").boundingBox();
  expect(box?.width).toBeGreaterThan(380);
  expect(await composer(page).isVisible()).toBe(true);
});

test("who was removed and comes back has the room again", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("revolving", [bob]);
  await ann.send(room.id, "welcome");
  const tab = await visitAs(bob);
  tab.expected.push(/status of 404/);
  const page = await tab.open(`#/room/${room.id}`);
  await see(messageOf(page, "welcome"));
  await ann.must("DELETE", `/rooms/${room.id}/members/${bob.user.id}`);
  await see(page.getByRole("alert"), "You are not in this room");
  await ann.must("PUT", `/rooms/${room.id}/members/${bob.user.id}`, {});
  await see(messageOf(page, "welcome"));
});

test("an edit that takes long is sent once, and takes nothing from the next one", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("edits");
  await fill(ann, room.id, 2);
  const tab = await visitAs(ann);
  const page = await tab.open(`#/room/${room.id}`);
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let asked = 0;
  await page.route("**/messages/1", async (route) => {
    asked++;
    await gate;
    await route.continue();
  });
  await act(page, "message 1", "Edit");
  await composer(page).fill("changed");
  await composer(page).press("Enter");
  await composer(page).press("Enter");
  await act(page, "message 2", "Edit");
  await composer(page).fill("half of a chan");
  open();
  await see(messageOf(page, "changed"));
  await see(page.locator(".composer-banner"), "message 2");
  expect(await composer(page).inputValue()).toBe("half of a chan");
  expect(asked).toBe(1);
});

test("what is begun to be edited can be written into at once", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("quick");
  await ann.send(room.id, "word");
  const tab = await visitAs(ann);
  const page = await tab.open(`#/room/${room.id}`);
  await see(messageOf(page, "word"));
  // All within one frame.
  await composer(page).evaluate(async (box: HTMLTextAreaElement) => {
    box.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
    await Promise.resolve();
    box.value += "s";
    box.dispatchEvent(new InputEvent("input", { bubbles: true }));
  });
  await twoFrames(page);
  expect(await composer(page).inputValue()).toBe("words");
});

test("a message that is replied to and deleted meanwhile is no longer shown", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("regret", [bob]);
  await ann.send(room.id, "a secret");
  const tab = await visitAs(bob);
  const page = await tab.open(`#/room/${room.id}`);
  await act(page, "a secret", "Reply");
  await see(page.locator(".composer-banner"), "a secret");
  await ann.must("DELETE", `/rooms/${room.id}/messages/1`);
  await see(page.locator(".composer-banner"), "deleted");
  await say(page, "which one?");
  await see(messageOf(page, "which one?").locator(".quote"), "deleted");
});

test("what of a room could not be loaded is said in sight; trying again goes where one wanted to go", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("failing");
  await fill(ann, room.id, 120);
  await ann.send(room.id, "far back", { replyTo: 3 });
  const tab = await visitAs(ann);
  tab.expected.push(/status of 503/);
  const page = await tab.open(`#/room/${room.id}`);
  await see(messageOf(page, "far back"));
  const fault = page.locator(".room-fault");
  // Until one tries again: members are asked for by other occasions, too.
  await page.evaluate(() =>
    addEventListener(
      "click",
      ({ target }) => {
        if (target instanceof Element && target.closest(".room-fault"))
          Object.assign(window, { tried: true });
      },
      true,
    ),
  );
  await page.route("**/members", async (route) =>
    (await page.evaluate(() => "tried" in window)) ? route.continue() : route.fulfill(UNAVAILABLE),
  );
  await page.getByRole("button", { name: "Members", exact: true }).click();
  await see(fault, "Try again");
  await fault.getByRole("button").click();
  await miss(fault);
  expect(await belowEnd(page)).toBe(0); // where one was

  await page.route("**/messages?around=*", (route) => route.fulfill(UNAVAILABLE), { times: 1 });
  await page.locator(".quote").click();
  await see(fault);
  const [note, around] = [await fault.boundingBox(), await page.locator(".scroller").boundingBox()];
  expect(note?.y).toBeGreaterThanOrEqual(around?.y ?? Number.NaN);
  await fault.getByRole("button").click();
  await see(messageOf(page, "message 3"));
});

test("who is at the end stays there, whatever becomes of the window", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("elastic");
  for (let n = 1; n <= 60; n++) await ann.send(room.id, `${n} ${"word ".repeat(n % 40)}`);
  const tab = await visitAs(ann, { viewport: { width: 1400, height: 700 } });
  const page = await tab.open(`#/room/${room.id}`);
  await see(page.locator(`[data-seq="60"]`));
  await page.getByRole("button", { name: "Members", exact: true }).click();
  for (const [width, height] of [
    [1100, 600],
    [1400, 700],
    [1100, 600],
    [390, 500],
    [1400, 900],
  ] as const) {
    await page.setViewportSize({ width, height });
    await twoFrames(page);
    await eventually(async () => (await belowEnd(page)) === 0, `at the end in ${width} × ${height}`);
  }
});

test("what is written in a browser whose storage is full is written nevertheless", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("full");
  const tab = await visitAs(ann);
  const page = await tab.open(`#/room/${room.id}`);
  await page.evaluate(() => {
    for (let size = 5_000_000; size >= 1; size = Math.floor(size / 2)) {
      try {
        for (let n = 0; ; n++) sessionStorage.setItem(`filler ${size} ${n}`, "x".repeat(size));
      } catch {}
    }
  });
  await say(page, "all the same");
  await see(messageOf(page, "all the same"));
});

test("no name turns or widens what the server tells", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await ann.must("PATCH", "/users/me", { name: `\u202e${"W".repeat(79)}` });
  const room = await ann.openRoom("mirror", [bob]);
  await ann.must("PATCH", `/rooms/${room.id}`, { name: "m".repeat(100) });
  const tab = await visitAs(bob, { viewport: { width: 390, height: 800 } });
  const page = await tab.open(`#/room/${room.id}`);
  const told = page.locator(".system", { hasText: "renamed" });
  await see(told, "WWW renamed the room to");
  expect(await told.textContent()).not.toContain("\u202e");
  expect(await told.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  const box = await composer(page).boundingBox();
  expect(box?.height).toBeLessThan(60); // one line, whatever the name that it asks for words to
});

test("when marking unread fails, reading goes on", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("stubborn", [bob]);
  await ann.send(room.id, "first");
  const tab = await visitAs(bob);
  tab.expected.push(/status of 503/);
  const page = await tab.open(`#/room/${room.id}`);
  await page.route("**/unread", (route) => route.fulfill(UNAVAILABLE));
  await act(page, "first", "Mark unread from here");
  await see(page.locator(".popover.fault"));
  await ann.send(room.id, "second");
  await eventually(async () => (await bob.room(room.id)).lastReadSeq === 2);
});

test("in one browser there is one person: other tabs follow who has come, and keep nothing of who was there", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  await ann.openRoom("shared", [bob]);
  const tab = await visitAs(ann);
  tab.expected.push(/status of 401/);
  const page = await tab.open();
  await see(page.locator(".sidebar-me"), ann.user.name);
  await page.getByRole("searchbox").fill("what ann looks for");
  await tab.signIn(bob); // the cookie is another one now
  const other = await tab.context.newPage();
  await other.goto(tab.origin);
  await see(page.locator(".sidebar-me"), bob.user.name);
  expect(await page.getByRole("searchbox").inputValue()).toBe("");
  await see(rowOf(page, "shared"));
});
