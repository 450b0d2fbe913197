import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import type { Client } from "./support/client.ts";
import { type ClientPages, clientPages, openClient } from "./support/client-page.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { hasStatus, openTabs, sleep, wake } from "./support/tabs.ts";

const QUICK = { retryMs: { first: 50, most: 200 } };
/** Nothing but the network's return ends its pauses. */
const PATIENT = { retryMs: { first: 60_000, most: 60_000 } };

let server: TestServer;
let pages: ClientPages;
let ada: Client;
let roomId: number;
let context: BrowserContext;
beforeAll(async () => {
  server = await testServer();
  pages = await clientPages(server.api);
});
beforeEach(async () => {
  await context?.close();
  pages.intercept = () => undefined;
  ada = await server.person("ada");
  roomId = (await ada.openRoom("outbox")).id;
  context = await pages.context(ada);
});
afterAll(async () => {
  await pages.close();
  await server.close();
});

const tabOf = async (pace: object = QUICK): Promise<Page> =>
  (await openTabs(pages, context, 1, pace))[0] as Page;

const send = (tab: Page, ...bodies: string[]) =>
  tab.evaluate(
    ([roomId, bodies]) => {
      for (const body of bodies as string[]) window.client.outbox.send(roomId as number, body);
    },
    [roomId, bodies] as const,
  );
const outbox = (tab: Page) =>
  tab.evaluate(
    (roomId) => window.client.outbox.of(roomId).map(({ body, state }) => `${body}: ${state}`),
    roomId,
  );
/** What is in the room, in order. */
const arrived = async () => (await ada.page(roomId)).messages.map(({ body }) => body);
const becomes = (tab: Page, ...pending: string[]) =>
  eventually(async () => Bun.deepEquals(await outbox(tab), pending), `the outbox becomes ${pending}`);

const isSend = (request: Request, path: string) => request.method === "POST" && path.endsWith("/messages");
/** The server gets it and answers, and the answer is lost. */
const loseAnswers = (times: number) => {
  let left = times;
  pages.intercept = async (request, path) => {
    if (!isSend(request, path) || left-- <= 0) return undefined;
    await fetch(pages.target + path, {
      method: "POST",
      headers: request.headers,
      body: await request.clone().text(),
    });
    return new Response("<h1>502</h1>", { status: 502 });
  };
};
const refuseSends = (status: number, headers: Record<string, string> = {}) => {
  pages.intercept = (request, path) =>
    isSend(request, path)
      ? new Response(JSON.stringify({ code: "no", detail: "No." }), { status, headers })
      : undefined;
};

describe("the outbox", () => {
  test("sends in order, and each once, however often the answer is lost", async () => {
    const tab = await tabOf();
    loseAnswers(3);
    await send(tab, "one", "two", "three");
    await becomes(tab);
    expect(await arrived()).toEqual(["one", "two", "three"]);
  });

  test("keeps what is sent without a network, and sends it at once when there is one", async () => {
    const tab = await tabOf(PATIENT);
    await hasStatus(tab, "live");
    await context.setOffline(true);
    await hasStatus(tab, "offline");
    await send(tab, "one", "two");
    await becomes(tab, "one: waiting", "two: waiting");
    await context.setOffline(false);
    await becomes(tab);
    expect(await arrived()).toEqual(["one", "two"]);
  });

  test("survives a reload, with an answer that was lost before it", async () => {
    const tab = await tabOf(PATIENT);
    loseAnswers(1);
    await send(tab, "one", "two");
    await becomes(tab, "one: waiting", "two: waiting");
    await tab.reload();
    await tab.waitForFunction(() => window.foyer !== undefined);
    await openClient(tab, PATIENT);
    await becomes(tab);
    expect(await arrived()).toEqual(["one", "two"]);
  });

  test("waits after 5xx, 429 and what is no answer of the API; honours Retry-After", async () => {
    const tab = await tabOf();
    for (const status of [500, 503, 429, 502, 200]) {
      refuseSends(status);
      if (status === 200)
        pages.intercept = (request, path) =>
          isSend(request, path) ? new Response("<h1>Wi-Fi</h1>") : undefined;
      await send(tab, `after ${status}`);
      await becomes(tab, `after ${status}: waiting`);
      pages.intercept = () => undefined;
      await becomes(tab);
    }
    refuseSends(503, { "retry-after": "1" });
    const tries: number[] = [];
    const refuse = pages.intercept;
    pages.intercept = (request, path) => {
      if (isSend(request, path)) tries.push(performance.now());
      return tries.length > 1 ? undefined : refuse(request, path);
    };
    await send(tab, "later");
    await becomes(tab);
    // The clock is the rule here.
    expect((tries[1] as number) - (tries[0] as number)).toBeGreaterThanOrEqual(1_000);
  });

  test("shows what is refused, until it is tried again or given up; what follows goes on", async () => {
    const tab = await tabOf();
    refuseSends(403);
    await send(tab, "refused", "as well");
    await becomes(tab, "refused: refused", "as well: refused");
    const problem = await tab.evaluate((roomId) => window.client.outbox.of(roomId)[0]?.problem?.code, roomId);
    expect(problem).toBe("no");
    pages.intercept = () => undefined;
    await send(tab, "fine");
    await becomes(tab, "refused: refused", "as well: refused");
    await tab.reload();
    await tab.waitForFunction(() => window.foyer !== undefined);
    await openClient(tab, QUICK);
    await becomes(tab, "refused: refused", "as well: refused");
    await tab.evaluate((roomId) => {
      const [first, second] = window.client.outbox.of(roomId);
      window.client.outbox.retry(first?.clientId ?? "");
      window.client.outbox.discard(second?.clientId ?? "");
    }, roomId);
    await becomes(tab);
    expect(await arrived()).toEqual(["fine", "refused"]);
  });

  test("is done with what the stream brings, even if no answer ever comes", async () => {
    const tab = await tabOf(PATIENT);
    await tab.evaluate(async (roomId) => {
      window.client.outbox.onSent(({ body }) => (document.title += ` sent ${body}`));
      window.timeline = window.client.timeline(roomId);
      await window.timeline.open();
    }, roomId);
    loseAnswers(1);
    await send(tab, "one");
    await becomes(tab);
    expect(await arrived()).toEqual(["one"]);
    expect(await tab.title()).toBe("A bare page sent one");
  });

  test("is seen in all tabs, sent by the one, and by another once that is closed", async () => {
    const [tab, other] = await openTabs(pages, context, 2, QUICK);
    if (!tab || !other) throw new Error("no tabs");
    let sends = 0;
    pages.intercept = (request, path) => {
      if (isSend(request, path)) sends++;
      return undefined;
    };
    await send(tab, "one");
    await becomes(tab);
    await becomes(other);
    expect(sends).toBe(1);

    refuseSends(503, { "retry-after": "3600" });
    await send(tab, "left behind");
    await becomes(tab, "left behind: waiting");
    await becomes(other, "left behind: waiting");
    pages.intercept = () => undefined;
    await tab.close();
    await becomes(other);
    expect(await arrived()).toEqual(["one", "left behind"]);
  });

  test("is emptied by clear, in every tab, and is nobody else's", async () => {
    const [tab, other] = await openTabs(pages, context, 2, PATIENT);
    if (!tab || !other) throw new Error("no tabs");
    await tab.evaluate(() => localStorage.setItem("foyer:outbox:999:x", "another's"));
    refuseSends(503);
    await send(tab, "one");
    await becomes(other, "one: waiting");
    await other.evaluate(() => window.client.outbox.clear());
    await becomes(tab);
    await becomes(other);
    expect(
      await tab.evaluate(() => Object.keys(localStorage).filter((key) => key.includes("outbox"))),
    ).toEqual(["foyer:outbox:999:x"]);
  });

  test("sends from a full storage, and from none", async () => {
    await context.addInitScript(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    });
    const tab = await tabOf();
    loseAnswers(1);
    await send(tab, "one", "two");
    await becomes(tab);
    expect(await arrived()).toEqual(["one", "two"]);
  });
});

test("a tab that sleeps with something to send sends it once awake", async () => {
  const tab = await tabOf();
  refuseSends(503);
  await send(tab, "asleep");
  await becomes(tab, "asleep: waiting");
  await sleep(tab);
  pages.intercept = () => undefined;
  await wake(tab);
  await becomes(tab);
  expect(await arrived()).toEqual(["asleep"]);
});
