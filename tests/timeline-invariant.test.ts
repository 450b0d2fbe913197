import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { Client } from "./support/client.ts";
import { bySeq, type EventReader } from "./support/events.ts";
import { type TestServer, twoServers } from "./support/server.ts";

let servers: [TestServer, TestServer];
beforeAll(async () => {
  servers = await twoServers();
});
afterAll(async () => {
  await servers[1].close();
  await servers[0].close();
});

const EMOJI = ["👍", "🎉", "👩🏽‍🚀"];

/** What a person may do; the numbers choose among what there is. */
const operation = fc.record({
  who: fc.nat(3),
  where: fc.nat(1),
  seq: fc.nat(12),
  what: fc.constantFrom(
    ...["send", "send", "send", "reply", "mention", "edit", "edit", "delete", "react", "react", "unreact"],
    ...["read", "unread", "rename", "leave", "join", "renameMe", "reconnect", "reconnect"],
  ),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

test("after every quiet moment, what a timeline's reducer holds is what GET …/messages says, however its client comes back", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(operation, { minLength: 1, maxLength: 15 }), { minLength: 2, maxLength: 5 }),
      async (bursts) => {
        const owner = await servers[0].person("o");
        const people = await Promise.all([0, 1, 2, 3].map((i) => servers[i % 2 === 0 ? 0 : 1].person("p")));
        const rooms = [await owner.openRoom("a", people), await owner.openRoom("b", people)].map(
          ({ id }) => id,
        );
        const watches: Watch[] = [];
        for (const room of rooms) {
          for (const client of [...people, owner]) {
            watches.push({ client, room, reader: await client.watch(room), markers: new Map() });
          }
        }
        try {
          for (const burst of bursts) {
            await Promise.all(burst.map((step) => perform(step, people, rooms, watches)));
            for (const watch of watches) await settle(watch);
          }
        } finally {
          for (const { reader } of watches) reader.close();
        }
      },
    ),
    { numRuns: 12, endOnFailure: true },
  );
}, 120_000);

interface Watch {
  client: Client;
  room: number;
  reader: EventReader;
  /** What it was told of read markers since it last came back. */
  markers: Map<number, number>;
}

/** Who is still in the room holds what a GET says, up to the last cursor; nothing ever went backwards. */
async function settle(watch: Watch): Promise<void> {
  const { client, room } = watch;
  const reply = await client.call("GET", `/rooms/${room}/messages?limit=200`);
  if (reply.status === 404) {
    await watch.reader.until(({ ended }) => ended);
    return;
  }
  if (watch.reader.ended) watch.reader = await client.watch(room); // back in the room
  const { reader } = watch;
  await reader.until(
    () =>
      reader.lastEventId === reply.body.cursor && Bun.deepEquals(bySeq(reader.messages), reply.body.messages),
    `${client.user.handle} holds ${JSON.stringify(reply.body.messages)}`,
  );

  const cursors = reader.events.flatMap(({ event, data }) => (event === "messages" ? data.cursor : []));
  for (const part of [0, 1]) {
    const numbers = cursors.map((cursor: string) => Number(cursor.split(".")[part]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }
  const { members } = await client.must("GET", `/rooms/${room}/members`);
  const told = () =>
    new Map(
      reader.events.flatMap(({ event, data }) => (event === "read" ? [[data.userId, data.lastReadSeq]] : [])),
    );
  await reader.until(
    () =>
      members.every(({ user, lastReadSeq }: { user: { id: number }; lastReadSeq: number }) =>
        [undefined, lastReadSeq].includes(told().get(user.id)),
      ),
    `the markers of ${JSON.stringify(members)}`,
  );
}

/** Does it; a refusal (no right, not there) is fine, a fault of the server is not. */
async function perform(
  { who, where, seq, what }: Operation,
  people: Client[],
  rooms: number[],
  watches: Watch[],
): Promise<void> {
  const me = people[who] as Client;
  const room = rooms[where] as number;
  if (what === "reconnect") return reconnect(watches[(seq * 4 + who) % watches.length] as Watch);
  const message = `/rooms/${room}/messages/${seq + 1}`;
  const reaction = `${message}/reactions/${encodeURIComponent(EMOJI[seq % 3] as string)}`;
  const handle = people[seq % 4]?.user.handle;
  const calls: Record<string, [string, string, unknown?]> = {
    send: ["POST", `/rooms/${room}/messages`, { body: `m${seq}`, clientId: `c${seq}` }],
    reply: ["POST", `/rooms/${room}/messages`, { body: "re", replyTo: seq + 1 }],
    mention: ["POST", `/rooms/${room}/messages`, { body: `hi @${handle}` }],
    edit: ["PATCH", message, { body: `e @${handle}` }],
    delete: ["DELETE", message],
    react: ["PUT", reaction],
    unreact: ["DELETE", reaction],
    read: ["PUT", `/rooms/${room}/read`, { seq }],
    unread: ["PUT", `/rooms/${room}/unread`, { seq: seq + 1 }],
    rename: ["PATCH", `/rooms/${room}`, { name: `n${seq}` }],
    renameMe: ["PATCH", "/users/me", { name: `N${seq}` }],
    leave: ["DELETE", `/rooms/${room}/members/me`],
    join: ["PUT", `/rooms/${room}/members/me`],
  };
  const [method, path, body] = calls[what] as [string, string, unknown?];
  const reply = await me.call(method, path, body);
  if (reply.status >= 500)
    throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
}

/** Comes back with the last cursor, at the other server; what was held stays held. */
async function reconnect(watch: Watch): Promise<void> {
  const { client, room, reader: old } = watch;
  if (old.lastEventId === "" || old.ended) return; // not been told anything yet, or out of the room
  old.close();
  const elsewhere = servers.find(({ api }) => !old.response.url.startsWith(api)) as TestServer;
  const next = await client
    .with(client.headers, elsewhere.api)
    .watch(room, old.lastEventId, old.messages)
    .catch((error) => {
      if (error.status !== 404) throw error;
    });
  if (!next) return old.until(({ ended }) => ended).then(() => {});
  if (watch.reader === old) watch.reader = next;
  else next.close();
}
