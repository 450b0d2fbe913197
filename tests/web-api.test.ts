import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Api, ApiError, NetworkError } from "../src/web/client/index.ts";
import type { Client } from "./support/client.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client;
let api: Api;
let proxy: Bun.Server<undefined>;
/** Answers instead of the API. */
let instead: (() => Response | Promise<Response>) | null = null;
const seen: { method: string; path: string; type: string | null }[] = [];
beforeAll(async () => {
  server = await testServer();
  ada = await server.person("ada");
  // What a browser's cookie jar does.
  proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0, // or it would end what is not to end
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      seen.push({
        method: request.method,
        path: pathname + search,
        type: request.headers.get("content-type"),
      });
      if (instead) return instead();
      const headers = new Headers(request.headers);
      headers.set("cookie", ada.headers.cookie ?? "");
      const body = request.method === "GET" ? undefined : await request.arrayBuffer();
      return fetch(server.api + pathname + search, { method: request.method, headers, body });
    },
  });
  api = new Api(proxy.url.origin);
});
afterAll(async () => {
  await proxy.stop(true);
  await server.close();
});

/** What a call rejects with. */
const failure = async (call: Promise<unknown>): Promise<ApiError> => {
  const error = await call.then(
    () => null,
    (error) => error,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error;
};

describe("the calls", () => {
  test("do what they say", async () => {
    const ben = await server.person("ben");
    expect(await api.session()).toEqual(ada.user);
    expect(await api.people(ben.user.handle, 5)).toEqual([ben.user]);
    const room = await api.createRoom({ kind: "open", name: "calls", topic: null, members: [ben.user.id] });
    expect(await api.room(room.id)).toEqual(room);
    expect(await api.changeRoom(room.id, { topic: "all of them" })).toMatchObject({ topic: "all of them" });
    const message = await api.send(room.id, { body: "hello", clientId: "one" });
    expect(await api.send(room.id, { body: "hello", clientId: "one" })).toEqual(message);
    expect(await api.send(room.id, { body: "an answer", replyTo: message.seq })).toMatchObject({
      replyTo: 1,
    });
    expect(await api.edit(room.id, 1, "hello all")).toMatchObject({ body: "hello all" });
    for (const emoji of ["👍", "👩🏽‍🚀", "❤️", "#️⃣"]) {
      expect((await api.react(room.id, 1, emoji, true))?.reactions.at(-1)?.emoji).toBe(emoji);
      expect(await api.react(room.id, 1, emoji, false)).toBeNull();
    }
    expect((await api.messages(room.id, { before: 2 })).messages.map(({ body }) => body)).toEqual([
      "hello all",
    ]);
    expect((await api.messages(room.id, { around: 2, limit: 1 })).messages).toHaveLength(1);
    expect((await api.message(room.id, 2)).body).toBe("an answer");
    await api.remove(room.id, 2);
    await api.typing(room.id);
    expect((await api.members(room.id)).map(({ user }) => user.id)).toEqual([ada.user.id, ben.user.id]);
    expect(await api.putMember(room.id, ben.user.id, "moderator")).toMatchObject({ role: "moderator" });
    expect(await api.putMember(room.id, ben.user.id)).toMatchObject({ role: "moderator" });
    expect(await api.setInvolvement(room.id, "mentions")).toMatchObject({ involvement: "mentions" });
    expect(await api.markUnread(room.id, 1)).toMatchObject({ lastReadSeq: 0, markedUnread: true });
    expect(await api.unread(room.id)).toMatchObject({ unreadCount: 0, skipped: { own: 2 } });
    expect((await api.readAll()).rooms.map(({ id }) => id)).toEqual([room.id]);
    expect(await api.markRead(room.id, 2)).toMatchObject({ lastReadSeq: 2 });
    expect((await api.search({ q: "hello", room: room.id })).messages[0]?.snippet.text).toBe("hello all");
    expect((await api.openRooms({ q: "calls" })).rooms).toMatchObject([{ id: room.id, joined: true }]);
    const list = await api.rooms();
    expect(list.rooms.map(({ id }) => id)).toEqual([room.id]);
    expect((await api.rooms(list.cursor)).reset).toBe(false);
    await api.removeMember(room.id, ben.user.id);
    await api.removeRoom(room.id);
    expect((await api.rename("Ada Three")).name).toBe("Ada Three");
    expect(seen.some(({ path }) => path.endsWith("/reactions/%F0%9F%91%8D"))).toBe(true);
    expect(seen.filter(({ type }) => type !== null && type !== "application/json")).toEqual([]);
  });

  test("of a session that has ended give null for it, and 401 for everything else", async () => {
    const other = await ada.signInAgain();
    const own = ada.headers.cookie;
    ada.headers.cookie = other.headers.cookie as string;
    await api.signOut();
    expect(await api.session()).toBeNull();
    expect(await failure(api.rooms())).toMatchObject({ status: 401, code: "unauthenticated" });
    ada.headers.cookie = own as string;
  });
});

describe("what goes wrong", () => {
  test("is told as the problem that the server tells", async () => {
    expect(await failure(api.room(999_999))).toMatchObject({
      status: 404,
      code: "room-not-found",
      retryAfterMs: null,
    });
    const wrong = await failure(api.createRoom({ kind: "open", name: " " }));
    expect(wrong).toMatchObject({ status: 422, code: "invalid", errors: [{ path: "/name" }] });
    expect(wrong.message).toBe(wrong.detail);
  });

  test("is told in the same form by whatever else answers", async () => {
    const html =
      (status: number, headers = {}) =>
      () =>
        new Response("<h1>Sorry</h1>", { status, headers });
    const date = new Date(Date.now() + 60_000).toUTCString();
    for (const [answer, told] of [
      [html(502), { status: 502, code: "http-502", retryAfterMs: null }],
      [html(503, { "retry-after": "7" }), { status: 503, retryAfterMs: 7_000 }],
      [html(503, { "retry-after": "soon" }), { retryAfterMs: null }],
      [html(200), { status: 200, code: "not-json" }],
      [() => new Response('{"code":7,"errors":"no"}', { status: 400 }), { code: "http-400", errors: [] }],
      [() => new Response("null", { status: 500 }), { code: "http-500" }],
    ] as const) {
      instead = answer;
      expect(await failure(api.rooms())).toMatchObject(told);
    }
    instead = html(429, { "retry-after": date });
    expect((await failure(api.rooms())).retryAfterMs).toBeWithin(50_000, 60_001);
    instead = null;
  });

  test("is a NetworkError where there is no answer, or none in time, or half of one", async () => {
    const nobody = new Api("http://127.0.0.1:1");
    const { promise, resolve } = Promise.withResolvers<Response>();
    const half = () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode('{"cursor":'));
          },
        }),
      );
    await expect(nobody.rooms()).rejects.toBeInstanceOf(NetworkError);
    await expect(nobody.session()).rejects.toBeInstanceOf(NetworkError);
    for (const answer of [() => promise, half]) {
      instead = answer;
      await expect(new Api(proxy.url.origin, 100).rooms()).rejects.toBeInstanceOf(NetworkError);
    }
    instead = null;
    resolve(new Response());
  });
});
