import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { Wire } from "../src/live/connection.ts";
import { eventFrame } from "../src/live/frame.ts";
import { openWire } from "../src/streams/wire.ts";
import { EventReader } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { RawStream } from "./support/raw.ts";

// What @elysiajs/stream and Bun do with a stream, and what our use of them relies on.

let server: ReturnType<typeof Bun.serve>;
let wires: Wire[];
let gone: number;
beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, server) {
      const { wire, response } = openWire(request, server);
      request.signal.addEventListener("abort", () => gone++);
      wires.push(wire);
      wire.send(eventFrame("hello", "{}"));
      return response;
    },
  });
});
afterAll(() => server.stop(true));
beforeEach(() => {
  wires = [];
  gone = 0;
});

test("a hundred clients that vanish while they are written to do no harm, however they go", async () => {
  for (const go of ["close", "reset", "half-close"]) {
    const before = wires.length;
    gone = 0;
    const clients = await Promise.all(Array.from({ length: 100 }, () => RawStream.open(server.url.href, {})));
    await Promise.all(clients.map((client) => client.until(() => client.text.includes("event: hello"))));
    const open = wires.slice(before);
    const frame = eventFrame("more", JSON.stringify("x".repeat(1_000)));
    for (const client of clients) {
      for (const wire of open) wire.send(frame);
      if (go === "half-close") client.socket.end();
      else client.vanish(go === "reset");
    }
    await eventually(() => gone === 100, `all are gone by ${go}`);
    for (const wire of open) {
      wire.send(frame); // to nobody
      expect(wire.writable()).toBe(false);
      wire.close("rotate");
      wire.drop("rotate");
    }
  }
  const reader = await EventReader.open(server.url.href, {});
  await reader.event("hello");
  reader.close();
});

test("data that looks like the fields of an event stays data", async () => {
  const reader = await EventReader.open(server.url.href, {});
  await reader.event("hello");
  const text = "id: 1\nevent: evil\ndata: {}\n\nretry: 1\n";
  wires[0]?.send(eventFrame("text", JSON.stringify(text), "7"));
  const { data, id } = await reader.event("text");
  expect([data, id, reader.retry]).toEqual([text, "7", 0]);
  reader.close();
});

test("what was sent arrives before the end", async () => {
  const reader = await EventReader.open(server.url.href, {});
  await reader.event("hello");
  wires[0]?.send(eventFrame("bye", "{}"));
  wires[0]?.close("rotate");
  await reader.until(({ ended }) => ended);
  expect(reader.events.map(({ event }) => event)).toEqual(["hello", "bye"]);
});

test("a wire whose client does not read fills, and can be written to again once it does", async () => {
  const client = await RawStream.open(server.url.href, {});
  await client.until(() => client.text.includes("event: hello"));
  client.stopReading();
  const wire = wires[0] as Wire;
  const frame = eventFrame("more", JSON.stringify("x".repeat(100_000)));
  let sent = 0;
  // A turn of the event loop is what a wire needs to tell; some MB are what the sockets' buffers take.
  for (let idle = 0; idle < 50; await Bun.sleep(1)) {
    if (wire.writable()) {
      wire.send(frame);
      sent++;
      idle = 0;
    } else idle++;
    expect(sent).toBeLessThan(1_000);
  }
  client.socket.resume();
  await eventually(() => wire.writable());
  await client.until(() => client.bytes > sent * frame.sse.length);
  client.vanish(false);
});
