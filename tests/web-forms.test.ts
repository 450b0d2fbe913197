import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { stumbles } from "./support/axe.ts";
import { endVisits, type Look, visit, visitAs } from "./support/browser.ts";
import { Client } from "./support/client.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await testServer({ LIMITS: "off" });
});
afterEach(endVisits);
afterAll(() => server.close());

/** What the browser says of an answer that is no success, or of none: the page then has words for it. */
const REFUSED = /Failed to load resource/;

/** Opens the page as somebody who is signed in, or as a stranger. */
async function open(who?: Client, place = "", look: Look = {}): Promise<Page> {
  const visitor = await (who ? visitAs(who, look) : visit(server.url, look));
  visitor.expected.push(REFUSED);
  visitor.page.setDefaultTimeout(10_000);
  return visitor.open(place);
}

const button = (scope: Page | Locator, name: string | RegExp) =>
  scope.getByRole("button", { name, exact: typeof name === "string" });
const field = (scope: Page | Locator, name: string) => scope.getByLabel(name, { exact: true });
/** The words at a field, or at none of them. */
const alerts = (scope: Page | Locator, words: string) =>
  scope.getByRole("alert").filter({ hasText: words }).waitFor();
const said = (scope: Page | Locator, words: string | RegExp) =>
  scope.getByRole("status").filter({ hasText: words }).waitFor();
/** Waits until what has this attribute has the focus. */
const focus = (page: Page, attribute: string, value: string) =>
  page.waitForFunction(
    ([name = "", value]) => document.activeElement?.getAttribute(name) === value,
    [attribute, value],
  );
const atRoom = (page: Page, id: number, seq?: number) =>
  page.waitForFunction((hash) => location.hash === hash, `#/room/${id}${seq ? `/${seq}` : ""}`);

/** Buttons, links and fields that a finger would miss. */
const tooSmall = (page: Page, selector: string) =>
  page.locator(selector).evaluate((root) =>
    [
      ...root.querySelectorAll(
        "button, a, input:not([type=radio], [type=checkbox]), select, summary, label.choice",
      ),
    ]
      .filter((element) => element.checkVisibility())
      .filter((element) => element.getBoundingClientRect().height < 40)
      .map((element) => element.outerHTML),
  );

test("what is wrong with a sign-up is said at its field, and the first of them has the focus", async () => {
  const page = await open();
  await button(page, "New here? Make an account").click();
  await field(page, "Handle").fill("Ümlaut");
  await field(page, "Password").fill("short");
  await button(page, "Make an account").click();
  await page.locator("[name=handle][aria-invalid=true]").waitFor();
  await focus(page, "name", "handle");
  for (const name of ["handle", "name", "password"]) {
    const input = page.locator(`[name=${name}]`);
    expect(await input.getAttribute("aria-invalid")).toBe("true");
    const described = (await input.getAttribute("aria-describedby"))?.split(" ").at(-1);
    expect(await page.locator(`[id="${described}"]`).textContent()).toMatch(
      /^2 to 32 characters|1 to 80|8 to 256/,
    );
  }
  await field(page, "Handle").fill("umlaut");
  expect(await page.locator("[name=handle]").getAttribute("aria-invalid")).toBe("false");
  expect(await stumbles(page, "main")).toEqual([]);
});

test("a handle that is taken is said at the handle", async () => {
  const { user } = await server.person();
  const page = await open();
  await button(page, "New here? Make an account").click();
  await field(page, "Handle").fill(user.handle);
  await field(page, "Name").fill("Somebody else");
  await field(page, "Password").fill(Client.password);
  await button(page, "Make an account").click();
  await alerts(page.locator(".field").first(), "This handle is taken.");
  await focus(page, "name", "handle");
});

test("one signs up, signs out, and in again; a wrong password is said at the password", async () => {
  const page = await open();
  expect(await page.locator("[name=handle]").getAttribute("autocomplete")).toBe("username");
  expect(await page.locator("[name=password]").getAttribute("autocomplete")).toBe("current-password");
  await button(page, "New here? Make an account").click();
  expect(await page.locator("[name=password]").getAttribute("autocomplete")).toBe("new-password");
  await field(page, "Handle").fill(" @Newcomer");
  await field(page, "Name").fill("New Comer");
  await field(page, "Password").fill(Client.password);
  await button(page, "Show password").click();
  expect(await page.locator("[name=password]").getAttribute("type")).toBe("text");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await button(page, "Settings").click();
  const dialog = page.getByRole("dialog", { name: "Settings" });
  await dialog.getByText("@newcomer").waitFor();
  await button(dialog, "Sign out").click();

  await field(page, "Handle").fill("newcomer");
  await field(page, "Password").fill("wrong horse");
  await page.keyboard.press("Enter");
  await alerts(page, "The handle or the password is wrong.");
  await focus(page, "name", "password");
  await field(page, "Password").fill(Client.password);
  await page.keyboard.press("Enter");
  await button(page, "New room").waitFor();
});

test("who has tried too often is told how long to wait", async () => {
  const strict = await testServer({ LIMITS: "on", LIMIT_SIGN_IN: "1+1/h" });
  try {
    const ada = await strict.person("ada");
    const visitor = await visit(strict.url);
    visitor.expected.push(REFUSED);
    const page = await visitor.open();
    await field(page, "Handle").fill(ada.user.handle);
    await field(page, "Password").fill("not the password");
    await button(page, "Sign in").click();
    await alerts(page, "The handle or the password is wrong.");
    await field(page, "Password").fill(Client.password);
    await button(page, "Sign in").click();
    await alerts(page, "That was too much at once. Try again in 60 minutes.");
  } finally {
    await endVisits();
    await strict.close();
  }
});

test("a server that does not answer is said in words, and nothing is lost", async () => {
  const page = await open();
  await page.route("**/session", (route) =>
    route.request().method() === "POST" ? route.abort() : route.continue(),
  );
  await field(page, "Handle").fill("somebody");
  await field(page, "Password").fill(Client.password);
  await page.keyboard.press("Enter");
  await alerts(page, "The server cannot be reached.");
  expect(await field(page, "Password").inputValue()).toBe(Client.password);
});

test("who is signed up but cannot have the rooms yet is not asked to sign up again", async () => {
  const page = await open();
  let refused = 0;
  await page.route(/\/chat\/api\/rooms$/, (route) => (refused++ === 0 ? route.abort() : route.continue()));
  await button(page, "New here? Make an account").click();
  await field(page, "Handle").fill("patient");
  await field(page, "Name").fill("Patient");
  await field(page, "Password").fill(Client.password);
  await page.keyboard.press("Enter");
  await button(page, "New room").waitFor();
  expect(refused).toBeGreaterThan(1);
});

test("a room is made once, with people in it", async () => {
  const [me, friend] = [await server.person("maker"), await server.person("friend")];
  const page = await open(me);
  await button(page, "New room").click();
  const dialog = page.getByRole("dialog", { name: "New room" });
  await focus(page, "name", "roomName");
  await button(dialog, "Make the room").click();
  await alerts(dialog, "1 to 100 characters");
  await field(dialog, "Name of the room").fill("<i>Engines</i>");
  await field(dialog, "Topic").fill("steam");
  const people = dialog.getByRole("combobox", { name: "Invite people" });
  await people.fill(friend.user.handle);
  await dialog.getByRole("option", { name: friend.user.name }).waitFor();
  await people.press("Enter");
  await dialog.getByText("By invitation").click();
  expect(await stumbles(page, "dialog")).toEqual([]);

  let asked = 0;
  await page.route("**/chat/api/rooms", async (route) => {
    if (route.request().method() === "POST") asked++;
    await route.continue();
  });
  await button(dialog, "Make the room").dblclick();
  await dialog.waitFor({ state: "detached" });
  const { rooms } = await me.list();
  expect(rooms).toMatchObject([{ kind: "closed", name: "<i>Engines</i>", topic: "steam", memberCount: 2 }]);
  expect(asked).toBe(1);
  await atRoom(page, rooms[0]?.id ?? 0);
});

test("a direct room is opened with people chosen by the keyboard alone", async () => {
  const me = await server.person("writer");
  const [one, two] = [await server.person("reader"), await server.person("reader")];
  const page = await open(me);
  await button(page, "New direct message").focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "New direct message" });
  const people = dialog.getByRole("combobox");
  await focus(page, "role", "combobox");
  await page.keyboard.press("Enter");
  await alerts(dialog, "Choose somebody.");

  await people.pressSequentially("reader");
  await dialog.getByRole("option").nth(1).waitFor();
  const active = async () => {
    const id = await people.getAttribute("aria-activedescendant");
    return page.locator(`[id="${id}"]`).textContent();
  };
  expect(await people.getAttribute("aria-expanded")).toBe("true");
  expect(await active()).toContain(one.user.handle);
  await people.press("ArrowDown");
  expect(await active()).toContain(two.user.handle);
  await people.press("ArrowDown");
  expect(await active()).toContain(one.user.handle);
  await people.press("ArrowUp");
  await people.press("Enter");
  await button(dialog, `Remove ${two.user.name}`).waitFor();
  expect(await people.inputValue()).toBe("");

  await people.pressSequentially("nobody.at.all");
  await said(dialog, "Nobody found.");
  await people.press("Enter");
  await people.press("Escape"); // the list only
  await people.press("ControlOrMeta+a");
  await people.press("Backspace");
  await people.pressSequentially("reader");
  await dialog.getByRole("option", { name: one.user.handle }).waitFor();
  expect(await dialog.getByRole("option").count()).toBe(1); // who is chosen is not suggested
  await people.press("Enter");
  await people.press("Backspace");
  await button(dialog, `Remove ${one.user.name}`).waitFor({ state: "detached" });
  await people.press("Enter");
  await dialog.waitFor({ state: "detached" });
  const { rooms } = await me.list();
  expect(rooms.map(({ peers }) => peers?.map(({ id }) => id))).toEqual([[two.user.id]]);
  await atRoom(page, rooms[0]?.id ?? 0);
});

test("an answer that comes late is not suggested for what is written by then", async () => {
  const me = await server.person("asker");
  await server.person("slow");
  const quick = await server.person("quick");
  const page = await open(me);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const late = Promise.withResolvers<void>();
  await page.route("**/users?q=slow*", async (route) => {
    await held;
    await route.continue();
  });
  page.on("requestfinished", (request) => request.url().includes("q=slow") && late.resolve());
  await button(page, "New direct message").click();
  const people = page.getByRole("combobox");
  const asked = page.waitForRequest("**/users?q=slow*");
  await people.fill("slow");
  await asked;
  await people.fill("quick");
  await page.getByRole("option", { name: quick.user.handle }).waitFor();
  release();
  await late.promise;
  expect(await page.getByRole("option").allInnerTexts()).toEqual([
    expect.stringContaining(quick.user.handle),
  ]);
});

test("Escape closes a list of suggestions, then the dialog; the focus goes back", async () => {
  const page = await open(await server.person());
  await button(page, "New direct message").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("combobox").press("ArrowDown");
  await dialog.getByRole("option").first().waitFor();
  await page.keyboard.press("Escape");
  await dialog.getByRole("listbox").waitFor({ state: "hidden" });
  expect(await dialog.isVisible()).toBe(true);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await focus(page, "aria-label", "New direct message");
});

test("open rooms are found by name or topic, page by page, and joined", async () => {
  const [me, other] = [await server.person(), await server.person()];
  const mine = await me.openRoom("chess for me");
  const theirs = await other.must("POST", "/rooms", {
    kind: "open",
    name: "Go",
    topic: "chess without a king",
  });
  for (let n = 0; n < 55; n++) await other.openRoom(`crowd ${n}`);
  const page = await open(me);
  await button(page, "Find open rooms").click();
  const dialog = page.getByRole("dialog", { name: "Find open rooms" });
  const search = dialog.getByRole("searchbox");
  const answered = page.waitForResponse(/q=crowd/);
  await search.fill("crowd");
  await answered;
  await said(dialog, "The first 50 rooms");
  await button(dialog, "More rooms").press("Enter");
  await said(dialog, /^55 rooms$/);
  await focus(page, "aria-label", "Join crowd 50");
  await search.fill("no such room");
  await said(dialog, "No open room found.");
  await search.fill("chess");
  await said(dialog, /^2 rooms$/);
  await button(dialog, `Open ${mine.name}`).waitFor();
  await dialog.getByText("chess without a king").waitFor();
  expect(await stumbles(page, "dialog")).toEqual([]);
  await button(dialog, "Join Go").click();
  await dialog.waitFor({ state: "detached" });
  await atRoom(page, theirs.id);
  expect((await me.room(theirs.id)).role).toBe("member");
});

test("a name and a password are changed, and it is said", async () => {
  const me = await server.person("renamed");
  const page = await open(me);
  await button(page, "Settings").click();
  const dialog = page.getByRole("dialog", { name: "Settings" });
  await field(dialog, "Name").fill("  Another Name ");
  await button(dialog, "Save").click();
  await said(dialog, "Saved.");
  expect((await me.must("GET", "/users/me")).name).toBe("Another Name");
  await page.locator(".sidebar-me", { hasText: "Another Name" }).waitFor();

  await field(dialog, "Current password").fill("not this one");
  await field(dialog, "New password").fill("another horse");
  await button(dialog, "Change password").click();
  await alerts(dialog, "This is not your password.");
  await field(dialog, "Current password").fill(Client.password);
  await button(dialog, "Change password").click();
  await said(dialog, "Password changed.");
  expect(await field(dialog, "Current password").inputValue()).toBe("");
  await me.signInAgain("another horse");
  expect(await stumbles(page, "dialog")).toEqual([]);
});

test("one sees where one is signed in, and ends what is not wanted any more", async () => {
  const me = await server.person("sessions");
  const [phone, forgotten] = [await me.signInAgain(), await me.signInAgain()];
  const { sessions } = await forgotten.must("GET", "/sessions");
  await server.database.sql`
    update sessions set last_used_at = now() - interval '3 days',
           user_agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
     where id = ${sessions.find(({ current }: { current: boolean }) => current).id}`;
  const page = await open(me);
  await button(page, "Settings").click();
  const dialog = page.getByRole("dialog", { name: "Settings" });
  const rows = dialog.getByRole("list", { name: "Where you are signed in" }).getByRole("listitem");
  await rows.nth(2).waitFor();
  expect(await rows.first().textContent()).toContain("Here, now");
  expect(await button(rows.first(), /Sign out/).count()).toBe(0);
  const firefox = rows.filter({ hasText: "Firefox, Linux" });
  expect(await firefox.textContent()).toMatch(/Last used: (Sun|Mon|Tue|Wed|Thu|Fri|Sat)/);
  expect(await stumbles(page, "dialog")).toEqual([]);
  expect(await tooSmall(page, "dialog")).toEqual([]);

  await button(firefox, "Sign out Firefox, Linux").click();
  await said(dialog, "Signed out there.");
  await firefox.waitFor({ state: "detached" });
  expect((await forgotten.call("GET", "/session")).status).toBe(401);
  expect((await phone.call("GET", "/session")).status).toBe(200);
  expect(await rows.count()).toBe(2);
  // The focus is where the list begins, not lost.
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Where you are signed in");

  // A new password ends the others, and the list says so.
  await field(dialog, "Current password").fill(Client.password);
  await field(dialog, "New password").fill("another horse");
  await button(dialog, "Change password").click();
  await rows.nth(1).waitFor({ state: "detached" });
  expect(await rows.count()).toBe(1);
});

test("sessions that cannot be had, or not be ended, are said in words, and can be tried again", async () => {
  const me = await server.person("sessions");
  await me.signInAgain();
  const page = await open(me);
  await page.route("**/sessions", (route) => route.abort());
  await button(page, "Settings").click();
  const dialog = page.getByRole("dialog", { name: "Settings" });
  await alerts(dialog, "The server cannot be reached.");
  await page.unroute("**/sessions");
  await button(dialog, "Try again").click();
  const rows = dialog.getByRole("list", { name: "Where you are signed in" }).getByRole("listitem");
  await rows.nth(1).waitFor();
  await page.route("**/sessions/*", (route) => route.abort());
  await button(rows.nth(1), /Sign out/).click();
  await alerts(rows.nth(1), "The server cannot be reached.");
  expect(await rows.count()).toBe(2);
});

test("who signs out with messages unsent is asked first", async () => {
  const me = await server.person();
  const room = await me.openRoom();
  const page = await open(me, `#/room/${room.id}`);
  await page.route("**/messages", (route) =>
    route.request().method() === "POST" ? route.abort() : route.continue(),
  );
  await page.locator(".composer textarea").fill("not sent yet");
  await page.keyboard.press("Enter");
  await button(page, "Settings").click();
  const dialog = page.getByRole("dialog", { name: "Settings" });
  await button(dialog, "Sign out").click();
  await button(dialog.getByRole("group", { name: /have not been sent yet/ }), "Sign out").click();
  await button(page, "Sign in").waitFor();
});

test("a member sees only what a member may set, and leaves", async () => {
  const [owner, me] = [await server.person(), await server.person()];
  const room = await owner.openRoom("leaving", [me]);
  const page = await open(me, `#/room/${room.id}`);
  await button(page, "Room settings").click();
  const dialog = page.getByRole("dialog", { name: "Room settings" });
  await dialog.getByRole("radio", { name: "Only mentions" }).check();
  expect(await dialog.getByRole("textbox").count()).toBe(0);
  expect(await button(dialog, "Delete the room").count()).toBe(0);
  await button(dialog, "Save").click();
  await said(dialog, "Saved.");
  expect((await me.room(room.id)).involvement).toBe("mentions");
  await button(dialog, "Leave the room").click();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Cancel");
  await button(dialog.getByRole("group", { name: "Leave this room?" }), "Leave the room").click();
  await dialog.waitFor({ state: "detached" });
  await page.waitForFunction(() => location.hash === "#/");
  expect((await me.list()).rooms).toEqual([]);
});

test("an owner changes what is to be changed, and deletes the room only after a question", async () => {
  const [me, other] = [await server.person(), await server.person()];
  const room = await me.openRoom("before", [other]);
  const page = await open(me, `#/room/${room.id}`);
  await button(page, "Room settings").click();
  const dialog = page.getByRole("dialog", { name: "Room settings" });
  await field(dialog, "Topic").fill("a topic");
  await me.must("PATCH", `/rooms/${room.id}`, { name: "by somebody else" }); // which the dialog does not undo
  await dialog.getByRole("radio", { name: "By invitation" }).check();
  await button(dialog, "Save").click();
  await said(dialog, "Saved.");
  expect(await me.room(room.id)).toMatchObject({
    name: "by somebody else",
    topic: "a topic",
    kind: "closed",
  });
  expect(await stumbles(page, "dialog")).toEqual([]);

  await button(dialog, "Leave the room").click();
  await button(dialog, "Leave the room").click();
  await alerts(dialog, "You are the last owner.");
  await button(dialog, "Cancel").click();
  await button(dialog, "Delete the room").click();
  await button(dialog, "Cancel").click();
  expect((await me.list()).rooms).toHaveLength(1);
  await button(dialog, "Delete the room").click();
  await button(dialog, "Delete the room").click();
  await dialog.waitFor({ state: "detached" });
  expect((await me.list()).rooms).toEqual([]);
});

test("of a direct room one sets only what one wants to hear of", async () => {
  const [me, other] = [await server.person(), await server.person()];
  const room = await me.must("POST", "/rooms", { kind: "direct", members: [other.user.id] });
  const page = await open(me, `#/room/${room.id}`);
  await button(page, "Room settings").click();
  const dialog = page.getByRole("dialog", { name: "Room settings" });
  await dialog.getByRole("radio", { name: "Nothing" }).check();
  expect(await dialog.getByRole("textbox").count()).toBe(0);
  expect(await button(dialog, "Leave the room").count()).toBe(0);
  await button(dialog, "Save").click();
  await said(dialog, "Saved.");
  await page.keyboard.press("Escape");
  await button(page, "Members").click();
  const panel = page.getByRole("complementary", { name: "Members" });
  await panel.getByText(`@${other.user.handle}`).waitFor();
  expect(await panel.getByText("Add people").count()).toBe(0);
});

test("an owner adds people, gives a role, and removes", async () => {
  const [me, old, young] = [
    await server.person("owner"),
    await server.person("old"),
    await server.person("young"),
  ];
  const room = await me.openRoom("people", [old]);
  const page = await open(me, `#/room/${room.id}`);
  await button(page, "Members").click();
  const panel = page.getByRole("complementary", { name: "Members" });
  await said(panel, /^2 members$/);
  await panel.getByText("Add people").click();
  const people = panel.getByRole("combobox", { name: "Whom to add" });
  await people.fill(young.user.handle);
  await panel.getByRole("option").click();
  await button(panel, "Add").click();
  await said(panel, `Added: ${young.user.name}`);
  await said(panel, /^3 members$/);

  const row = (who: Client) => panel.getByRole("listitem").filter({ hasText: `@${who.user.handle}` });
  await button(row(old), `What to do about ${old.user.name}`).click();
  await row(old).getByRole("combobox", { name: "Role" }).selectOption("Moderator");
  await row(old).locator(".member-more", { hasText: "Moderator" }).waitFor();
  expect(await row(old).getByRole("combobox", { name: "Role" }).inputValue()).toBe("moderator");
  expect(await stumbles(page, ".panel")).toEqual([]);
  await button(row(young), `What to do about ${young.user.name}`).click();
  await button(row(young), "Remove from the room").click();
  await button(row(young), "Remove from the room").click();
  await said(panel, /^2 members$/);
  const { members } = await me.must("GET", `/rooms/${room.id}/members`);
  expect(members.map((member: any) => member.role)).toEqual(["owner", "moderator"]);
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  await focus(page, "aria-label", "Members");
});

test("a member of a closed room adds and removes nobody, but writes to anybody", async () => {
  const [owner, me] = [await server.person(), await server.person()];
  const room = await owner.must("POST", "/rooms", { kind: "closed", name: "closed", members: [me.user.id] });
  const page = await open(me, `#/room/${room.id}`);
  await button(page, "Members").click();
  const panel = page.getByRole("complementary", { name: "Members" });
  await button(panel, `What to do about ${owner.user.name}`).click();
  expect(await panel.getByText("Add people").count()).toBe(0);
  expect(await button(panel, "Remove from the room").count()).toBe(0);
  expect(await panel.getByRole("combobox").count()).toBe(0);
  await button(panel, "Write directly").click();
  await page.waitForFunction((hash) => location.hash !== hash, `#/room/${room.id}`);
  const [direct] = (await me.list()).rooms.filter(({ kind }) => kind === "direct");
  await atRoom(page, direct?.id ?? 0);
});

test("among many members there is a filter", async () => {
  const me = await server.person("crowded");
  const others = await Promise.all(Array.from({ length: 21 }, () => server.person("crowd")));
  const room = await me.openRoom("crowd", others);
  const page = await open(me, `#/room/${room.id}`);
  await button(page, "Members").click();
  const panel = page.getByRole("complementary", { name: "Members" });
  await said(panel, /^22 members$/);
  await panel.getByRole("searchbox", { name: "Filter members" }).fill("@CROWDED");
  await said(panel, /^1 member$/);
  await panel.getByText(`@${me.user.handle}`).waitFor();
});

test("what is searched for is found, marked, and leads to its place", async () => {
  const me = await server.person("seeker");
  const room = await me.openRoom("here");
  const other = await me.openRoom("elsewhere");
  await me.send(room.id, "an <img src=x onerror=alert(1)> needle & a haystack");
  for (let n = 0; n < 25; n++) await me.send(room.id, `hay ${n}`);
  await me.send(other.id, "another needle");
  const page = await open(me, `#/room/${room.id}`);
  await button(page, "Search").first().click();
  const panel = page.getByRole("complementary", { name: "Search" });
  const search = panel.getByRole("searchbox", { name: "Search for" });
  await page.keyboard.type("needle");
  await page.keyboard.press("Enter");
  await said(panel, /^1 message$/);
  const hit = panel.getByRole("link");
  expect(await hit.textContent()).toContain("an <img src=x onerror=alert(1)> needle & a haystack");
  expect(await panel.locator("mark").allInnerTexts()).toEqual(["needle"]);
  expect(await stumbles(page, ".panel")).toEqual([]);
  await hit.focus();
  await page.keyboard.press("Enter");
  await atRoom(page, room.id, 1);

  await panel.getByRole("checkbox", { name: "In all my rooms" }).check();
  await said(panel, /^2 messages$/);
  await panel.getByRole("link", { name: /elsewhere/ }).click();
  await atRoom(page, other.id, 1);
  await said(panel, /^2 messages$/); // it stays while one goes from room to room

  await panel.getByRole("checkbox").uncheck();
  await search.fill("hay");
  await search.press("Enter");
  await said(panel, "Nothing found.");
  await panel.getByRole("checkbox").check();
  await said(panel, "The newest 20 messages");
  await button(panel, "Older messages").press("Enter");
  await said(panel, /^25 messages$/);
  await page.waitForFunction(
    () => document.activeElement?.matches(".hit") && document.activeElement.textContent?.includes("hay 4"),
  );

  await page.route("**/search?**", (route) => route.abort());
  await search.press("Enter");
  await alerts(panel, "The server cannot be reached.");
});

test("on a narrow screen a panel covers the room; what is to be touched is large enough", async () => {
  const [me, other] = [await server.person(), await server.person()];
  const room = await me.openRoom("narrow", [other]);
  await me.send(room.id, "a needle");
  const page = await open(me, `#/room/${room.id}`, {
    viewport: { width: 360, height: 640 },
    hasTouch: true,
  });
  await button(page, "Members").click();
  const panel = page.getByRole("complementary", { name: "Members" });
  await button(panel, `What to do about ${other.user.name}`).click();
  await panel.getByText("Add people").click();
  expect(await panel.boundingBox()).toEqual({ x: 0, y: 0, width: 360, height: 640 });
  expect(await page.getByRole("textbox").count()).toBe(0); // the composer is not to be reached
  expect(await tooSmall(page, ".panel")).toEqual([]);
  await button(panel, "Close").click();
  await button(page, "Search").first().click();
  await page.keyboard.type("needle");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: /needle/ }).waitFor();
  expect(await tooSmall(page, ".panel")).toEqual([]);
  await page.getByRole("link", { name: /needle/ }).click();
  await page.locator(".panel").waitFor({ state: "detached" }); // the message is to be seen
  await button(page, "Room settings").click();
  expect(await tooSmall(page, "dialog")).toEqual([]);
  expect(await page.locator("dialog").evaluate((dialog) => dialog.scrollWidth <= dialog.clientWidth)).toBe(
    true,
  );
});
