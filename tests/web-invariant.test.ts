import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { type ClientPages, clientPages, openTimeline, show } from "./support/client-page.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { openTabs, settle, sleep, wake } from "./support/tabs.ts";

const QUICK = {
  deliverMs: 200,
  trialMs: 300,
  pollMs: 100,
  retryMs: { first: 20, most: 200 },
  silenceMs: 500,
  answerMs: 200,
  refreshMs: 300,
};
const ROUNDS = 6;
const STEPS = 25;

let server: TestServer;
let pages: ClientPages;
beforeAll(async () => {
  server = await testServer();
  pages = await clientPages(server.api);
});
afterAll(async () => {
  await pages.close();
  await server.close();
});

const oneOf = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;

test("whatever happens, to the rooms and on the way, in the end every tab holds what a fresh GET says", async () => {
  const people: Client[] = await Promise.all(["ada", "ben", "eve"].map((name) => server.person(name)));
  const [ada, ben] = people as [Client, Client];
  const context = await pages.context(ada);
  const rooms = await Promise.all([1, 2, 3, 4].map((i) => ben.openRoom(`room ${i}`, people)));
  const tabs = await openTabs(pages, context, 3, QUICK);
  const watched = rooms[0]?.id as number;
  for (const tab of tabs) await openTimeline(tab, watched);

  for (let round = 0; round < ROUNDS; round++) {
    for (let step = 0; step < STEPS; step++) {
      const who = oneOf(people);
      const { id } = Math.random() < 0.5 ? { id: watched } : oneOf(rooms);
      const tab = oneOf(tabs);
      await oneOf<() => Promise<unknown> | unknown>([
        () => who.send(id, `${round} ${step}`),
        () => who.send(id, `@${ada.user.handle} ${step}`),
        async () => {
          const mine = (await who.page(id)).messages.filter(
            ({ sender, body }) => body !== null && sender.id === who.user.id,
          );
          const text = mine.filter(({ kind }) => kind === "text").at(-1);
          if (text) await who.must("PATCH", `/rooms/${id}/messages/${text.seq}`, { body: `edited ${step}` });
        },
        () => who.call("DELETE", `/rooms/${id}/messages/${1 + step}`),
        () => who.call("PUT", `/rooms/${id}/messages/${1 + step}/reactions/${encodeURIComponent("👍")}`),
        async () => who.must("PUT", `/rooms/${id}/read`, { seq: (await who.room(id)).lastSeq }),
        () => who.call("PUT", `/rooms/${id}/unread`, { seq: 1 }),
        () => who.must("PUT", "/rooms/read"),
        () => ben.call("PATCH", `/rooms/${id}`, { name: `room ${step}` }),
        async () => rooms.push(await who.openRoom(`new ${step}`, people)),
        () =>
          tab.evaluate(async (id) => {
            const { api, rooms, outbox } = window.client;
            outbox.send(id, "from a tab");
            rooms.put(await api.markRead(id, 1_000_000));
          }, id),
        () => pages.cut(),
        () => show(tab, false),
        () => show(tab, true),
        () => {
          pages.streams = pages.streams === "hold" ? "pass" : "hold";
        },
        () => tab.evaluate(() => void window.timeline.older()),
        () => tab.evaluate(() => void window.timeline.toEnd()),
        async () => {
          await sleep(tab);
          await ben.send(id, "while one sleeps");
          await wake(tab);
        },
      ])();
    }
    pages.streams = "pass";
    for (const tab of tabs) await show(tab, true);
    await settle(ada, tabs);
    for (const [i, tab] of tabs.entries()) {
      await tab.evaluate(() => window.timeline.toEnd());
      await eventually(async () => {
        const held = await tab.evaluate(() => window.timeline.messages);
        const there = (await ada.page(watched, "?limit=200")).messages;
        return held.length > 0 && Bun.deepEquals(held, there.slice(-held.length));
      }, `the timeline of tab ${i} holds what the server says`);
    }
    const pending = await Promise.all(
      tabs.map((tab) => tab.evaluate((id) => window.client.outbox.of(id).length, watched)),
    );
    expect(pending).toEqual([0, 0, 0]);
  }
  const sent = (await ada.page(watched, "?limit=200")).messages
    .map(({ clientId }) => clientId)
    .filter((id) => id !== null);
  expect(new Set(sent).size).toBe(sent.length);
  await context.close();
});
