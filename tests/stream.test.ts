import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { quietCursor } from "./support/cursor.ts";
import { EventReader, inOrder } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { RawStream } from "./support/raw.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client;
let ben: Client;
beforeAll(async () => {
  server = await testServer();
  [ada, ben] = await Promise.all([server.person("ada"), server.person("ben")]);
});
afterAll(() => server.close());

const idle = () => eventually(() => server.hub.state.streams === 0, "no stream is open");

describe("what a stream says", () => {
  test("it begins with a retry of its own between one and five seconds, a ping, then the whole list", async () => {
    await ada.openRoom("first");
    const streams = await Promise.all(Array.from({ length: 8 }, () => ada.stream()));
    for (const stream of streams) {
      const { data, id } = await stream.event("rooms");
      expect(stream.retry).toBeWithin(1_000, 5_001);
      expect(data).toEqual({ ...(await ada.list()), cursor: id });
      expect(data.reset).toBe(true);
      expect(stream.events.map(({ event }) => event)).toEqual(["ping", "rooms"]);
    }
    expect(new Set(streams.map((stream) => stream.retry)).size).toBeGreaterThan(1);
    const headers = streams[0]?.response.headers ?? new Headers();
    expect(headers.get("content-type")).toStartWith("text/event-stream");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-accel-buffering")).toBe("no");
    for (const stream of streams) stream.close();
    await idle();
  });

  test("every kind of change reaches every tab of everybody whom it concerns, and nobody else", async () => {
    const eve = await server.person("eve");
    const room = await ada.openRoom("concerns", [ben]);
    const tabs = [await ada.stream(), await ben.stream(), await ben.stream()];
    const stranger = await eve.stream();
    await Promise.all([...tabs, stranger].map((tab) => tab.event("rooms")));

    const steps: [string, () => Promise<unknown>][] = [
      ["a send", () => ada.send(room.id, `hi @${ben.user.handle}`)],
      ["a read of one's own", () => ben.must("PUT", `/rooms/${room.id}/read`, { seq: 1 })],
      ["a mark as unread", () => ben.must("PUT", `/rooms/${room.id}/unread`, { seq: 1 })],
      ["reading everything", () => ben.must("PUT", "/rooms/read")],
      ["an edit", () => ada.must("PATCH", `/rooms/${room.id}/messages/1`, { body: "hello" })],
      ["a delete", () => ada.must("DELETE", `/rooms/${room.id}/messages/1`)],
      ["a new name of the room", () => ada.must("PATCH", `/rooms/${room.id}`, { name: "renamed" })],
      ["an involvement", () => ben.must("PATCH", `/rooms/${room.id}/members/me`, { involvement: "none" })],
      ["a role", () => ada.must("PUT", `/rooms/${room.id}/members/${ben.user.id}`, { role: "moderator" })],
      ["a new name of a person", () => ada.must("PATCH", "/users/me", { name: "Ada Two" })],
      ["another room", () => ben.must("POST", "/rooms", { kind: "direct", members: [ada.user.id] })],
      ["a removal", () => ada.must("DELETE", `/rooms/${room.id}/members/${ben.user.id}`)],
      ["an addition", () => ada.must("PUT", `/rooms/${room.id}/members/${ben.user.id}`)],
      ["the room's end", () => ada.must("DELETE", `/rooms/${room.id}`)],
    ];
    for (const [, step] of steps) {
      await step();
      for (const [client, tab] of [
        [ada, tabs[0]],
        [ben, tabs[1]],
        [ben, tabs[2]],
      ] as [Client, EventReader][]) {
        // Who is online is told a moment later: it may change the list once more.
        await eventually(async () => Bun.deepEquals(inOrder(tab.rooms), (await client.list()).rooms));
      }
    }
    expect(stranger.events.filter(({ event }) => event === "rooms")).toHaveLength(1);
    for (const tab of [...tabs, stranger]) tab.close();
    await idle();
  });

  test("without a session, or with one that has ended, there is no stream: 401", async () => {
    const gone = await ada.signInAgain();
    await gone.must("DELETE", "/session");
    for (const headers of [{}, gone.headers]) {
      const reply = await fetch(`${server.api}/stream/rooms`, { headers });
      expect([reply.status, (await reply.json()).code]).toEqual([401, "unauthenticated"]);
    }
  });
});

describe("resume", () => {
  test("a reconnect brings what was missed, once, and nothing else", async () => {
    const carl = await server.person("carl");
    const [quiet, busy] = [await carl.openRoom("quiet"), await carl.openRoom("busy")];
    const cursor = await quietCursor(carl);
    for (let i = 0; i < 3; i++) await carl.send(busy.id);

    const after = await carl.stream(cursor);
    const { data } = await after.event("rooms");
    expect(data.reset).toBe(false);
    expect(data.rooms.map((room: { id: number }) => room.id)).toEqual([busy.id]);
    expect(data.left).toEqual([]);
    after.close();

    await carl.must("DELETE", `/rooms/${quiet.id}`);
    const later = await carl.stream(after.lastEventId);
    expect((await later.event("rooms")).data).toMatchObject({ reset: false, left: [quiet.id] });
    later.close();
    await idle();
  });

  test("a first connect takes its cursor from the query, and Last-Event-ID wins", async () => {
    const dora = await server.person("dora");
    await dora.openRoom();
    const cursor = await quietCursor(dora);
    const url = `${server.api}/stream/rooms?cursor=${encodeURIComponent(cursor)}`;
    const byQuery = await EventReader.open(url, dora.headers);
    expect((await byQuery.event("rooms")).data).toMatchObject({ reset: false, rooms: [] });
    const byHeader = await EventReader.open(url, { ...dora.headers, "last-event-id": "nonsense" });
    expect((await byHeader.event("rooms")).data.reset).toBe(true);
    byQuery.close();
    byHeader.close();
    await idle();
  });

  test("from every past cursor, what a client held becomes what the list is", async () => {
    const fay = await server.person("fay");
    const gus = await server.person("gus");
    const rooms = [];
    for (let i = 0; i < 4; i++) rooms.push(await gus.openRoom(`r${i}`, [fay]));
    const stream = await fay.stream();
    await stream.event("rooms");
    const past: { cursor: string; held: EventReader["rooms"] }[] = [];
    const seen = () => past.push({ cursor: stream.lastEventId, held: new Map(stream.rooms) });
    seen();
    for (let i = 0; i < 12; i++) {
      const events = stream.events.length;
      const room = rooms[i % 4]?.id as number;
      if (i % 5 === 4) await fay.must("PUT", `/rooms/${room}/read`, { seq: 100 });
      else if (i === 7) await gus.must("DELETE", `/rooms/${room}/members/${fay.user.id}`);
      else if (i === 10) await gus.must("PUT", `/rooms/${rooms[3]?.id}/members/${fay.user.id}`);
      else await gus.send(room);
      await stream.until(() => stream.events.length > events);
      seen();
    }
    const list = (await fay.list()).rooms;
    for (const { cursor, held } of past) {
      const resumed = await fay.stream(cursor, held);
      await resumed.event("rooms");
      expect(inOrder(resumed.rooms)).toEqual(list);
      resumed.close();
    }
    stream.close();
    await idle();
  });

  test("a cursor of another database, of the future or of nobody's brings everything, with reset", async () => {
    const { cursor } = await ada.list();
    const [identity, xmin] = cursor.split(".");
    const other = `${[...(identity as string)].reverse().join("")}.${xmin}`;
    for (const unknown of [
      other,
      `${identity}.${Number(xmin) + 1_000_000}`,
      `${identity}.0`,
      "1",
      "…%00",
      "9".repeat(199),
    ]) {
      const stream = await ada.stream(encodeURIComponent(unknown));
      const { data } = await stream.event("rooms");
      expect(data.reset).toBe(true);
      expect(inOrder(stream.rooms)).toEqual((await ada.list()).rooms);
      stream.close();
    }
    await idle();
  });
});

describe("clients that vanish", () => {
  test("a hundred of them in mid-stream leave no subscriber, and a living server", async () => {
    const room = await ada.openRoom("busy", [ben]);
    const watcher = await ben.stream();
    await watcher.event("rooms");
    for (const reset of [false, true]) {
      const clients = await Promise.all(
        Array.from({ length: 100 }, () => RawStream.open(`${server.api}/stream/rooms`, ada.headers)),
      );
      await Promise.all(clients.map((client) => client.until(() => client.text.includes("event: rooms"))));
      expect(server.hub.state.streams).toBe(101);
      const sends = Array.from({ length: 20 }, () => ada.send(room.id));
      for (const client of clients) client.vanish(reset);
      await Promise.all(sends);
      await eventually(() => server.hub.state.streams === 1);
    }
    await watcher.until(() => watcher.rooms.get(room.id)?.lastSeq === 40);
    expect(inOrder(watcher.rooms)).toEqual((await ben.list()).rooms);
    watcher.close();
    await idle();
    expect(server.hub.state).toMatchObject({ streams: 0, people: 0, rooms: 0 });
  });

  test("a HEAD request gets the headers and leaves no subscriber", async () => {
    const { status } = await fetch(`${server.api}/stream/rooms`, { method: "HEAD", headers: ada.headers });
    expect(status).toBe(200);
    expect(server.hub.state.streams).toBe(0);
  });

  test("one that goes before its answer is there registers nothing", async () => {
    const clients = await Promise.all(
      Array.from({ length: 30 }, () => RawStream.open(`${server.api}/stream/rooms`, ada.headers)),
    );
    for (const client of clients) client.vanish(true);
    await idle();
    expect(server.hub.state).toMatchObject({ streams: 0, people: 0, rooms: 0 });
  });
});

describe("losing the right", () => {
  test("signing out ends that session's streams with bye, and no other's", async () => {
    const [here, there] = [await ada.signInAgain(), await ada.signInAgain()];
    const [mine, other] = [await here.stream(), await there.stream()];
    await Promise.all([mine.event("rooms"), other.event("rooms")]);
    await here.must("DELETE", "/session");
    await mine.until(() => mine.ended);
    expect(mine.bye).toBe("signed-out");
    const room = await ada.openRoom("after");
    await other.until(() => other.rooms.has(room.id));
    expect(mine.rooms.has(room.id)).toBe(false);
    other.close();
    await idle();
  });

  test("a new password ends every other session's streams, and leaves those of tokens", async () => {
    const hal = await server.person("hal");
    const elsewhere = await hal.signInAgain();
    const { token } = await hal.must("POST", "/tokens", { name: "program" });
    const program = hal.with({ authorization: `Bearer ${token}` });
    const [mine, other, byToken] = [await hal.stream(), await elsewhere.stream(), await program.stream()];
    await Promise.all([mine, other, byToken].map((stream) => stream.event("rooms")));
    await hal.must("PUT", "/session/password", { current: "correct horse", next: "battery staple" });
    await other.until(() => other.ended);
    expect(other.bye).toBe("signed-out");
    await hal.openRoom("after");
    await Promise.all([mine, byToken].map((stream) => stream.event("rooms", 2)));
    await hal.must("DELETE", `/tokens/${(await hal.must("GET", "/tokens")).tokens[0].id}`);
    await byToken.until(() => byToken.ended);
    expect(byToken.bye).toBe("signed-out");
    mine.close();
    await idle();
  });

  test("a session that ends in the database alone, without a hint, ends its streams too", async () => {
    const ivy = await server.person("ivy");
    const stream = await ivy.stream();
    await stream.event("rooms");
    await server.database.sql`delete from sessions where user_id = ${ivy.user.id}`;
    server.hub.sweep();
    await stream.until(() => stream.ended);
    expect(stream.bye).toBe("signed-out");
  });
});
