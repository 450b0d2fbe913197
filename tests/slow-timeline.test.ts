import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { bySeq, type EventReader } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { RawStream } from "./support/raw.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client;
let ben: Client;
let room: number;
let slow: RawStream;
let other: EventReader;
let sent = 0;

/** 10,000 characters: the sockets' buffers take some hundred of them. */
const send = () => ada.send(room, `${++sent} `.padEnd(10_000, "x"));

/** Sends until a message no longer goes out to the one who does not read. */
async function fill(): Promise<void> {
  slow.stopReading();
  for (let events = 2; events > 1; ) {
    expect(sent).toBeLessThan(3_000);
    const before = server.hub.state.events;
    const { seq } = await send();
    await other.until(({ messages }) => messages.has(seq));
    await other.until(() => other.events.at(-1)?.data.lastReadSeq === seq);
    // A message and its sender's marker, for each of those who are told.
    events = (server.hub.state.events - before) / 2;
  }
}

beforeAll(async () => {
  server = await testServer({ IDLE_TIMEOUT: "4", PING_INTERVAL: "1" });
  [ada, ben] = await Promise.all([server.person("ada"), server.person("ben")]);
  room = (await ada.openRoom("room", [ben])).id;
  slow = await RawStream.open(`${server.api}/stream/rooms/${room}`, ben.headers);
  other = await ben.watch(room);
  await slow.until(() => slow.text.includes("event: messages"));
  await other.event("messages");
});
afterAll(() => server.close());

test("a slow reader is sent nothing more, and all that it missed at once when it reads again", async () => {
  await fill();
  const before = server.hub.state.events;
  for (let i = 0; i < 20; i++) await send();
  await other.until(({ messages }) => messages.has(sent));
  await other.until(() => other.events.at(-1)?.data.lastReadSeq === sent);
  expect(server.hub.state.events - before).toBeLessThanOrEqual(40); // to the other one alone
  slow.socket.resume();
  await slow.until(() => slow.text.includes(`"cursor":"${sent}.0"`));
  expect(bySeq(other.messages).slice(-50)).toEqual((await ben.page(room)).messages);
});

test("a reader that takes nothing for the idle timeout is cut; the others notice nothing", async () => {
  await fill();
  await eventually(() => server.hub.state.streams === 1);
  slow.socket.resume();
  await slow.until(() => slow.closed);
  await send();
  await other.until(({ messages }) => messages.has(sent));
  expect(other.ended).toBe(false);
  other.close();
});
