import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import type { Client } from "./support/client.ts";
import { type ClientPages, clientPages, openTimeline, show } from "./support/client-page.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { hasStatus, openTabs } from "./support/tabs.ts";

const QUICK = {
  deliverMs: 300,
  pollMs: 100,
  trialMs: 60_000,
  retryMs: { first: 50, most: 200 },
  typingMs: 300,
};

let server: TestServer;
let pages: ClientPages;
let ben: Client;
let ada: Client;
let context: BrowserContext;
beforeAll(async () => {
  server = await testServer();
  pages = await clientPages(server.api);
  ben = await server.person("ben");
});
beforeEach(async () => {
  await context?.close();
  pages.intercept = () => undefined;
  pages.streams = "pass";
  ada = await server.person("ada");
  context = await pages.context(ada);
});
afterAll(async () => {
  await pages.close();
  await server.close();
});

const tabOf = async (): Promise<Page> => (await openTabs(pages, context, 1, QUICK))[0] as Page;

/** A room with so many messages. */
async function roomOf(count: number): Promise<number> {
  const room = await ben.openRoom("timeline", [ada]);
  const had = room.lastSeq;
  await server.database.sql`
    insert into messages (room_id, seq, sender_id, body)
    select ${room.id}::bigint, ${had}::bigint + i, ${ben.user.id}::bigint, 'message ' || i from generate_series(1, ${count}::int) i`;
  await server.database.sql`update rooms set last_seq = last_seq + ${count}::int where id = ${room.id}`;
  return room.id;
}

const shown = (tab: Page) =>
  tab.evaluate(() => {
    const { messages, atStart, atEnd, loading, gone } = window.timeline;
    return {
      first: messages[0]?.seq,
      last: messages.at(-1)?.seq,
      count: messages.length,
      atStart,
      atEnd,
      loading,
      gone,
    };
  });
const call = (tab: Page, verb: "older" | "newer" | "toEnd") =>
  tab.evaluate((verb) => window.timeline[verb](), verb);
const bodies = (tab: Page) => tab.evaluate(() => window.timeline.messages.map(({ body }) => body));

describe("a timeline", () => {
  test("opens at the end, pages to the start and back, and jumps", async () => {
    const id = await roomOf(500);
    const tab = await tabOf();
    await openTimeline(tab, id);
    expect(await shown(tab)).toMatchObject({
      last: 500,
      count: 50,
      atStart: false,
      atEnd: true,
      loading: null,
    });
    for (let i = 0; i < 9; i++) await call(tab, "older");
    expect(await shown(tab)).toMatchObject({ first: 1, last: 300, atStart: true, atEnd: false });
    await call(tab, "older");
    await ben.send(id, "out of sight");
    for (let i = 0; i < 5; i++) await call(tab, "newer");
    expect(await shown(tab)).toMatchObject({ first: 202, last: 501, atEnd: true });
    await tab.evaluate(() => window.timeline.open(100));
    expect(await shown(tab)).toMatchObject({ first: 76, last: 125, atStart: false, atEnd: false });
    await ben.must("PATCH", `/rooms/${id}/messages/501`, { body: "elsewhere" });
    await call(tab, "toEnd");
    expect(await shown(tab)).toMatchObject({ last: 501, count: 50, atEnd: true });
    expect((await bodies(tab)).at(-1)).toBe("elsewhere");
  });

  test("holds an event that came while an older page was under way", async () => {
    const id = await roomOf(200);
    const tab = await tabOf();
    await openTimeline(tab, id);
    const answered = Promise.withResolvers<void>();
    const deliver = Promise.withResolvers<void>();
    pages.intercept = async (request, path) => {
      if (!path.endsWith("/messages")) return undefined;
      const answer = await fetch(pages.target + path + new URL(request.url).search, {
        headers: request.headers,
      });
      const body = await answer.text();
      answered.resolve();
      await deliver.promise;
      return new Response(body, answer);
    };
    const paging = call(tab, "older");
    await answered.promise;
    await ben.must("PATCH", `/rooms/${id}/messages/120`, { body: "edited meanwhile" });
    const last = await ben.send(id, "and this");
    await tab.waitForFunction((seq) => window.timeline.messages.at(-1)?.seq === seq, last.seq);
    deliver.resolve();
    await paging;
    expect(await bodies(tab)).toEqual((await ada.page(id, "?limit=101")).messages.map(({ body }) => body));
  });

  test("left for another place while a page was under way does not take it", async () => {
    const id = await roomOf(500);
    const tab = await tabOf();
    await openTimeline(tab, id);
    await tab.evaluate(async () => {
      const { timeline } = window;
      await Promise.all([timeline.older(), timeline.open(100), timeline.open(300), timeline.newer()]);
    });
    expect(await shown(tab)).toMatchObject({ first: 276, last: 325, loading: null });
  });

  test("tells who types, until they send, or for a while; not oneself", async () => {
    const id = await roomOf(1);
    const tab = await tabOf();
    await openTimeline(tab, id);
    const heard: string[][] = [];
    await tab.exposeFunction("typed", (names: string[]) => heard.push(names));
    await tab.evaluate(() => {
      let last = window.timeline.typing;
      window.timeline.listen(() => {
        const { typing } = window.timeline;
        if (typing !== last) (window as any).typed(typing.map(({ name }) => name));
        last = typing;
      });
    });
    await eventually(() => server.hub.state.streams === 2);
    await ada.must("POST", `/rooms/${id}/typing`);
    await ben.must("POST", `/rooms/${id}/typing`);
    await eventually(() => Bun.deepEquals(heard, [[ben.user.name], []]), "typed, and no more");
  });

  test("keeps read markers and members", async () => {
    const id = await roomOf(5);
    const eve = await server.person("eve");
    const tab = await tabOf();
    await openTimeline(tab, id);
    const members = () =>
      tab.evaluate(() =>
        window.timeline.members.map(({ user, lastReadSeq, role }) => ({
          name: user.name,
          lastReadSeq,
          role,
        })),
      );
    const settled = async (what: string) =>
      eventually(async () => {
        const { members: there } = await ada.must("GET", `/rooms/${id}/members`);
        return Bun.deepEquals(
          await members(),
          there.map(({ user, lastReadSeq, role }: any) => ({ name: user.name, lastReadSeq, role })),
        );
      }, what);
    await settled("opened");
    await ben.must("PUT", `/rooms/${id}/read`, { seq: 4 });
    await settled("read");
    await ben.must("PUT", `/rooms/${id}/unread`, { seq: 2 });
    await settled("unread");
    await ben.must("PUT", `/rooms/${id}/members/${eve.user.id}`);
    await settled("added");
    await eve.must("PATCH", "/users/me", { name: "Eve Two" });
    await eve.send(id, "I have a new name");
    await settled("renamed");
    await show(tab, false);
    await eventually(() => server.hub.state.streams === 1);
    await ben.must("PUT", `/rooms/${id}/read`, { seq: 5 });
    await show(tab, true);
    await settled("read while hidden");
    await eve.must("DELETE", `/rooms/${id}/members/me`);
    await settled("left");
  });

  test("that is far behind after it was hidden shows the newest; or what it showed, if that was not the end", async () => {
    for (const atEnd of [true, false]) {
      const id = await roomOf(300);
      const tab = await tabOf();
      await openTimeline(tab, id, atEnd ? undefined : 100);
      await show(tab, false);
      await ben.must("PATCH", `/rooms/${id}/messages/90`, { body: "edited" });
      await server.database.sql`
        insert into messages (room_id, seq, sender_id, body)
        select ${id}::bigint, 300 + i, ${ben.user.id}::bigint, 'new ' || i from generate_series(1, 600) i`;
      await server.database.sql`update rooms set last_seq = 900 where id = ${id}`;
      await show(tab, true);
      if (atEnd) {
        await eventually(async () => (await shown(tab)).last === 900);
        expect(await shown(tab)).toMatchObject({ first: 851, atEnd: true });
      } else {
        await eventually(async () => (await bodies(tab)).includes("edited"));
        expect(await shown(tab)).toMatchObject({ atEnd: false, atStart: false });
        expect((await shown(tab)).first).toBeWithin(70, 90);
      }
      await tab.close();
    }
  });

  test("tells what went wrong, and tries again once there is a network", async () => {
    const id = await roomOf(5);
    const tab = await tabOf();
    await hasStatus(tab, "live");
    pages.intercept = (_, path) =>
      path.includes("/messages") ? new Response("", { status: 502 }) : undefined;
    await openTimeline(tab, id);
    await tab.waitForFunction(() => window.timeline.members.length > 0); // they are there all the same
    expect(await tab.evaluate(() => window.timeline.error?.message)).toBe("Bad Gateway");
    pages.intercept = () => undefined;
    await context.setOffline(true);
    await hasStatus(tab, "offline");
    await context.setOffline(false);
    await eventually(async () => (await shown(tab)).count === 5, "loaded");
    expect(await tab.evaluate(() => window.timeline.error)).toBeNull();
  });

  test("of a room that is not one's own is gone", async () => {
    const tab = await tabOf();
    await openTimeline(tab, 999_999);
    expect(await shown(tab)).toMatchObject({ gone: true, loading: null });
  });

  test("takes what one sends before the stream tells, and once", async () => {
    const id = await roomOf(5);
    const tab = await tabOf();
    await openTimeline(tab, id);
    await tab.evaluate((id) => {
      for (let i = 0; i < 5; i++) window.client.outbox.send(id, `mine ${i}`);
    }, id);
    for (let i = 0; i < 5; i++) await ben.send(id, `theirs ${i}`);
    await eventually(async () => {
      const there = (await ada.page(id)).messages;
      return there.length === 15 && Bun.deepEquals(await tab.evaluate(() => window.timeline.messages), there);
    }, "all of them, once, in order");
    expect(await shown(tab)).toMatchObject({ atEnd: true });
  });
});
