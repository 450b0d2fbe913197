import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { bySeq, EventReader } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, twoServers } from "./support/server.ts";

let servers: [TestServer, TestServer];
let ada: Client;
let ben: Client;
/** Ben at the other server. */
let benThere: Client;
beforeAll(async () => {
  servers = await twoServers();
  [ada, ben] = await Promise.all([servers[0].person("ada"), servers[0].person("ben")]);
  benThere = ben.with(ben.headers, servers[1].api);
});
afterAll(async () => {
  await servers[1].close();
  await servers[0].close();
});

const thumb = encodeURIComponent("👍");
const hasAll = async (reader: EventReader, client: Client, roomId: number) => {
  const page = await client.page(roomId, "?limit=200");
  await reader.until(
    () => Bun.deepEquals(bySeq(reader.messages), page.messages),
    `holds ${JSON.stringify(page.messages)}`,
  );
};

/** So many messages at once, by SQL: what a client has missed. */
const fill = (roomId: number, senderId: number, count: number) => servers[0].database.sql`
  with room as (update rooms set last_seq = last_seq + ${count} where id = ${roomId} returning last_seq)
  insert into messages (room_id, seq, sender_id, body)
  select ${roomId}, last_seq - ${count} + i, ${senderId}, 'missed ' || i from room, generate_series(1, ${count}::int) i`;

describe("what a timeline says", () => {
  test("it begins with the newest fifty messages, and the cursor of a GET", async () => {
    const room = await ada.openRoom("long", [ben]);
    await fill(room.id, ada.user.id, 120);
    const page = await ben.page(room.id);
    const watcher = await ben.watch(room.id);
    const { data, id } = await watcher.event("messages");
    expect(data).toEqual({ reset: true, messages: page.messages, cursor: page.cursor });
    expect(id).toBe(page.cursor);
    expect(watcher.retry).toBeWithin(1_000, 5_001);
    expect(watcher.response.headers.get("content-type")).toStartWith("text/event-stream");
    watcher.close();
  });

  test("every kind of change brings the whole message to everybody who watches, and to nobody else", async () => {
    const room = await ada.openRoom("changes", [ben]);
    const other = await ada.openRoom("other", [ben]);
    const watchers = [await ada.watch(room.id), await ben.watch(room.id), await benThere.watch(room.id)];
    const elsewhere = await ben.watch(other.id);
    await Promise.all([...watchers, elsewhere].map((watcher) => watcher.event("messages")));
    const message = `/rooms/${room.id}/messages/1`;
    const steps: (() => Promise<unknown>)[] = [
      () => ada.send(room.id, "one"),
      () => ben.send(room.id, `@${ada.user.handle} two`, { replyTo: 1, clientId: "c" }),
      () => ada.must("PATCH", message, { body: `edited @${ben.user.handle}` }),
      () => ben.must("PUT", `${message}/reactions/${thumb}`),
      () => ada.must("PUT", `${message}/reactions/${thumb}`),
      () => ben.must("DELETE", `${message}/reactions/${thumb}`),
      () => ada.must("PATCH", `/rooms/${room.id}`, { name: "renamed" }),
      () => ada.must("DELETE", message),
    ];
    for (const step of steps) {
      const seen = watchers.map(({ messages }) => JSON.stringify(bySeq(messages)));
      await step();
      for (const [i, watcher] of watchers.entries()) {
        await hasAll(watcher, ben, room.id);
        expect(JSON.stringify(bySeq(watcher.messages))).not.toBe(seen[i] as string);
        expect(watcher.lastEventId).toBe((await ben.page(room.id)).cursor);
      }
    }
    expect(elsewhere.events.filter(({ event }) => event === "messages")).toHaveLength(1);
    for (const watcher of [...watchers, elsewhere]) watcher.close();
  });

  test("a message is told with its sender's read marker, and markers that move are told with their new place", async () => {
    const room = await ada.openRoom("reads", [ben]);
    const watcher = await ada.watch(room.id);
    await watcher.event("messages");
    const reads = () => watcher.events.filter(({ event }) => event === "read").map(({ data }) => data);
    const [a, b] = [ada.user.id, ben.user.id];
    await ada.send(room.id);
    await watcher.event("read", 1);
    await ben.must("PUT", `/rooms/${room.id}/read`, { seq: 1 });
    await watcher.event("read", 2);
    await ben.send(room.id);
    await watcher.event("read", 3);
    await ben.must("PUT", `/rooms/${room.id}/unread`, { seq: 1 });
    await watcher.event("read", 4);
    await benThere.must("PUT", "/rooms/read");
    await watcher.event("read", 5);
    expect(reads()).toEqual([
      { userId: a, lastReadSeq: 1 },
      { userId: b, lastReadSeq: 1 },
      { userId: b, lastReadSeq: 2 },
      { userId: b, lastReadSeq: 0 },
      { userId: b, lastReadSeq: 2 },
    ]);
    const { members } = await ada.must("GET", `/rooms/${room.id}/members`);
    for (const member of members) {
      expect(reads().findLast(({ userId }) => userId === member.user.id)?.lastReadSeq).toBe(
        member.lastReadSeq,
      );
    }
    // Where nothing has moved nothing is told, and a cursor stays a cursor of messages.
    const eve = await servers[0].person("eve");
    await eve.must("PUT", `/rooms/${room.id}/members/me`);
    await watcher.event("read", 6);
    await eve.must("PATCH", `/rooms/${room.id}/members/me`, { involvement: "none" });
    await ben.must("PATCH", `/rooms/${room.id}/members/me`, { involvement: "none" });
    await ben.must("PATCH", "/users/me", { name: ben.user.name });
    await ada.send(room.id);
    await watcher.event("read", 7);
    expect(reads().slice(5)).toEqual([
      { userId: eve.user.id, lastReadSeq: 3 },
      { userId: a, lastReadSeq: 4 },
    ]);
    expect(watcher.lastEventId).toBe((await ada.page(room.id)).cursor);
    watcher.close();
  });
});

describe("resume", () => {
  test("from every past cursor, on any server, comes what was missed and nothing else", async () => {
    const room = await ada.openRoom("resumed", [ben]);
    const past: { cursor: string; held: EventReader["messages"] }[] = [];
    const watcher = await ben.watch(room.id);
    await watcher.event("messages");
    const message = (seq: number) => `/rooms/${room.id}/messages/${seq}`;
    const steps: (() => Promise<unknown>)[] = [
      () => ada.send(room.id, "one"),
      () => ada.send(room.id, "two"),
      () => ada.must("PATCH", message(1), { body: "one!" }),
      () => ben.must("PUT", `${message(2)}/reactions/${thumb}`),
      () => ada.send(room.id, "three"),
      () => ada.must("DELETE", message(3)),
      () => ada.must("PATCH", message(1), { body: "one?" }),
    ];
    for (const step of steps) {
      past.push({ cursor: watcher.lastEventId, held: new Map(watcher.messages) });
      await step();
      await hasAll(watcher, ben, room.id);
    }
    past.push({ cursor: watcher.lastEventId, held: new Map(watcher.messages) });
    for (const [i, { cursor, held }] of past.entries()) {
      const resumed = await benThere.watch(room.id, cursor, held);
      const { data } = await resumed.event("messages");
      expect(data.reset).toBe(false);
      expect(bySeq(resumed.messages)).toEqual((await ben.page(room.id)).messages);
      expect(resumed.lastEventId).toBe(watcher.lastEventId);
      if (i === past.length - 1) expect(data.messages).toEqual([]);
      resumed.close();
    }
    watcher.close();
  });

  test("500 messages behind brings them all, 501 the newest fifty with reset; edits count as well", async () => {
    const room = await ada.openRoom("behind", [ben]);
    await ada.send(room.id, "first");
    const cursor = (await ben.page(room.id)).cursor;
    await fill(room.id, ada.user.id, 499);
    await ada.must("PATCH", `/rooms/${room.id}/messages/1`, { body: "edited" });
    const first = async () => {
      const watcher = await ben.watch(room.id, cursor);
      const { data } = await watcher.event("messages");
      watcher.close();
      return data;
    };
    const whole = await first();
    expect(whole.reset).toBe(false);
    expect(whole.messages.map(({ seq }: { seq: number }) => seq)).toEqual(
      Array.from({ length: 500 }, (_, i) => i + 1),
    );
    await ada.send(room.id, "one more");
    const newest = await first();
    expect(newest).toEqual({
      reset: true,
      messages: (await ben.page(room.id)).messages,
      cursor: (await ben.page(room.id)).cursor,
    });
    expect(newest.messages).toHaveLength(50);
  });

  test("a sender's new name brings the newest messages again, to who watches and to who comes back", async () => {
    const gus = await servers[0].person("gus");
    const room = await gus.openRoom("names", [ben]);
    await gus.send(room.id, "one");
    const [watcher, cursor] = [await benThere.watch(room.id), (await ben.page(room.id)).cursor];
    await watcher.event("messages");
    await gus.must("PATCH", "/users/me", { name: "Gus Two" });
    await hasAll(watcher, ben, room.id);
    expect(watcher.messages.get(1)?.sender.name).toBe("Gus Two");
    const back = await ben.watch(room.id, cursor);
    expect((await back.event("messages")).data).toMatchObject({ reset: false, messages: [{ seq: 1 }] });
    const again = await ben.watch(room.id, back.lastEventId);
    expect((await again.event("messages")).data.messages).toEqual([]);
    // What is older than a page is left as it is; it is read again with its page.
    await fill(room.id, gus.user.id, 60);
    const before = (await ben.page(room.id)).cursor;
    await gus.must("PATCH", "/users/me", { name: "Gus Three" });
    const later = await ben.watch(room.id, before);
    const { data } = await later.event("messages");
    expect(data).toEqual({ ...data, reset: false, messages: (await ben.page(room.id)).messages });
    expect(data.messages).toHaveLength(50);
    later.close();
    for (const reader of [watcher, back, again]) reader.close();
  });

  test("a first connect takes its cursor from the query, and Last-Event-ID wins", async () => {
    const room = await ada.openRoom("cursors", [ben]);
    await ada.send(room.id);
    const { cursor } = await ben.page(room.id);
    const url = `${ben.api}/stream/rooms/${room.id}?cursor=${cursor}`;
    const byQuery = await EventReader.open(url, ben.headers);
    expect((await byQuery.event("messages")).data).toEqual({ reset: false, messages: [], cursor });
    const byHeader = await EventReader.open(url, { ...ben.headers, "last-event-id": "nonsense" });
    expect((await byHeader.event("messages")).data.reset).toBe(true);
    byQuery.close();
    byHeader.close();
  });

  test("a cursor of the future, of a list or of nobody's brings the newest, with reset", async () => {
    const room = await ada.openRoom("unknown", [ben]);
    await ada.send(room.id);
    const list = (await ben.list()).cursor;
    for (const unknown of ["2.0", "1.1", "9007199254740993.0", list, "1", "-1.0", "1.0.0", "x"]) {
      const watcher = await ben.watch(room.id, unknown);
      expect((await watcher.event("messages")).data.reset).toBe(true);
      expect(bySeq(watcher.messages)).toEqual((await ben.page(room.id)).messages);
      watcher.close();
    }
  });
});

describe("the right", () => {
  test("a room one is not in, was in, or that is not there: the same 404; without a session 401", async () => {
    const room = await ada.openRoom("mine", [ben]);
    await ada.must("DELETE", `/rooms/${room.id}/members/${ben.user.id}`);
    const answers = await Promise.all(
      [room.id, 999_999, "x", 0].map(async (id) => {
        const reply = await fetch(`${ben.api}/stream/rooms/${id}`, { headers: ben.headers });
        return [reply.status, await reply.text()];
      }),
    );
    expect(answers[0]?.[0]).toBe(404);
    expect(answers[0]?.[1]).toContain('"code":"room-not-found"');
    for (const answer of answers) expect(answer).toEqual(answers[0] as (string | number)[]);
    expect((await fetch(`${ben.api}/stream/rooms/${room.id}`)).status).toBe(401);
  });

  test("a removed member is told nothing that was committed after the removal's reply, on no server, by no stream", async () => {
    for (let round = 0; round < 15; round++) {
      const room = await ada.openRoom("removal", [ben]);
      await ada.send(room.id, "first");
      const watchers = [await ben.watch(room.id), await benThere.watch(room.id)];
      const lists = [await ben.stream(), await benThere.stream()];
      const owner = await ada.watch(room.id);
      await Promise.all(watchers.concat(owner).map((watcher) => watcher.event("messages")));
      await Promise.all(lists.map((list) => list.event("rooms")));
      const before = Array.from({ length: 5 }, () => ada.send(room.id, "before"));
      await ada.must("DELETE", `/rooms/${room.id}/members/${ben.user.id}`);
      await Promise.all([
        ada.send(room.id, "secret"),
        ada.must("PATCH", `/rooms/${room.id}/messages/1`, { body: "secret" }),
        ada.must("PUT", `/rooms/${room.id}/unread`, { seq: 1 }),
      ]);
      await Promise.all([...before, ...watchers.map((watcher) => watcher.until(({ ended }) => ended))]);
      for (const watcher of watchers) {
        expect(watcher.bye).toBe("removed");
        expect(watcher.events.at(-1)?.event).toBe("bye");
        expect(JSON.stringify(watcher.events)).not.toContain("secret");
        const markers = watcher.events.flatMap(({ data }) =>
          data.userId === ada.user.id ? data.lastReadSeq : [],
        );
        expect(markers).toEqual(markers.toSorted((a, b) => a - b)); // it went back afterwards
      }
      for (const list of lists) {
        await list.until(({ rooms }) => !rooms.has(room.id));
        expect(JSON.stringify(list.events)).not.toContain("secret");
        list.close();
      }
      await hasAll(owner, ada, room.id);
      owner.close();
    }
  });

  test("leaving ends one's own timeline and nobody else's; a room's end ends all", async () => {
    const room = await ada.openRoom("ends", [ben]);
    const [mine, other] = [await ada.watch(room.id), await benThere.watch(room.id)];
    await Promise.all([mine, other].map((watcher) => watcher.event("messages")));
    await ben.must("DELETE", `/rooms/${room.id}/members/me`);
    await other.until(({ ended }) => ended);
    expect(other.bye).toBe("removed");
    await mine.until(({ messages }) => messages.size === 1);
    expect(mine.ended).toBe(false);
    await ada.must("DELETE", `/rooms/${room.id}`);
    await mine.until(({ ended }) => ended);
    expect(mine.bye).toBe("removed");
  });

  test("signing out ends that session's timelines", async () => {
    const room = await ada.openRoom("session", [ben]);
    const here = await ben.signInAgain();
    const watcher = await here.watch(room.id);
    await watcher.event("messages");
    await here.must("DELETE", "/session");
    await watcher.until(({ ended }) => ended);
    expect(watcher.bye).toBe("signed-out");
  });

  test("timelines whose clients have gone leave nothing behind", async () => {
    const room = await ada.openRoom("gone", [ben]);
    const watchers = await Promise.all(Array.from({ length: 20 }, () => ben.watch(room.id)));
    await Promise.all(watchers.map((watcher) => watcher.event("messages")));
    for (const watcher of watchers) watcher.close();
    await eventually(() => servers.every(({ hub }) => hub.state.streams === 0));
    for (const { hub } of servers) expect(hub.state).toMatchObject({ streams: 0, timelines: 0 });
    const { status } = await fetch(`${ben.api}/stream/rooms/${room.id}`, {
      method: "HEAD",
      headers: ben.headers,
    });
    expect([status, servers[0].hub.state.streams]).toEqual([200, 0]);
  });
});
