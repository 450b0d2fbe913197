import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { connectionOptions, open } from "../src/db/client.ts";
import { Typists } from "../src/typing/typists.ts";
import { answer, answers } from "./support/answer.ts";
import type { Client } from "./support/client.ts";
import type { EventReader } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { startProxy } from "./support/proxy.ts";
import { type TestServer, twoServers } from "./support/server.ts";
import type { SocketReader } from "./support/socket.ts";

let server: TestServer;
let other: TestServer;
let ada: Client; // owner
let ben: Client;
let kim: Client;
let eve: Client; // stranger
beforeAll(async () => {
  [server, other] = await twoServers();
  [ada, ben, kim, eve] = await Promise.all([
    server.person("ada"),
    server.person("ben"),
    server.person("kim"),
    server.person("eve"),
  ]);
});
afterAll(async () => {
  await other.close();
  await server.close();
});

const there = (who: Client) => who.with(who.headers, other.api);
const room = async () => (await ada.openRoom("a room", [ben, kim])).id;
const type = (who: Client, id: number) => who.call("POST", `/rooms/${id}/typing`);

describe("typing", () => {
  const readers: (EventReader | SocketReader)[] = [];
  afterEach(() => {
    for (const reader of readers.splice(0)) reader.close();
  });

  /** Watches a room by a stream. @returns what it has heard of typing */
  async function streamOf(who: Client, id: number): Promise<() => unknown[]> {
    const stream = await who.watch(id);
    readers.push(stream);
    await stream.event("messages");
    return () => stream.events.filter(({ event }) => event === "typing").map(({ data }) => data);
  }

  /** The same by a socket. */
  async function socketOf(who: Client, id: number): Promise<() => unknown[]> {
    const socket = await who.socket();
    readers.push(socket);
    socket.send({ subscribe: "room", id });
    await socket.event("messages", 1, id);
    return () => socket.of("typing", id).map(({ data }) => data);
  }

  test("is told to all who watch the room, by stream and by socket, on either server", async () => {
    const id = await room();
    const watchers = [
      await streamOf(ada, id),
      await socketOf(ada, id),
      await streamOf(there(kim), id),
      await socketOf(there(kim), id),
    ];
    expect(await type(ben, id)).toMatchObject({ status: 204, body: null });
    for (const heard of watchers) {
      await eventually(() => heard().length === 1);
      expect(heard()).toEqual([{ user: ben.user }]);
    }
  });

  test("may be said over a socket", async () => {
    const id = await room();
    const heard = await streamOf(there(ada), id);
    const socket = await kim.socket();
    readers.push(socket);
    socket.send({ typing: id });
    await eventually(() => heard().length === 1);
    expect(heard()).toEqual([{ user: kim.user }]);
    expect(socket.frames).toEqual([]);
  });

  test("is told neither in other rooms, nor to who was removed, nor on the room list", async () => {
    const [id, quiet] = [await room(), await room()];
    const elsewhere = await streamOf(ada, quiet);
    const removed = await socketOf(kim, id);
    const member = await streamOf(ada, id);
    const list = await ada.stream();
    readers.push(list);
    await list.event("rooms");
    await ada.must("DELETE", `/rooms/${id}/members/${kim.user.id}`);
    const typist = await server.person("typist"); // who has a hint to give
    await ada.must("PUT", `/rooms/${id}/members/${typist.user.id}`);
    await type(typist, id);
    await eventually(() => member().length === 1);
    await ada.send(quiet); // what the hint told elsewhere would have come before this
    await list.until(() => list.rooms.get(quiet)?.lastSeq === 1);
    expect([elsewhere(), removed()]).toEqual([[], []]);
    expect(list.events.filter(({ event }) => event === "typing")).toEqual([]);
  });

  test("of who was removed is told to nobody, though they had said so before", async () => {
    const id = await room();
    const heard = await streamOf(ada, id);
    const typist = await server.person("typist");
    await ada.must("PUT", `/rooms/${id}/members/${typist.user.id}`);
    await ada.must("DELETE", `/rooms/${id}/members/${typist.user.id}`);
    server.hub.hear(`y${typist.user.id}.${id}`);
    await type(kim, id);
    await eventually(() => heard().length > 0);
    expect(heard()).toEqual([{ user: kim.user }]);
  });

  test("is for members: a stranger, one who has left and a room that is not there are answered alike", async () => {
    const id = await room();
    const gone = await server.person("gone");
    await ada.must("PUT", `/rooms/${id}/members/${gone.user.id}`);
    await gone.must("DELETE", `/rooms/${id}/members/me`);
    const calls = [type(eve, id), type(gone, id), type(eve, 987_654), type(ada, 987_654)];
    expect(await answers(calls)).toEqual({ "404 room-not-found": 4 });
    expect(await answer(type(gone.with({}), id))).toBe("401 unauthenticated");
  });

  test("leaves the room list and the timeline as they were", async () => {
    const id = await room();
    const before = [await ben.room(id), await ben.page(id)];
    await type(ben, id);
    expect([await ben.room(id), await ben.page(id)]).toEqual(before);
  });
});

describe("at most one hint a second", () => {
  /** Typists whose seconds end when the test says so. */
  function typists(sql = server.database.sql) {
    const told: string[] = [];
    const pauses: (() => void)[] = [];
    const made = new Typists(
      sql,
      (...hints) => told.push(...hints),
      () => new Promise<void>((resolve) => pauses.push(resolve)),
    );
    return {
      type: (who: Client, id: number) => made.type(who.user.id, id),
      told,
      /** How many are within their second. */
      pausing: () => pauses.length,
      /** Lets everybody's second end. */
      async endPauses() {
        for (const end of pauses.splice(0)) end();
        await Bun.sleep(0); // their turn
      },
      size: () => made.size,
    };
  }
  const hint = (who: Client, id: number) => `y${who.user.id}.${id}`;

  test("the same room again is nothing new, until the second is over", async () => {
    const id = await room();
    const { type, told, endPauses } = typists();
    for (let i = 0; i < 100; i++) await type(ben, id);
    await Promise.all(Array.from({ length: 100 }, () => type(ben, id)));
    expect(told).toEqual([hint(ben, id)]);
    await endPauses();
    expect(told).toEqual([hint(ben, id)]);
    await type(ben, id);
    expect(told).toEqual([hint(ben, id), hint(ben, id)]);
  });

  test("the same room again asks the database nothing", async () => {
    const id = await room();
    const proxy = await startProxy(server.database.target);
    const sql = open(proxy.target, { ...connectionOptions(0), max: 1 });
    const { type } = typists(sql);
    await type(ben, id);
    const { length } = proxy.statements;
    for (let i = 0; i < 100; i++) await type(ben, id);
    expect(proxy.statements).toHaveLength(length);
    await type(ben, await room()); // and another one does
    expect(proxy.statements.length).toBeGreaterThan(length);
    await sql.end();
    await proxy.close();
  });

  test("the first ones at the same time are told once", async () => {
    const id = await room();
    const { type, told, endPauses } = typists();
    await Promise.all(Array.from({ length: 100 }, () => type(ben, id)));
    await endPauses();
    expect(told).toEqual([hint(ben, id)]);
  });

  test("of other rooms within the second, the last one is told when it is over", async () => {
    const [first, second, third] = [await room(), await room(), await room()];
    const { type, told, endPauses } = typists();
    for (const id of [first, second, third, second, third]) await type(ben, id);
    expect(told).toEqual([hint(ben, first)]);
    await endPauses();
    expect(told).toEqual([hint(ben, first), hint(ben, third)]);
    // That begins another second.
    await type(ben, first);
    expect(told).toHaveLength(2);
    await endPauses();
    expect(told).toEqual([hint(ben, first), hint(ben, third), hint(ben, first)]);
  });

  test("each person has a second of their own", async () => {
    const id = await room();
    const { type, told } = typists();
    for (const who of [ada, ben, kim, ben, ada]) await type(who, id);
    expect(told).toEqual([hint(ada, id), hint(ben, id), hint(kim, id)]);
  });

  test("a room that is not theirs is neither told nor takes the place of one that is", async () => {
    const id = await room();
    const { type, told, endPauses } = typists();
    await type(ben, id);
    await expect(type(ben, 987_654)).rejects.toMatchObject({ code: "room-not-found" });
    await expect(type(eve, id)).rejects.toMatchObject({ code: "room-not-found" });
    await endPauses();
    expect(told).toEqual([hint(ben, id)]);
  });

  test("who has stopped typing is forgotten", async () => {
    const id = await room();
    const { type, size, pausing, endPauses } = typists();
    for (const who of [ada, ben, kim]) await type(who, id);
    await expect(type(eve, id)).rejects.toThrow();
    expect([size(), pausing()]).toEqual([3, 3]);
    await endPauses();
    expect([size(), pausing()]).toEqual([0, 0]);
  });

  test("thousands of requests cost a few hints, queries and events: one for each second that they take", async () => {
    const id = await room();
    const typist = await server.person("typist"); // who has not typed yet
    await ada.must("PUT", `/rooms/${id}/members/${typist.user.id}`);
    const sockets = await Promise.all([ada, there(kim)].map((who) => who.socket()));
    for (const socket of sockets) {
      socket.send({ subscribe: "room", id });
      await socket.event("messages", 1, id);
    }
    const heard: string[] = [];
    const { unlisten } = await server.database.sql.listen("foyer_hints", (payload) => {
      heard.push(...payload.split(" ").filter((word) => word.startsWith("y")));
    });
    const before = server.hub.state;
    const started = performance.now();
    const talker = await typist.socket();
    for (let i = 0; i < 3_000; i += 50) {
      for (let j = 0; j < 50; j++) talker.send({ typing: id });
      await talker.settled();
    }
    await answers(Array.from({ length: 500 }, () => type(typist, id)));
    await ada.send(id, "the end");
    for (const socket of sockets) {
      await socket.until(() => socket.of("messages", id).at(-1)?.data.messages[0]?.body === "the end");
    }
    const seconds = Math.ceil((performance.now() - started) / 1_000) + 1;
    await eventually(() => heard.length > 0);
    expect(new Set(heard)).toEqual(new Set([hint(typist, id)]));
    expect(heard.length).toBeLessThanOrEqual(seconds);
    for (const socket of sockets) expect(socket.of("typing", id).length).toBeWithin(1, seconds + 1);
    const { queries } = server.hub.state;
    expect(queries - before.queries).toBeLessThanOrEqual(4 * seconds + 10); // sweeps among them
    await unlisten();
    for (const socket of [...sockets, talker]) await socket.close();
  });
});
