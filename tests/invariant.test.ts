import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { Client } from "./support/client.ts";
import { type EventReader, inOrder } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, twoServers } from "./support/server.ts";

let servers: [TestServer, TestServer];
beforeAll(async () => {
  servers = await twoServers({ dampMs: 0 }); // who reconnects goes and comes, in the eyes of their peers
});
afterAll(async () => {
  await servers[1].close();
  await servers[0].close();
});

/** What a person may do; the numbers choose among what there is. */
const operation = fc.record({
  who: fc.nat(3),
  where: fc.nat(5),
  whom: fc.nat(3),
  seq: fc.nat(12),
  what: fc.constantFrom(
    ...["send", "send", "send", "mention", "read", "unread", "readAll", "edit", "delete", "rename"],
    ...[
      "involve",
      "add",
      "remove",
      "join",
      "leave",
      "role",
      "make",
      "direct",
      "end",
      "renameMe",
      "reconnect",
    ],
  ),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

test("after every quiet moment, what a stream's reducer holds is what GET /rooms says", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(operation, { minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 5 }),
      async (bursts) => {
        const people = await Promise.all([0, 1, 2, 3].map((i) => servers[i % 2 === 0 ? 0 : 1].person("p")));
        const rooms: number[] = [];
        for (let i = 0; i < 3; i++) rooms.push((await person(people, i).openRoom(`r${i}`, people)).id);
        const streams = await Promise.all(people.map((someone) => someone.stream()));
        try {
          for (const burst of bursts) {
            await Promise.all(burst.map((step) => perform(step, people, rooms, streams)));
            for (const [i, someone] of people.entries()) {
              const stream = streams[i] as EventReader;
              // Who is online is told a moment later: it may change the list once more.
              await eventually(
                async () => Bun.deepEquals(inOrder(stream.rooms), (await someone.list()).rooms),
                `${someone.user.handle} holds what GET /rooms says`,
              );
            }
          }
          for (const stream of streams) expect(stream.ended).toBe(false);
        } finally {
          for (const stream of streams) stream.close();
        }
      },
    ),
    { numRuns: 25, endOnFailure: true },
  );
}, 120_000);

const person = (people: Client[], i: number): Client => people[i % people.length] as Client;

/** Does it; a refusal (no right, not there) is fine, a fault of the server is not. */
async function perform(
  { who, where, whom, seq, what }: Operation,
  people: Client[],
  rooms: number[],
  streams: EventReader[],
): Promise<void> {
  const me = person(people, who);
  const other = person(people, whom);
  const room = rooms[where % rooms.length] as number;
  const calls: Record<string, () => [string, string, unknown?]> = {
    send: () => ["POST", `/rooms/${room}/messages`, { body: `m${seq}` }],
    mention: () => ["POST", `/rooms/${room}/messages`, { body: `hi @${other.user.handle}` }],
    read: () => ["PUT", `/rooms/${room}/read`, { seq }],
    unread: () => ["PUT", `/rooms/${room}/unread`, { seq: seq + 1 }],
    readAll: () => ["PUT", "/rooms/read"],
    edit: () => ["PATCH", `/rooms/${room}/messages/${seq + 1}`, { body: `e @${other.user.handle}` }],
    delete: () => ["DELETE", `/rooms/${room}/messages/${seq + 1}`],
    rename: () => ["PATCH", `/rooms/${room}`, { name: `n${seq}` }],
    involve: () => ["PATCH", `/rooms/${room}/members/me`, { involvement: seq % 2 ? "none" : "mentions" }],
    add: () => ["PUT", `/rooms/${room}/members/${other.user.id}`],
    remove: () => ["DELETE", `/rooms/${room}/members/${other.user.id}`],
    join: () => ["PUT", `/rooms/${room}/members/me`],
    leave: () => ["DELETE", `/rooms/${room}/members/me`],
    role: () => ["PUT", `/rooms/${room}/members/${other.user.id}`, { role: seq % 2 ? "owner" : "member" }],
    make: () => ["POST", "/rooms", { kind: "closed", name: `made${seq}`, members: [other.user.id] }],
    direct: () => ["POST", "/rooms", { kind: "direct", members: [other.user.id] }],
    end: () => ["DELETE", `/rooms/${rooms[rooms.length - 1]}`],
    renameMe: () => ["PATCH", "/users/me", { name: `N${seq}` }],
  };
  if (what === "reconnect") return reconnect(who % people.length, people, streams);
  const [method, path, body] = (calls[what] as () => [string, string, unknown?])();
  const reply = await me.call(method, path, body);
  if (reply.status >= 500)
    throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
  if (reply.status === 201 && path === "/rooms") rooms.push(reply.body.id);
}

/** Comes back with the last cursor, at the other server; what was held stays held. */
async function reconnect(i: number, people: Client[], streams: EventReader[]): Promise<void> {
  const old = streams[i] as EventReader;
  if (old.lastEventId === "") return; // it has not been told anything yet
  old.close();
  const me = person(people, i);
  const elsewhere = servers.find(({ api }) => api !== me.api) as TestServer;
  const next = await me.with(me.headers, elsewhere.api).stream(old.lastEventId, old.rooms);
  if (streams[i] === old) streams[i] = next;
  else next.close();
}
