import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { EventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import type { Client } from "./support/client.ts";
import { type EventReader, inOrder, reduce } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { startProxy } from "./support/proxy.ts";
import { type TestServer, testServer } from "./support/server.ts";

const IDLE_SECONDS = 2;

let server: TestServer;
let ada: Client;
beforeAll(async () => {
  server = await testServer({ IDLE_TIMEOUT: String(IDLE_SECONDS), PING_INTERVAL: "1" });
  ada = await server.person("ada");
});
afterAll(() => server.close());

test("a quiet stream outlives three idle timeouts, and pings all the while", async () => {
  const stream = await ada.stream();
  const opened = performance.now();
  // The clock is the rule here: so many pings cannot have come sooner.
  await stream.until(() => performance.now() - opened > 3 * IDLE_SECONDS * 1000 + 1_000);
  expect(stream.ended).toBe(false);
  expect(stream.events.filter(({ event }) => event === "ping").length).toBeGreaterThanOrEqual(
    3 * IDLE_SECONDS,
  );
  expect(stream.events.filter(({ event }) => event === "rooms")).toHaveLength(1);
  const room = await ada.openRoom("after the quiet");
  await stream.until(() => stream.rooms.has(room.id));
  stream.close();
});

describe("clients of others", () => {
  const held = (): EventReader["rooms"] => new Map();

  test("the npm package eventsource follows the list, and resumes by itself after its connection broke", async () => {
    const rooms = held();
    const resets: boolean[] = [];
    const { port, hostname: host } = new URL(server.url);
    const relay = await startProxy({ host, port: Number(port), user: "", database: "" });
    const there = `http://127.0.0.1:${(relay.target as { port: number }).port}`;
    const source = new EventSource(`${there}/chat/api/stream/rooms`, {
      fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...ada.headers } }),
    });
    source.addEventListener("rooms", (event) => {
      const list = JSON.parse(event.data);
      resets.push(list.reset);
      reduce(rooms, list);
    });
    await once(source, "rooms");
    const first = await ada.openRoom("by eventsource");
    await eventually(() => rooms.has(first.id));
    relay.cut();
    const missed = await ada.openRoom("missed");
    await eventually(() => rooms.has(missed.id));
    expect(inOrder(rooms)).toEqual((await ada.list()).rooms);
    expect(resets.filter(Boolean)).toHaveLength(1); // the first; it came back with its cursor
    source.close();
    await relay.close();
  });

  test("the npm package eventsource-client follows the list", async () => {
    const rooms = held();
    const source = createEventSource({
      url: `${server.api}/stream/rooms`,
      headers: ada.headers,
      onMessage: ({ event, data }) => {
        if (event === "rooms") reduce(rooms, JSON.parse(data));
      },
    });
    await eventually(() => rooms.size > 0);
    const room = await ada.openRoom("by eventsource-client");
    await eventually(() => rooms.has(room.id));
    expect(inOrder(rooms)).toEqual((await ada.list()).rooms);
    source.close();
  });
});
