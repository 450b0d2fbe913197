import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";

const TOKEN = "0123456789abcdef";

let server: TestServer;
let ada: Client;

beforeAll(async () => {
  server = await testServer({ METRICS_PORT: "0", METRICS_TOKEN: TOKEN });
  ada = await server.person("ada");
});
afterAll(() => server.close());

/** Each sample by its name and labels, as they are written. */
async function samples(): Promise<Map<string, number>> {
  const response = await fetch(server.metricsUrl as string);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const lines = (await response.text()).split("\n").filter((line) => line && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

const requests = (labels: string) => `foyer_http_request_duration_seconds_count{${labels}}`;

test("it counts streams by kind, events, live queries and what they ask for, requests, and messages sent", async () => {
  const room = await ada.openRoom();
  const before = await samples();
  const list = await ada.stream();
  const [one, two] = [await ada.watch(room.id), await ada.watch(room.id)];
  const socket = await ada.socket();
  for (const stream of [one, two]) await stream.event("messages");
  await list.event("rooms");
  await ada.send(room.id, "first", { clientId: "a" });
  await ada.send(room.id, "first", { clientId: "a" }); // the same message
  await one.until(({ messages }) => [...messages.values()].some(({ body }) => body === "first"));

  const send = 'method="POST",route="/chat/api/rooms/:id/messages",status=';
  let during = before;
  const grew = (name: string) => (during.get(name) ?? 0) - (before.get(name) ?? 0);
  // A request is counted when its answer has left.
  await eventually(async () => {
    during = await samples();
    return grew(requests(`${send}"201"`)) + grew(requests(`${send}"200"`)) >= 2;
  }, "both sends are counted");
  const open = (all: Map<string, number>) =>
    ["rooms", "room", "ws"].map((kind) => all.get(`foyer_streams{kind="${kind}"}`));
  expect(open(before)).toEqual([0, 0, 0]);
  expect(open(during)).toEqual([1, 2, 1]);
  expect(grew("foyer_sends_total")).toBe(1);
  expect(grew("foyer_stream_events_total")).toBeGreaterThanOrEqual(4);
  expect(grew("foyer_live_queries_total")).toBeGreaterThanOrEqual(2);
  expect(grew("foyer_live_batch_pairs_count")).toBeGreaterThanOrEqual(2);
  expect(grew("foyer_live_batch_pairs_sum")).toBeGreaterThanOrEqual(grew("foyer_live_batch_pairs_count"));
  expect([grew(requests(`${send}"201"`)), grew(requests(`${send}"200"`))]).toEqual([1, 1]);
  expect(during.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(during.get("process_cpu_seconds_total")).toBeGreaterThan(0);
  expect(during.get("process_start_time_seconds")).toBeWithin(1.7e9, Date.now() / 1000);

  for (const stream of [list, one, two]) stream.close();
  await socket.close();
  await eventually(async () => Bun.deepEquals(open(await samples()), [0, 0, 0]), "the streams are gone");
});

test("labels are of routes, never of what was asked for: however many paths and methods, few samples", async () => {
  const room = await ada.openRoom();
  await ada.send(room.id, "x");
  const ask = async (i: number) => {
    await ada.call("GET", `/rooms/${room.id}?secret${i}`);
    await ada.call("GET", `/rooms/${room.id}/messages/${1000 + i}`);
    await ada.call("GET", `/nowhere/secret${i}`);
    await fetch(`${server.url}/secret${i}`);
    await fetch(`${server.url}/assets/secret${i}.js`);
  };
  await ask(0);
  await fetch(`${server.url}/secret`, { method: "PROPFIND" });
  const labels = [
    'method="GET",route="/chat/api/rooms/:id",status="200"',
    'method="GET",route="/chat/api/rooms/:id/messages/:seq",status="404"',
    'method="GET",route="/assets/:name",status="404"',
    'method="GET",route="other",status="404"',
    'method="other",route="other",status="404"',
  ].map(requests);
  let few: string[] = [];
  await eventually(async () => {
    few = [...(await samples()).keys()];
    return labels.every((label) => few.includes(label));
  }, "each kind is counted");
  for (let i = 1; i <= 20; i++) await ask(i);
  for (const method of ["LOCK", "MKCOL", "PURGE"]) await fetch(`${server.url}/secret`, { method });
  const names = [...(await samples()).keys()];
  expect(names.toSorted()).toEqual(few.toSorted());
  expect(names.join("\n")).not.toMatch(/secret|\/rooms\/\d/i);
});

test("among everybody's requests only who has the token is told; for others there is nothing at the path", async () => {
  const nowhere = await fetch(`${server.url}/nowhere`);
  const missing = await nowhere.text();
  const { token } = await ada.must("POST", "/tokens", { name: "script" });
  for (const headers of [
    {},
    ada.headers,
    { authorization: `Bearer ${token}` },
    { authorization: "Bearer" },
    { authorization: `Bearer ${TOKEN}x` },
    { authorization: `Bearer ${TOKEN.slice(0, -1)}` },
    { authorization: `Basic ${btoa(TOKEN)}` },
    { authorization: TOKEN },
    { cookie: `foyer_session=${TOKEN}` },
  ] as Record<string, string>[]) {
    const response = await fetch(`${server.url}/metrics?token=${TOKEN}`, { headers });
    expect([headers, response.status, await response.text()]).toEqual([headers, 404, missing]);
    expect([...response.headers.keys()]).toEqual([...nowhere.headers.keys()]);
  }
  const response = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(response.status).toBe(200);
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(await response.text()).toContain("foyer_streams{");
});

test("its own port has nothing else", async () => {
  const { origin } = new URL(server.metricsUrl as string);
  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/chat/api/rooms"],
    ["GET", "/metrics/"],
    ["POST", "/metrics"],
    ["GET", "/health/live"],
  ] as const) {
    const response = await fetch(origin + path, { method, headers: ada.headers });
    expect([method, path, response.status]).toEqual([method, path, 404]);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  }
});

test("without METRICS_PORT and METRICS_TOKEN there are none", async () => {
  const closed = await testServer({}, server.database);
  expect(closed.metricsUrl).toBeNull();
  for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer null" }] as Record<
    string,
    string
  >[]) {
    expect((await fetch(`${closed.url}/metrics`, { headers })).status).toBe(404);
  }
  await closed.close();
});
