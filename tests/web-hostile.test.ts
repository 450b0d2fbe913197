import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { type Visitor, visitAs } from "./support/browser.ts";
import { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { BODIES, type Body, HANDLES, NAMES, ROOM_NAMES, TOPICS } from "./support/hostile.ts";
import { type TestServer, testServer } from "./support/server.ts";

/** Messages in a room: a page of the API, so that all of them are there at once. */
const EACH = 50;

let server: TestServer;
let ada: Client;
/** People with hostile handles and names. */
let crowd: Client[];
/** Rooms with hostile names, topics and people, and what was said in them. */
let rooms: { id: number; name: string; topic: string; said: (Body & { seq: number; by: string })[] }[];

const nth = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

beforeAll(async () => {
  server = await testServer({ LIMITS: "off" });
  ada = await server.person("ada");
  crowd = await Promise.all(HANDLES.map((handle) => Client.signUp(server.api, handle)));
  rooms = [];
  for (let start = 0; start < BODIES.length; start += EACH) {
    const n = start / EACH;
    // Other names in each room; a message shows the name that its sender has now.
    const [name, topic] = [nth(ROOM_NAMES, 7 * n), nth(TOPICS, 11 * n)];
    const members = [ada, ...crowd].map(({ user }) => user.id);
    const { id } = await ada.must("POST", "/rooms", { kind: "open", name, topic, members });
    const said: (typeof rooms)[number]["said"] = [];
    for (const [i, body] of BODIES.slice(start, start + EACH).entries()) {
      const sender = nth(crowd, i);
      const replyTo = i % 5 === 4 ? said[i - 1]?.seq : undefined;
      const { seq } = await sender.send(id, body.sent, { replyTo });
      said.push({ ...body, seq, by: sender.user.handle });
    }
    rooms.push({ id, name, topic, said });
  }
  await ada.must("PUT", "/rooms/read");
});
afterAll(() => server.close());

/** Gives the crowd the next of the hostile names. @returns them by handle */
async function rename(n: number): Promise<Record<string, string>> {
  const names: Record<string, string> = Object.create(null);
  for (const [i, person] of crowd.entries()) {
    names[person.user.handle] = nth(NAMES, n * crowd.length + i);
    await person.must("PATCH", "/users/me", { name: names[person.user.handle] });
  }
  return names;
}

/** Nothing ran, nothing but our own elements came of what was sent, and every address is one of the web. */
async function unharmed(visitor: Visitor): Promise<void> {
  const { page } = visitor;
  expect(visitor.unexpected).toEqual([]);
  expect(
    await page.evaluate(() => ({
      pwned: "__pwned" in window || "__pwned" in {},
      inBodies: [
        ...new Set([...document.querySelectorAll(".body *")].map(({ localName }) => localName)),
      ].filter((name) => !["a", "code", "pre", "span"].includes(name)),
      strange: document.querySelectorAll(
        "script:not([src]), iframe, img, object, embed, base, math, style, meta[http-equiv]",
      ).length,
      handlers: [...document.querySelectorAll("*")].flatMap((element) =>
        element.getAttributeNames().filter((name) => name.startsWith("on")),
      ),
      addresses: [...document.links]
        .map(({ protocol }) => protocol)
        .filter((protocol) => !/^https?:$/.test(protocol)),
      open: [...document.links].filter(({ target, rel }) => target === "_blank" && !rel.includes("noopener"))
        .length,
      tooWide: Math.max(0, document.documentElement.scrollWidth - innerWidth),
    })),
  ).toEqual({ pwned: false, inBodies: [], strange: 0, handlers: [], addresses: [], open: 0, tooWide: 0 });
}

/** The texts of all elements, as they are. */
const textsOf = (page: Page, selector: string) =>
  page.locator(selector).evaluateAll((elements) => elements.map(({ textContent }) => textContent));

test("there are enough of them", () => {
  expect(BODIES.length + NAMES.length + TOPICS.length + ROOM_NAMES.length).toBeGreaterThanOrEqual(500);
  expect(BODIES.length).toBeGreaterThanOrEqual(300);
});

test("whatever is written in messages, names and topics, the page shows as it is, and nothing more comes of it", async () => {
  const visitor = await visitAs(ada, { viewport: { width: 390, height: 844 } });
  visitor.page.on("dialog", (dialog) => visitor.troubles.push(`dialog: ${dialog.message()}`));
  const page = await visitor.open();
  for (const [n, { id, name, topic, said }] of rooms.entries()) {
    const names = await rename(n);
    await page.goto("about:blank");
    await visitor.open(`#/room/${id}`);
    await page.locator(`[data-seq="${said.at(-1)?.seq}"]`).waitFor();
    const shown = await page.locator("[data-seq]:has(.body)").evaluateAll((items) =>
      items.map((item) => ({
        seq: Number((item as HTMLElement).dataset.seq),
        body: item.querySelector(".body")?.textContent,
        by: item.querySelector(".message-sender")?.textContent,
      })),
    );
    expect(shown).toEqual(said.map(({ seq, seen, by }) => ({ seq, body: seen, by: names[by] ?? "" })));
    expect(await textsOf(page, ".room-title h2")).toEqual([name]);
    expect((await textsOf(page, ".room-title p"))[0]).toStartWith(topic);
    await unharmed(visitor);

    await page.getByRole("button", { name: "Members", exact: true }).click();
    const people = page.getByRole("list", { name: "Members" });
    await people.getByText("@__proto__").waitFor();
    const listed = await people.locator("bdi").allTextContents();
    expect(listed).toEqual(expect.arrayContaining(Object.values(names)));
    await unharmed(visitor);
  }
}, 180_000);

test("the same for the list, what is found in it, and the rooms to join", async () => {
  const visitor = await visitAs(ada);
  const page = await visitor.open();
  for (let start = 0; start < ROOM_NAMES.length; start += rooms.length) {
    for (const [i, room] of rooms.entries()) {
      room.name = nth(ROOM_NAMES, start + i);
      room.topic = nth(TOPICS, start + i);
      await ada.must("PATCH", `/rooms/${room.id}`, { name: room.name, topic: room.topic });
    }
    const names = JSON.stringify(rooms.map(({ name }) => name).reverse());
    await eventually(async () => JSON.stringify(await textsOf(page, ".row-name")) === names, names);
    await unharmed(visitor);
  }

  await page.getByRole("button", { name: "Find open rooms" }).click();
  await page
    .locator(".open-room")
    .nth(rooms.length - 1)
    .waitFor();
  expect((await textsOf(page, ".open-room-name")).sort()).toEqual(rooms.map(({ name }) => name).sort());
  expect((await textsOf(page, ".open-room-topic")).sort()).toEqual(rooms.map(({ topic }) => topic).sort());
  await unharmed(visitor);
  await page.keyboard.press("Escape");

  await page.locator(".row").first().click();
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.getByLabel("In all my rooms").check();
  for (const word of ["script", "onerror", "constructor", "null", "evil.example"]) {
    await page.getByRole("searchbox", { name: "Search for" }).fill(word);
    await page.keyboard.press("Enter");
    await page.getByRole("list", { name: "Messages found" }).getByText(word).first().waitFor();
    await unharmed(visitor);
  }
  await page.locator(".row").last().click();
  await page.locator(".system").last().waitFor(); // by which name it went
  await unharmed(visitor);
}, 120_000);
