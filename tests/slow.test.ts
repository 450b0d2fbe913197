import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { type EventReader, inOrder } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { RawStream } from "./support/raw.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { encode, handshake } from "./support/socket.ts";

let server: TestServer;
let ada: Client;
let ben: Client;
let slow: RawStream;
let other: EventReader;
let names = 0;

/** A rename changes every room that the two share: some 150 KB an event, so that the sockets' buffers fill soon. */
const rename = () => ada.must("PATCH", "/users/me", { name: `Ada ${++names}` });

/** How many changes the other one was told; not its pings, which come when the machine is slow. */
const told = () => other.events.filter(({ event }) => event === "rooms").length;

/** Waits until the other one knows the newest name. */
const isTold = () =>
  other.until(() => JSON.stringify(inOrder(other.rooms)).includes(`"name":"Ada ${names}"`));

/** Renames until a change no longer goes out to the one who does not read. */
async function fill(): Promise<void> {
  slow.stopReading();
  for (let sent = 2; sent === 2; ) {
    expect(names).toBeLessThan(1_000);
    const before = server.hub.state.events;
    const seen = told();
    await rename();
    await other.until(() => told() > seen);
    sent = server.hub.state.events - before;
  }
}

beforeAll(async () => {
  server = await testServer({ IDLE_TIMEOUT: "4", PING_INTERVAL: "1" });
  [ada, ben] = await Promise.all([server.person("ada"), server.person("ben")]);
  const rooms = await Promise.all(Array.from({ length: 300 }, (_, i) => ada.openRoom(`room ${i}`, [ben])));
  await Promise.all(rooms.map(({ id }) => ada.send(id, "x".repeat(200))));
  other = await ben.stream();
  await other.event("rooms");
});
afterAll(() => server.close());

const KINDS: Record<string, () => Promise<RawStream>> = {
  stream: () => RawStream.open(`${server.api}/stream/rooms`, ben.headers),
  socket: async () => {
    const socket = await handshake(server.api, ben.headers);
    socket.socket.write(encode('{"subscribe":"rooms"}'));
    return socket;
  },
};

/** Keeps Bun, which cuts who is silent, from being the first: what is tried here is the hub's cut. */
const PONG = encode("", { opcode: 10 });

describe.each(Object.keys(KINDS))("a %s", (kind) => {
  beforeEach(async () => {
    slow = await (KINDS[kind] as () => Promise<RawStream>)();
    await slow.until(() => slow.bytes > 100_000);
  });

  test("what a slow reader has not taken is merged by room: when it reads again it gets the newest state, once", async () => {
    await fill();
    await isTold();
    const before = server.hub.state.events - told();
    for (let i = 0; i < 8; i++) await rename();
    await isTold();
    expect(server.hub.state.events - told()).toBe(before); // to the other one alone
    slow.socket.resume();
    await slow.until(() => slow.text.includes(`"name":"Ada ${names}"`));
    expect(slow.text).not.toContain(`"name":"Ada ${names - 1}"`);
    await eventually(() => server.hub.state.events - told() === before + 1);
    expect(inOrder(other.rooms)).toEqual((await ben.list()).rooms);
    slow.vanish(true);
    await eventually(() => server.hub.state.streams === 1);
  });

  test("a reader that takes nothing for the idle timeout is cut; the others notice nothing", async () => {
    await fill();
    await eventually(() => {
      if (kind === "socket") slow.socket.write(PONG);
      return server.hub.state.streams === 1;
    });
    slow.socket.resume();
    await slow.until(() => slow.closed);
    // The close frame stands behind all that had been sent: 1013, and why.
    if (kind === "socket") expect(slow.text).toEndWith("\x88\x06\x03\xf5slow");
    await rename();
    await isTold();
    expect(inOrder(other.rooms)).toEqual((await ben.list()).rooms);
    expect(other.ended).toBe(false);
  });
});
