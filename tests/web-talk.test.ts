import { afterAll, beforeAll, expect, test } from "bun:test";
import { endVisits, visitAs } from "./support/browser.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { act, badgeOf, composer, messageOf, miss, rowOf, say, see } from "./support/talk.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

test("two people talk, and see each other's badges move", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const tea = await ann.openRoom("tea", [bob]);
  await ann.openRoom("other", [bob]);
  const annsTab = await visitAs(ann);
  const bobsTab = await visitAs(bob, { colorScheme: "dark" });
  const annsPage = await annsTab.open(`#/room/${tea.id}`);
  const bobsPage = await bobsTab.open();

  await say(annsPage, `hello @${bob.user.handle}`);
  await see(badgeOf(bobsPage, "tea"), "1");
  expect(await rowOf(bobsPage, "tea").textContent()).toContain("1 mention");
  await eventually(async () => (await bobsPage.title()) === "(1) Foyer");
  expect(await bobsPage.locator("link[rel=icon]").getAttribute("href")).toContain("icon-unread");
  expect(await bobsPage.locator(".row-name").allInnerTexts()).toEqual(["tea", "other"]);
  await say(annsPage, "are you there?");
  await see(badgeOf(bobsPage, "tea"), "2");

  await rowOf(bobsPage, "tea").click();
  await see(bobsPage.locator(".new-line"));
  await see(bobsPage.locator(".at.own"), `@${bob.user.handle}`);
  await miss(badgeOf(bobsPage, "tea"));
  await eventually(async () => (await bobsPage.title()) === "tea · Foyer");
  expect((await bob.room(tea.id)).unreadCount).toBe(0);

  await composer(bobsPage).pressSequentially("I am");
  await see(annsPage.locator(".typing"), `${bob.user.name} is typing`);
  await composer(bobsPage).press("Enter");
  await see(messageOf(annsPage, "I am"));
  await eventually(async () => (await annsPage.locator(".typing").textContent()) === "");
});

test("replies, edits, reactions and deletions reach the other's screen", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("workshop", [bob]);
  await ann.send(room.id, "first");
  const annsTab = await visitAs(ann);
  const bobsTab = await visitAs(bob);
  const annsPage = await annsTab.open(`#/room/${room.id}`);
  const bobsPage = await bobsTab.open(`#/room/${room.id}`);

  await act(bobsPage, "first", "Reply");
  await say(bobsPage, "second");
  await see(messageOf(annsPage, "second").locator(".quote"), "first");

  await act(annsPage, "second", "React");
  await annsPage.getByRole("button", { name: "🎉" }).click();
  const reaction = messageOf(bobsPage, "second").getByRole("button", { name: /^🎉/ });
  await reaction.click();
  await see(messageOf(annsPage, "second").locator(".reaction"), "2");
  await reaction.click();
  await see(messageOf(annsPage, "second").locator(".reaction"), "1");

  await composer(annsPage).press("ArrowUp"); // the last of one's own
  await see(annsPage.locator(".composer-banner"), "first");
  await say(annsPage, "first, mended");
  await see(messageOf(bobsPage, "first, mended").locator(".edited"));
  await see(messageOf(bobsPage, "second").locator(".quote"), "first, mended");
  expect(await composer(annsPage).inputValue()).toBe("");

  await act(annsPage, "second", "Delete");
  await messageOf(annsPage, "second")
    .getByRole("group", { name: "Delete" })
    .getByRole("button", { name: "Delete" })
    .click();
  await see(bobsPage.locator(".gone"));
  expect(await bobsPage.getByRole("button", { name: "Edit" }).count()).toBe(0); // not another's message
});

test("a mention is completed by the keyboard", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("names", [bob]);
  const tab = await visitAs(ann);
  const page = await tab.open(`#/room/${room.id}`);
  await see(page.locator(".messages-note"), "begins");
  await composer(page).pressSequentially("hi @bo");
  await see(page.getByRole("option", { name: bob.user.handle }));
  await composer(page).press("Enter");
  expect(await composer(page).inputValue()).toBe(`hi @${bob.user.handle} `);
  await composer(page).press("Enter");
  await see(page.locator(".at"), `@${bob.user.handle}`);
});

test("in a direct room one sees that the other is there, and has seen it", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.must("POST", "/rooms", { kind: "direct", members: [bob.user.id] });
  const annsTab = await visitAs(ann);
  const annsPage = await annsTab.open(`#/room/${room.id}`);
  await say(annsPage, "look");
  await see(messageOf(annsPage, "look"));
  expect(await messageOf(annsPage, "look").locator(".seen").count()).toBe(0);
  const bobsTab = await visitAs(bob);
  const bobsPage = await bobsTab.open();
  await see(rowOf(annsPage, bob.user.name), "online");
  await see(badgeOf(bobsPage, ann.user.name), "1");
  await rowOf(bobsPage, ann.user.name).click();
  await see(messageOf(annsPage, "look").locator(".seen"), "Seen");
});

test("opens where one left off, reads what is really on screen and no more, and marks unread from a message on", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("long", [bob]);
  for (let n = 1; n <= 120; n++) await ann.send(room.id, `message ${n}`);
  await bob.must("PUT", `/rooms/${room.id}/read`, { seq: 10 });
  const tab = await visitAs(bob, { viewport: { width: 1000, height: 600 } });
  const page = await tab.open(`#/room/${room.id}`);
  await see(page.locator(".new-line"));
  await eventually(async () => (await bob.room(room.id)).lastReadSeq > 10);
  const { lastReadSeq } = await bob.room(room.id);
  expect(lastReadSeq).toBeLessThan(60);
  const bottoms = await page.locator("[data-seq]").evaluateAll((all, seq) => {
    const last = all.find((element) => (element as HTMLElement).dataset.seq === String(seq));
    const scroller = document.querySelector(".scroller")?.getBoundingClientRect().bottom ?? 0;
    return [last?.getBoundingClientRect().bottom ?? 0, scroller];
  }, lastReadSeq);
  expect(bottoms[0]).toBeLessThanOrEqual((bottoms[1] as number) + 6);

  await page.getByRole("button", { name: "Jump to the newest message" }).click();
  await see(messageOf(page, "message 120"));
  await miss(badgeOf(page, "long"));

  await act(page, "message 118", "Mark unread from here");
  await see(badgeOf(page, "long"), "3");
  await ann.send(room.id, "message 121");
  await see(messageOf(page, "message 121"));
  await see(badgeOf(page, "long"), "4"); // on screen, and not read by that
});

test("a hidden tab reads nothing until it is looked at", async () => {
  const [ann, bob] = [await server.person("ann"), await server.person("bob")];
  const room = await ann.openRoom("hidden", [bob]);
  const tab = await visitAs(bob);
  // Headless pages are always visible: what the browser would say is said for it.
  await tab.context.addInitScript(() => {
    let state = "visible";
    Object.defineProperty(document, "visibilityState", { get: () => state });
    Object.assign(window, {
      look: (to: string) => {
        state = to;
        document.dispatchEvent(new Event("visibilitychange"));
      },
    });
  });
  const page = await tab.open(`#/room/${room.id}`);
  await see(page.locator(".messages-note"), "begins");
  const look = (to: string) => page.evaluate((state) => (window as any).look(state), to);
  await look("hidden");
  await ann.send(room.id, "psst");
  await see(badgeOf(page, "hidden"), "1");
  await eventually(async () => (await page.title()).startsWith("(1)"));
  await look("visible");
  await see(page.locator(".new-line"));
  await miss(badgeOf(page, "hidden"));
});

test("scrolling up brings older messages and leaves the eye where it is", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("history");
  for (let n = 1; n <= 130; n++) await ann.send(room.id, `line ${n}`);
  const tab = await visitAs(ann, { viewport: { width: 900, height: 500 } });
  const page = await tab.open(`#/room/${room.id}`);
  await see(messageOf(page, "line 130"));
  const placeOf = (text: string) =>
    messageOf(page, text).evaluate((element) => element.getBoundingClientRect().top);
  await messageOf(page, "line 95").scrollIntoViewIfNeeded();
  const before = await placeOf("line 95");
  await see(messageOf(page, "line 60")); // an older page has come
  expect(Math.abs((await placeOf("line 95")) - before)).toBeLessThanOrEqual(1);
  await ann.send(room.id, "line 131");
  await see(rowOf(page, "history"), "line 131");
  await see(messageOf(page, "line 131"));
  expect(Math.abs((await placeOf("line 95")) - before)).toBeLessThanOrEqual(1);
  await messageOf(page, "line 60").scrollIntoViewIfNeeded();
  await see(messageOf(page, "line 10"));
  await messageOf(page, "line 10").scrollIntoViewIfNeeded();
  await see(page.locator(".messages-note"), "begins");
});

test("what was begun is still there after a reload; what was sent is there once", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("drafts");
  const tab = await visitAs(ann);
  const page = await tab.open(`#/room/${room.id}`);
  await say(page, "sent");
  await see(messageOf(page, "sent"));
  await composer(page).fill("begun");
  await page.reload();
  await see(messageOf(page, "sent"));
  expect(await composer(page).inputValue()).toBe("begun");
  expect(await messageOf(page, "sent").count()).toBe(1);
});

test("what was sent too quickly goes out when the server takes it, once and in order", async () => {
  const strict = await testServer({ LIMITS: "on", LIMIT_SEND: "2+1/s" });
  try {
    const ann = await strict.person("ann");
    const room = await ann.openRoom("quick");
    const tab = await visitAs(ann);
    const page = await tab.open(`#/room/${room.id}`);
    tab.expected.push(/Failed to load resource.*429/);
    const words = ["one", "two", "three", "four"];
    for (const word of words) await say(page, word);
    await see(messageOf(page, "four"));
    await eventually(async () => (await ann.room(room.id)).lastSeq === 4, "all have arrived");
    const { messages } = await ann.page(room.id);
    expect(messages.map(({ body }) => body)).toEqual(words);
  } finally {
    await endVisits();
    await strict.close();
  }
});

test("the page speaks French to those whose browser does", async () => {
  const ann = await server.person("ann");
  const room = await ann.openRoom("thé");
  const tab = await visitAs(ann, { locale: "fr-FR" });
  const page = await tab.open(`#/room/${room.id}`);
  await see(page.getByRole("heading", { name: "Salons" }));
  expect(await composer(page).getAttribute("aria-label")).toBe("Écrire à thé");
  expect(await page.locator("html").getAttribute("lang")).toBe("fr");
});
