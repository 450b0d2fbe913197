import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { roomChanged } from "../src/live/hints.ts";
import { Outgoing } from "../src/messages/outgoing.ts";
import type { Client } from "./support/client.ts";
import { quietCursor } from "./support/cursor.ts";
import { freshDatabase } from "./support/database.ts";
import { bySeq, inOrder } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { startProxy } from "./support/proxy.ts";
import { type TestServer, testServer, twoServers } from "./support/server.ts";
import { askedFor, encode, handshake, type SocketReader } from "./support/socket.ts";

let server: TestServer;
let other: TestServer;
let ada: Client; // owner
let ben: Client;
let eve: Client; // stranger
beforeAll(async () => {
  [server, other] = await twoServers();
  [ada, ben, eve] = await Promise.all([server.person("ada"), server.person("ben"), server.person("eve")]);
});
afterAll(async () => {
  await other.close();
  await server.close();
});

const there = (who: Client) => who.with(who.headers, other.api);
const idle = () =>
  eventually(() => {
    const { streams, timelines, people, rooms } = server.hub.state;
    return streams + timelines + people + rooms === 0;
  }, "nothing is open");

/** Ada's room with Ben. */
const room = async (...members: Client[]) => (await ada.openRoom("a room", [ben, ...members])).id;
const held = (socket: SocketReader, id: number) => bySeq(socket.messages.get(id) ?? new Map());
const bodies = (socket: SocketReader, id: number) => held(socket, id).map(({ body }) => body);
/** A socket that brings rooms' timelines. */
async function watching(who: Client, ...ids: number[]): Promise<SocketReader> {
  const socket = await who.socket();
  for (const id of ids) {
    socket.send({ subscribe: "room", id });
    await socket.event("messages", 1, id);
  }
  return socket;
}

describe("subscribe", () => {
  test("rooms brings the whole list, then what changes, each with its cursor", async () => {
    const id = await room();
    const socket = await ben.socket();
    socket.send({ subscribe: "rooms" });
    const { data, id: cursor, room: none } = await socket.event("rooms");
    expect(data).toEqual({ ...(await ben.list()), cursor });
    expect([data.reset, none]).toEqual([true, undefined]);
    await ada.send(id);
    await socket.until(() => socket.rooms.get(id)?.lastSeq === 1);
    expect(inOrder(socket.rooms)).toEqual((await ben.list()).rooms);
    expect(socket.of("messages")).toEqual([]);
    await socket.close();
    await idle();
  });

  test("room brings the newest messages, then what changes, each with the room and its cursor", async () => {
    const id = await room();
    await ada.send(id, "before");
    const socket = await watching(ben, id);
    const page = await ben.page(id);
    expect(socket.frames).toEqual([
      {
        event: "messages",
        room: id,
        data: { reset: true, messages: page.messages, cursor: page.cursor },
        id: page.cursor,
      },
    ]);
    await ada.send(id, "after");
    await ada.must("PATCH", `/rooms/${id}/messages/1`, { body: "edited" });
    await socket.until(() => Bun.deepEquals(bodies(socket, id), ["edited", "after"]));
    await socket.until(() => socket.of("read", id).length === 1);
    expect(socket.of("read", id)[0]?.data).toEqual({ userId: ada.user.id, lastReadSeq: 2 });
    expect(held(socket, id)).toEqual((await ben.page(id)).messages);
    expect(socket.of("rooms")).toEqual([]);
    await socket.close();
    await idle();
  });

  test("with a cursor brings only what was missed, from whichever server", async () => {
    const [id, quiet] = [await room(), await room()];
    for (const body of ["one", "two"]) await ada.send(id, body);
    const first = await watching(ben, id, quiet);
    const list = await quietCursor(ben);
    await first.close();
    await ada.send(id, "three");
    await ada.must("DELETE", `/rooms/${id}/messages/1`);

    for (const who of [ben, there(ben)]) {
      const again = await who.socket();
      again.send({ subscribe: "rooms", cursor: list });
      for (const room of [id, quiet])
        again.send({ subscribe: "room", id: room, cursor: first.cursors.get(room) });
      const { data } = await again.event("messages", 1, id);
      expect(data).toMatchObject({
        reset: false,
        messages: [
          { seq: 1, body: null },
          { seq: 3, body: "three" },
        ],
      });
      expect((await again.event("messages", 1, quiet)).data).toMatchObject({ reset: false, messages: [] });
      const changed = (await again.event("rooms")).data;
      expect(changed.reset).toBe(false);
      expect(changed.rooms.map((changed: { id: number }) => changed.id)).toEqual([id]);
      await again.close();
    }
    await idle();
  });

  test("with a cursor that says nothing brings everything, with reset", async () => {
    const id = await room();
    await ada.send(id);
    const socket = await ben.socket();
    for (const [i, cursor] of ["", "nonsense", "\0", "9".repeat(10_000), "1.2.3"].entries()) {
      socket.send({ subscribe: "rooms", cursor });
      socket.send({ subscribe: "room", id, cursor });
      expect((await socket.event("rooms", i + 1)).data.reset).toBe(true);
      expect((await socket.event("messages", i + 1, id)).data).toMatchObject({
        reset: true,
        messages: [{ seq: 1 }],
      });
    }
    expect(socket.of("error")).toEqual([]);
    await socket.close();
  });

  test("the same twice begins anew, and brings what comes after once", async () => {
    const id = await room();
    const socket = await watching(ben, id);
    socket.send({ subscribe: "rooms" });
    await socket.event("rooms");
    socket.send({ subscribe: "room", id });
    socket.send({ subscribe: "rooms" });
    await socket.event("messages", 2, id);
    await socket.event("rooms", 2);
    for (const seq of [1, 2]) {
      await ada.send(id); // what a second subscription told would have come before the second of these
      await socket.until(() => socket.rooms.get(id)?.lastSeq === seq && held(socket, id).length === seq);
    }
    expect(socket.of("messages", id).map(({ data }) => data.messages.length)).toEqual([0, 0, 1, 1]);
    const told = socket.of("rooms").flatMap(({ data }) => (data.reset ? [] : data.rooms));
    expect(told.map(({ lastSeq }) => lastSeq)).toEqual([1, 2]);
    await socket.close();
  });
});

describe("unsubscribe", () => {
  test("room ends that room's events, and no other's", async () => {
    const [left, kept] = [await room(), await room()];
    const socket = await watching(ben, left, kept);
    socket.send({ unsubscribe: "room", id: left });
    await socket.settled();
    const before = socket.frames.filter((frame) => frame.room === left).length;
    await ada.send(left);
    await ben.must("POST", `/rooms/${left}/typing`);
    await ada.send(kept);
    await socket.event("messages", 2, kept);
    expect(socket.frames.filter((frame) => frame.room === left)).toHaveLength(before);
    expect(server.hub.state.timelines).toBe(1);

    socket.send({ subscribe: "room", id: left, cursor: socket.cursors.get(left) });
    expect((await socket.event("messages", 2, left)).data).toMatchObject({
      reset: false,
      messages: [{ seq: 1 }],
    });
    await socket.close();
    await idle();
  });

  test("rooms ends the list's events, and no room's", async () => {
    const id = await room();
    const socket = await watching(ben, id);
    socket.send({ subscribe: "rooms" });
    await socket.event("rooms");
    socket.send({ unsubscribe: "rooms" });
    await socket.settled();
    const { length } = socket.of("rooms");
    for (let i = 0; i < 3; i++) {
      await ada.send(id);
      await socket.event("messages", i + 2, id);
    }
    expect(socket.of("rooms")).toHaveLength(length);
    await socket.close();
    await idle();
  });

  test("of what is not subscribed to does nothing", async () => {
    const socket = await ben.socket();
    socket.send({ unsubscribe: "rooms" });
    socket.send({ unsubscribe: "room", id: 987_654 });
    await socket.settled();
    expect(socket.frames).toHaveLength(1);
    await socket.close();
  });
});

describe("a frame that is refused", () => {
  /** What is answered to frames, in their order. */
  async function refused(who: Client, ...frames: (object | string)[]) {
    const socket = await who.socket();
    for (const frame of frames) socket.send(frame);
    await socket.event("error", frames.length);
    socket.send({ subscribe: "rooms" }); // the socket lives on
    await socket.event("rooms");
    await socket.close();
    return socket.of("error");
  }

  test.each([
    ["no JSON", "{subscribe"],
    ["nothing", ""],
    ["half of a frame", '{"subscribe":"rooms"'],
    ["two frames", '{"typing":1}{"typing":1}'],
  ])("for it is %s: 400 bad-json, with the text", async (_what, text) => {
    const [error] = await refused(ben, text);
    expect(error).toEqual({
      event: "error",
      data: expect.objectContaining({ status: 400, code: "bad-json", title: "Bad Request" }),
      re: text,
    });
  });

  test.each([
    "null",
    "1",
    '"rooms"',
    "[]",
    '[{"subscribe":"rooms"}]',
    "{}",
    '{"subscribe":"all"}',
    '{"subscribe":"rooms","cursor":1}',
    '{"subscribe":"room"}',
    '{"subscribe":"room","id":"1"}',
    '{"subscribe":"room","id":0}',
    '{"subscribe":"room","id":1.5}',
    '{"subscribe":"room","id":9007199254740992}',
    '{"unsubscribe":"room"}',
    '{"unsubscribe":true}',
    '{"typing":"1"}',
    '{"typing":-1}',
    '{"Subscribe":"rooms"}',
    '{"subscribe":"rooms","typing":"x"}',
    '{"subscribe":"rooms","unsubscribe":"rooms"}',
    '{"__proto__":{"subscribe":"rooms"}}',
  ])("for its form, %s: 422 invalid, with the frame", async (text) => {
    const [error] = await refused(ben, text);
    expect(error).toEqual({
      event: "error",
      data: expect.objectContaining({
        status: 422,
        code: "invalid",
        detail: expect.stringContaining("subscribe"),
      }),
      re: JSON.parse(text),
    });
  });

  test("that is nested as deeply as it can be comes back as it came", async () => {
    const deep = "[".repeat(8_000) + "]".repeat(8_000);
    const [asked, next] = await refused(ben, deep, `{"subscribe":"\\ud800","more":${deep}}`);
    expect([asked?.data.code, next?.data.code]).toEqual(["invalid", "invalid"]);
  });

  test("for a room that is not theirs, alike for one that is not there, byte for byte", async () => {
    const { id: closed } = await ada.must("POST", "/rooms", { kind: "closed", name: "closed" });
    const open = await room();
    const { id: removed } = await ada.openRoom("removed", [eve]);
    await ada.must("DELETE", `/rooms/${removed}`);
    const left = await room(eve);
    await eve.must("DELETE", `/rooms/${left}/members/me`);
    const ids = [987_654, closed, open, removed, left, Number.MAX_SAFE_INTEGER];
    const frames = ids.flatMap((id) => [{ subscribe: "room", id }, { typing: id }]);
    const errors = await refused(eve, ...frames);
    expect(errors.map(({ re }) => re)).toEqual(frames);
    const { body } = await eve.call("GET", "/rooms/987654/messages");
    expect(new Set(errors.map(({ data }) => JSON.stringify(data)))).toEqual(new Set([JSON.stringify(body)]));
  });

  test("has no more fields than it needs, and others are ignored", async () => {
    const socket = await ben.socket();
    socket.send({ subscribe: "rooms", more: 1, id: "x" });
    await socket.event("rooms");
    expect(socket.of("error")).toEqual([]);
    await socket.close();
  });

  test("the 501st room of a socket is: 409, and one that goes makes room", async () => {
    const dora = await server.person("dora");
    const rooms = await Promise.all(Array.from({ length: 501 }, () => dora.openRoom()));
    const socket = await dora.socket();
    for (const { id } of rooms.slice(0, 500)) socket.send({ subscribe: "room", id }); // as on coming back
    await socket.event("messages", 500);
    const [first, last] = [rooms[0]?.id, rooms[500]?.id];
    socket.send({ subscribe: "room", id: last });
    expect((await socket.event("error")).data).toMatchObject({ status: 409, code: "too-many-subscriptions" });
    socket.send({ subscribe: "room", id: first }); // one of them anew
    await socket.event("messages", 2, first);
    socket.send({ unsubscribe: "room", id: first });
    socket.send({ subscribe: "room", id: last });
    await socket.event("messages", 1, last);
    expect(socket.of("error")).toHaveLength(1);
    await socket.close();
    await idle();
  }, 30_000);

  test("while the database is away is answered 503, and the socket lives on", async () => {
    const database = await freshDatabase();
    const proxy = await startProxy(database.target);
    const mine = await testServer({ STATEMENT_TIMEOUT: "1" }, { ...database, target: proxy.target });
    try {
      const kim = await mine.person("kim");
      const { id } = await kim.openRoom();
      const asked = [{ subscribe: "room", id }, { typing: id }];
      const sockets = await Promise.all(asked.map(() => kim.socket())); // each statement takes its time to fail
      proxy.pause();
      for (const [i, socket] of sockets.entries()) socket.send(asked[i] as object);
      for (const [i, socket] of sockets.entries()) {
        const { data, re } = await socket.event("error");
        expect(data).toMatchObject({ status: 503, code: "unavailable" });
        expect(re).toEqual(asked[i]);
      }
      mine.hub.sweep();
      await eventually(() => !mine.hub.ready);
      expect(await askedFor(mine.api, kim.headers)).toBe("503 unavailable");
      proxy.resume();
      for (const socket of sockets) {
        socket.send({ subscribe: "room", id });
        await socket.event("messages", 1, id);
        await socket.close();
      }
    } finally {
      proxy.resume();
      await mine.close();
      await proxy.close();
      await database.drop();
    }
  });
});

describe("what is no frame of the contract", () => {
  test("a frame of 16 KiB is taken, a larger one ends the socket: 1009", async () => {
    const size = 16 * 1024;
    const frame = (bytes: number) => {
      const empty = JSON.stringify({ subscribe: "rooms", more: "" });
      return empty.replace('""', `"${"x".repeat(bytes - empty.length)}"`);
    };
    const socket = await ben.socket();
    socket.send(frame(size));
    await socket.event("rooms");
    await socket.close();
    for (const bytes of [size + 1, 17 * size, 10_000_000]) {
      const large = await ben.socket();
      large.send(frame(bytes));
      expect((await large.end()).code).toBe(1009);
      expect(large.frames).toEqual([]);
    }
    await idle();
  });

  test("a frame in pieces counts as a whole", async () => {
    const pieces = (text: string, bytes: number) =>
      Array.from({ length: Math.ceil(text.length / bytes) }, (_, i) =>
        encode(text.slice(i * bytes, (i + 1) * bytes), {
          opcode: i === 0 ? 1 : 0,
          fin: (i + 1) * bytes >= text.length,
        }),
      );
    const socket = await handshake(server.api, ben.headers);
    await socket.until(() => socket.text.includes("\r\n\r\n"));
    for (const piece of pieces('{"subscribe":"rooms"}', 5)) socket.socket.write(piece);
    await socket.until(() => socket.text.includes('{"event":"rooms"'));
    for (const piece of pieces("x".repeat(20_000), 1_000)) socket.socket.write(piece);
    await socket.until(() => socket.closed);
    expect(socket.text).toContain("\x88\x1a\x03\xf1"); // close, 1009
    await idle();
  });

  test("bytes are taken for text, and what is no UTF-8 for no JSON", async () => {
    const socket = await ben.socket();
    socket.send(Buffer.from('{"subscribe":"rooms"}'));
    await socket.event("rooms");
    socket.send(new Uint8Array([0xff, 0xfe, 0]));
    expect((await socket.event("error")).data.code).toBe("bad-json");
    await socket.close();
  });

  test("more frames at once than are taken end the socket, and leave nothing", async () => {
    const id = await room();
    const socket = await ben.socket();
    for (let i = 0; i < 1_000; i++) socket.send({ subscribe: "room", id });
    expect(await socket.end()).toEqual({ code: 1013, reason: "too many frames at once" });
    await idle();
  });

  test("a client that asks and asks, and reads no answer, is not heard any more and then cut", async () => {
    const id = await room();
    const deaf = await handshake(server.api, ben.headers);
    await deaf.until(() => deaf.text.includes("\r\n\r\n"));
    deaf.stopReading();
    const refusal = encode(JSON.stringify({ more: "x".repeat(16_000) }));
    for (let i = 0; i < 3_000 && server.hub.state.streams > 0; i++) {
      deaf.socket.write(refusal);
      await ada.room(id); // the server has its turn
    }
    expect(server.hub.state.streams).toBe(0);
    deaf.socket.resume();
    await deaf.until(() => deaf.closed);
    expect(deaf.bytes).toBeLessThan(12_000_000); // what the kernel's buffers take, and 64 KiB
    await idle();
  }, 30_000);

  test("one that is slow to take much in misses nothing of what stands behind it, and is answered after it", async () => {
    const id = await room();
    const slow = await handshake(server.api, ben.headers);
    await slow.until(() => slow.text.includes("\r\n\r\n"));
    slow.socket.write(encode(JSON.stringify({ subscribe: "room", id })));
    await slow.until(() => slow.text.includes('"event":"messages"'));
    slow.stopReading();
    const before = server.hub.state.events;
    const body = "😀".repeat(10_000);
    // Without a hint, so that it is all to be told at once.
    const outgoing = new Outgoing(server.database.sql, () => {});
    await Promise.all(
      Array.from({ length: 250 }, () =>
        outgoing.send({ roomId: id, senderId: ada.user.id, body, clientId: null, replyTo: null }),
      ),
    );
    server.hub.hear(roomChanged(id));
    await eventually(() => server.hub.state.events > before);
    slow.socket.write(encode("what?"));
    await ada.send(id, "the end"); // the server has its turn
    // Each whenever it comes: more may follow than is kept of the text.
    const parts = [`"userId":${ada.user.id},"lastReadSeq":251}`, '"bad-json"', '"the end"'];
    const seen = parts.map((part) => slow.until(() => slow.text.includes(part)));
    slow.socket.resume();
    await Promise.all(seen);
    expect(slow.bytes).toBeGreaterThan(10_000_000);
    expect(slow.closed).toBe(false);
    slow.vanish(false);
    await idle();
  });
});

describe("the request", () => {
  test("without a session, or with one that has ended, is refused: 401", async () => {
    const gone = await ada.signInAgain();
    await gone.must("DELETE", "/session");
    for (const headers of [{}, gone.headers])
      expect(await askedFor(server.api, headers)).toBe("401 unauthenticated");
  });

  test("that is no WebSocket's is refused: 426, and says what it takes", async () => {
    for (const method of ["GET", "HEAD"]) {
      const response = await fetch(`${server.api}/ws`, { method, headers: ada.headers });
      expect([response.status, response.headers.get("upgrade")]).toEqual([426, "websocket"]);
      const text = await response.text();
      if (method === "GET") expect(JSON.parse(text).code).toBe("upgrade-required");
    }
    expect(server.hub.state.streams).toBe(0);
  });

  test("of another site is refused, unless it is let in by ALLOWED_ORIGINS or carries a token", async () => {
    const mine = await testServer({ ALLOWED_ORIGINS: "https://app.example.com" }, server.database);
    const { token } = await ada.must("POST", "/tokens", { name: "program" });
    const program = { authorization: `Bearer ${token}` };
    const port = Number(new URL(mine.url).port);
    const evil = { origin: "https://evil.example" };
    const cases: [Record<string, string>, string][] = [
      [{ ...ada.headers }, "101"],
      [{ ...ada.headers, origin: mine.url }, "101"],
      [{ ...ada.headers, origin: "https://app.example.com" }, "101"],
      [{ ...ada.headers, "sec-fetch-site": "same-origin" }, "101"],
      [{ ...ada.headers, origin: mine.url.replace(String(port), String(port + 1)) }, "403 bad-origin"],
      [{ ...ada.headers, ...evil }, "403 bad-origin"],
      [{ ...ada.headers, origin: "null" }, "403 bad-origin"],
      [{ ...ada.headers, "sec-fetch-site": "cross-site" }, "403 bad-origin"],
      [{ ...ada.headers, "sec-fetch-site": "same-site" }, "403 bad-origin"],
      [{ ...program, ...evil, "sec-fetch-site": "cross-site" }, "101"],
      [{ ...ada.headers, ...evil, authorization: "Bearer wrong" }, "401 unauthenticated"],
    ];
    for (const [headers, answer] of cases) {
      expect({ headers, answer: await askedFor(mine.api, headers) }).toEqual({ headers, answer });
    }
    await mine.close();
  });
});

describe("losing the right", () => {
  test("a sign-out, a new password and a token's end say bye and close with 1008, and nothing comes after", async () => {
    const kim = await server.person("kim");
    const { id } = await kim.openRoom("kim's", [ada]);
    const [out, elsewhere] = [await kim.signInAgain(), await kim.signInAgain()];
    const { token } = await kim.must("POST", "/tokens", { name: "program" });
    const program = kim.with({ authorization: `Bearer ${token}` });
    const steps: [Client, () => Promise<unknown>][] = [
      [out, () => out.must("DELETE", "/session")],
      [
        elsewhere,
        () => kim.must("PUT", "/session/password", { current: "correct horse", next: "battery staple" }),
      ],
      [program, async () => kim.must("DELETE", `/tokens/${(await kim.must("GET", "/tokens")).tokens[0].id}`)],
    ];
    const stays = await watching(kim, id);
    const sockets = await Promise.all(steps.map(([who]) => watching(who, id)));
    for (const socket of sockets) {
      socket.send({ subscribe: "rooms" });
      await socket.event("rooms");
    }
    for (const [i, [, step]] of steps.entries()) {
      const socket = sockets[i] as SocketReader;
      const loud = Array.from({ length: 20 }, () => ada.send(id));
      await step();
      const last = await ada.send(id, "after");
      expect(await socket.end()).toEqual({ code: 1008, reason: "signed-out" });
      expect(socket.frames.at(-1)).toEqual({ event: "bye", data: { reason: "signed-out" } });
      expect(held(socket, id).some(({ seq }) => seq === last.seq)).toBe(false);
      await Promise.all(loud);
    }
    const whole = (await kim.page(id, "?limit=200")).messages;
    await stays.until(() => Bun.deepEquals(held(stays, id), whole));
    expect(stays.of("bye")).toEqual([]);
    await stays.close();
    await idle();
  });

  test("a session that ends in the database alone, without a hint, ends its socket too", async () => {
    const kim = await server.person("kim");
    const socket = await kim.socket();
    await server.database.sql`delete from sessions where user_id = ${kim.user.id}`;
    server.hub.sweep();
    expect(await socket.end()).toEqual({ code: 1008, reason: "signed-out" });
  });

  test("removal from a room says bye of that room alone; nothing that came after it is told, on either server", async () => {
    for (const leave of [
      (id: number) => ada.must("DELETE", `/rooms/${id}/members/${ben.user.id}`),
      (id: number) => ben.must("DELETE", `/rooms/${id}/members/me`),
    ]) {
      const [lost, kept] = [await room(), await room()];
      const sockets = [await watching(ben, lost, kept), await watching(there(ben), lost, kept)];
      for (const socket of sockets) {
        socket.send({ subscribe: "rooms" });
        await socket.event("rooms");
      }
      const loud = Array.from({ length: 20 }, () => ada.send(lost, "before"));
      await leave(lost);
      await Promise.all(loud);
      const { seq } = await ada.send(lost, "after");
      await ada.must("PATCH", `/rooms/${lost}/messages/${seq}`, { body: "edited after" });
      await ada.must("POST", `/rooms/${lost}/typing`);
      await ada.send(kept, "still here");
      for (const socket of sockets) {
        await socket.until(
          () => bodies(socket, kept).includes("still here") && socket.of("bye").length === 1,
        );
        const ofRoom = socket.frames.filter((frame) => frame.room === lost);
        expect(ofRoom.at(-1)).toEqual({ event: "bye", room: lost, data: { reason: "removed" } });
        expect(JSON.stringify(ofRoom)).not.toContain("after");
        await socket.until(() => !socket.rooms.has(lost) && socket.rooms.get(kept)?.lastSeq === 1);
        socket.send({ subscribe: "room", id: lost });
        expect((await socket.event("error")).data.code).toBe("room-not-found");
        expect(socket.closed).toBeNull();
        await socket.close();
      }
    }
    await idle();
  });

  test("who comes back is told again, from where they were", async () => {
    const id = await room();
    await ada.send(id);
    const socket = await watching(ben, id);
    await ada.must("DELETE", `/rooms/${id}/members/${ben.user.id}`);
    await socket.event("bye", 1, id);
    await ada.send(id, "meanwhile");
    await ada.must("PUT", `/rooms/${id}/members/${ben.user.id}`);
    socket.send({ subscribe: "room", id, cursor: socket.cursors.get(id) });
    await socket.event("messages", 2, id);
    await ada.send(id, "again");
    await socket.until(() => bodies(socket, id).includes("again"));
    expect(held(socket, id)).toEqual((await ben.page(id)).messages);
    await socket.close();
  });

  test("a room that is removed ends for all who watch it", async () => {
    const id = await room();
    const sockets = [await watching(ada, id), await watching(ben, id)];
    await ada.must("DELETE", `/rooms/${id}`);
    for (const socket of sockets) {
      await socket.event("bye", 1, id);
      await socket.close();
    }
    await idle();
  });
});

test("a socket that has nothing to tell says ping, as an event, once and again", async () => {
  const mine = await testServer({ PING_INTERVAL: "1" }, server.database);
  const socket = await there(ben).with(ben.headers, mine.api).socket();
  expect(await socket.event("ping", 2)).toEqual({ event: "ping", data: {} });
  await socket.close();
  await mine.close();
});

describe("shutdown", () => {
  test("says bye and closes with 1001, and waits for no one: who answers, who does not, who does not read", async () => {
    const mine = await testServer({ DRAIN_TIMEOUT: "20" }, server.database);
    const kim = await mine.person("kim");
    const { id } = await kim.openRoom();
    const socket = await watching(kim, id);
    // Neither of these answers a close.
    const [mute, deaf] = [await handshake(mine.api, kim.headers), await handshake(mine.api, kim.headers)];
    await eventually(() => mine.hub.state.streams === 3);
    deaf.stopReading();
    const started = performance.now();
    await mine.stop();
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(await socket.end()).toEqual({ code: 1001, reason: "shutdown" });
    expect(socket.frames.at(-1)).toEqual({ event: "bye", data: { reason: "shutdown" } });
    await mute.until(() => mute.closed);
    expect(mute.text).toContain('{"event":"bye","data":{"reason":"shutdown"}}');
    deaf.socket.resume();
    await deaf.until(() => deaf.closed);
    await mine.close();
  });
});

test("a client that answers no ping is gone after twice the idle timeout; one that does stays", async () => {
  const mine = await testServer({ PING_INTERVAL: "1", IDLE_TIMEOUT: "2" }, server.database);
  const good = await ben.with(ben.headers, mine.api).socket();
  good.send({ subscribe: "rooms" });
  const silent = await handshake(mine.api, ben.headers);
  await eventually(() => mine.hub.state.streams === 2);
  await silent.until(() => silent.closed);
  await eventually(() => mine.hub.state.streams === 1);
  expect(good.closed).toBeNull();
  good.close();
  await mine.close();
}, 30_000);

test("clients that vanish leave nothing, however they go and whatever they wait for", async () => {
  const id = await room();
  for (const reset of [false, true]) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => handshake(server.api, ben.headers)));
    await Promise.all(clients.map((client) => client.until(() => client.text.includes("\r\n\r\n"))));
    for (const [i, client] of clients.entries()) {
      client.socket.write(encode('{"subscribe":"rooms"}'));
      client.socket.write(encode(JSON.stringify({ subscribe: "room", id })));
      if (i % 2) client.vanish(reset); // before the answers
    }
    await Promise.all(
      clients.map((client, i) =>
        i % 2 ? null : client.until(() => client.text.includes('"event":"messages"')),
      ),
    );
    const sends = Array.from({ length: 20 }, () => ada.send(id));
    for (const client of clients) client.vanish(reset);
    await Promise.all(sends);
    await idle();
  }
});

test("streams and sockets end with equal histories, and both equal a fresh GET", async () => {
  const rooms = [await room(), await room()];
  const streams = await Promise.all(rooms.map((id) => there(ben).watch(id)));
  const list = await ben.stream();
  const sockets = [await watching(ben, ...rooms), await watching(there(ben), ...rooms)];
  for (const socket of sockets) socket.send({ subscribe: "rooms" });

  // A linear congruential generator: the same history at each run.
  let state = 7;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const last = new Map(rooms.map((id) => [id, 0]));
  for (let i = 0; i < 100; i++) {
    const id = rooms[random(2)] as number;
    const who = [ada, there(ada), ben][random(3)] as Client;
    const seq = 1 + random(last.get(id) as number);
    const path = `/rooms/${id}/messages/${seq}`;
    const acts = [
      async () => last.set(id, (await who.send(id, `message ${i}`)).seq),
      async () => last.set(id, (await who.send(id, `message ${i}`)).seq),
      () => who.call("PATCH", path, { body: `edited ${i}` }),
      () => who.call("PUT", `${path}/reactions/${encodeURIComponent(["👍", "🎉"][random(2)] as string)}`),
      () => who.call("DELETE", `${path}/reactions/${encodeURIComponent("👍")}`),
      () => (random(3) === 0 ? who.call("DELETE", path) : who.call("PUT", `/rooms/${id}/read`, { seq })),
    ];
    const act = acts[random(acts.length)]?.();
    if (random(3) > 0) await act;
    else await Promise.all([act, who.call("PATCH", `/rooms/${id}`, { topic: `topic ${i}` })]);
  }
  for (const [i, id] of rooms.entries()) {
    const whole = (await ben.page(id, "?limit=200")).messages;
    const same = (messages: unknown) => Bun.deepEquals(messages, whole);
    await streams[i]?.until(({ messages }) => same(bySeq(messages)));
    for (const socket of sockets) await socket.until(() => same(held(socket, id)));
  }
  const { rooms: fresh } = await ben.list();
  await list.until(() => Bun.deepEquals(inOrder(list.rooms), fresh));
  for (const socket of sockets) await socket.until(() => Bun.deepEquals(inOrder(socket.rooms), fresh));
  for (const socket of sockets) await socket.close();
  for (const stream of [...streams, list]) stream.close();
  await idle();
}, 30_000);
