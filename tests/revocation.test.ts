import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "./support/client.ts";
import type { EventReader } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { startProxy } from "./support/proxy.ts";
import { type TestServer, testServer } from "./support/server.ts";
import type { SocketReader } from "./support/socket.ts";

// Whoever loses a right loses it wherever something is open: {what takes it} × {list, timeline, socket} × {here, at another
// server, at another server that no hint reaches}.

let here: TestServer;
let there: TestServer;
/** Its database is reached, but nothing is notified: the bus is cut. */
let deaf: TestServer;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let root: Client; // administrator
beforeAll(async () => {
  here = await testServer();
  there = await testServer({}, here.database);
  proxy = await startProxy(here.database.target);
  deaf = await testServer({}, { ...here.database, target: proxy.target });
  proxy.deafen();
  root = await here.administrator("root");
});
afterAll(async () => {
  await Promise.all([there.stop(), deaf.stop()]);
  await proxy.close();
  await here.close();
});

/** The contract's bounds, in milliseconds from the reply on: here, elsewhere, and elsewhere without hints. */
const PLACES = {
  here: { at: () => here, ms: 1_000 },
  "at another server": { at: () => there, ms: 2_000 },
  "at another server whose bus is cut": { at: () => deaf, ms: 6_000 },
};

/** By what the right is had, and by what it is lost; at the first server. */
interface Loss {
  by: "session" | "token";
  lose(victim: Victim): Promise<unknown>;
  /** Of one room alone. */
  room?: true;
}
interface Victim {
  /** By the credential that the streams hang on. */
  client: Client;
  /** By another session, that is not looked at. */
  elsewhere: Client;
  /** Whose room it is, and who goes on talking in it. */
  ben: Client;
  roomId: number;
}

const ownId = async (who: Client, path: "sessions" | "tokens") => {
  const { [path]: listed } = await who.must("GET", `/${path}`);
  return (listed.find(({ current }: { current?: boolean }) => current) ?? listed[0]).id;
};
const account = ({ client }: Victim) => `/admin/users/${client.user.id}`;

const LOSSES: Record<string, Loss> = {
  "a sign-out": { by: "session", lose: ({ client }) => client.must("DELETE", "/session") },
  "the end of the session by its owner": {
    by: "session",
    lose: async ({ client, elsewhere }) =>
      elsewhere.must("DELETE", `/sessions/${await ownId(client, "sessions")}`),
  },
  "a sign-in in its place": {
    by: "session",
    lose: ({ client }) =>
      client.must("POST", "/session", { handle: client.user.handle, password: Client.password }),
  },
  "a new password": {
    by: "session",
    lose: ({ elsewhere }) =>
      elsewhere.must("PUT", "/session/password", { current: Client.password, next: "battery staple" }),
  },
  "a token's deletion": {
    by: "token",
    lose: async ({ elsewhere }) => elsewhere.must("DELETE", `/tokens/${await ownId(elsewhere, "tokens")}`),
  },
  "a deactivation": {
    by: "session",
    lose: (victim) => root.must("PATCH", account(victim), { deactivated: true }),
  },
  "a deactivation, by token": {
    by: "token",
    lose: (victim) => root.must("PATCH", account(victim), { deactivated: true }),
  },
  "a reset password": { by: "session", lose: (victim) => root.must("POST", `${account(victim)}/password`) },
  "the end of everything by an administrator": {
    by: "session",
    lose: (victim) => root.must("DELETE", `${account(victim)}/credentials`),
  },
  "the end of everything by an administrator, by token": {
    by: "token",
    lose: (victim) => root.must("DELETE", `${account(victim)}/credentials`),
  },
  "a removal from the room": {
    by: "session",
    room: true,
    lose: ({ client, ben, roomId }) => ben.must("DELETE", `/rooms/${roomId}/members/${client.user.id}`),
  },
  "the room's end": {
    by: "session",
    room: true,
    lose: ({ roomId }) => root.must("DELETE", `/admin/rooms/${roomId}`),
  },
};

/** Somebody in a room of somebody's. */
async function victimOf({ by }: Loss): Promise<Victim> {
  const [elsewhere, ben] = await Promise.all([here.person("victim"), here.person("ben")]);
  const room = await ben.openRoom("room", [elsewhere]);
  const program = async () => {
    const { token } = await elsewhere.must("POST", "/tokens", { name: "script" });
    return elsewhere.with({ authorization: `Bearer ${token}` });
  };
  return {
    client: by === "token" ? await program() : await elsewhere.signInAgain(),
    elsewhere,
    ben,
    roomId: room.id,
  };
}

/** All that is open at a server, each having brought its first. */
interface Open {
  list: EventReader;
  timeline: EventReader;
  socket: SocketReader;
}
async function openAll(client: Client, roomId: number, api: string): Promise<Open> {
  const at = client.with(client.headers, api);
  const [list, timeline, socket] = await Promise.all([at.stream(), at.watch(roomId), at.socket()]);
  socket.send({ subscribe: "rooms" });
  socket.send({ subscribe: "room", id: roomId });
  await Promise.all([
    list.event("rooms"),
    timeline.event("messages"),
    socket.event("rooms"),
    socket.event("messages", 1, roomId),
  ]);
  return { list, timeline, socket };
}

/** Waits until each has ended as it should, from now on for so long. */
async function ends(loss: Loss, { list, timeline, socket }: Open, roomId: number, ms: number): Promise<void> {
  if (loss.room) {
    await Promise.all([
      timeline.until(() => timeline.ended, "the timeline ends", ms),
      list.until(() => !list.rooms.has(roomId), "the room leaves the list", ms),
      socket.until(() => socket.of("bye", roomId).length > 0, "the socket's room ends", ms),
      socket.until(
        () => socket.of("rooms").some(({ data }) => data.left.includes(roomId)),
        "and its list",
        ms,
      ),
    ]);
    expect(timeline.bye).toBe("removed");
    expect([list.ended, socket.closed]).toEqual([false, null]);
    return;
  }
  await Promise.all([
    list.until(() => list.ended, "the list ends", ms),
    timeline.until(() => timeline.ended, "the timeline ends", ms),
    socket.until(() => socket.closed !== null, "the socket ends", ms),
  ]);
  expect([list.bye, timeline.bye, socket.closed]).toEqual([
    "signed-out",
    "signed-out",
    { code: 1008, reason: "signed-out" },
  ]);
}

const everythingTold = ({ list, timeline, socket }: Open): string =>
  JSON.stringify([list.events, timeline.events, socket.frames]);

const close = async ({ list, timeline, socket }: Open): Promise<void> => {
  list.close();
  timeline.close();
  if (socket.closed === null) await socket.close();
};

const status = async (who: Client, api: string) =>
  (await who.with(who.headers, api).call("GET", "/session")).status;

for (const [place, { at, ms }] of Object.entries(PLACES)) {
  // Where five seconds are to be waited for, together.
  const side = at === PLACES["at another server whose bus is cut"].at ? describe.concurrent : describe;
  side(place, () => {
    for (const [what, loss] of Object.entries(LOSSES)) {
      test(`${what} ends the list, the timeline and the socket, and nothing that came after it is told`, async () => {
        const victim = await victimOf(loss);
        const { client, ben, roomId } = victim;
        const { api } = at();
        const open = await openAll(client, roomId, api);
        await ben.send(roomId, "before");
        await Promise.all([
          open.list.until(() => open.list.rooms.get(roomId)?.lastMessage?.body === "before"),
          open.timeline.until(() => JSON.stringify(open.timeline.events).includes('"before"')),
          open.socket.until(() => open.socket.of("messages", roomId).length > 1),
        ]);
        expect(await status(client, api)).toBe(200); // believed from now on

        await loss.lose(victim);
        // At once, and at the very server where the streams are: its own hints are the quickest.
        const talk = ben.with(ben.headers, api);
        const sent = loss.room && what === "the room's end" ? null : talk.send(roomId, "canary");
        const renamed = ben.must("PATCH", "/users/me", { name: "Ben Canary" });
        await Promise.all([sent, renamed]);
        await ends(loss, open, roomId, ms);
        expect(everythingTold(open)).not.toMatch(/canary/i);

        if (loss.room) {
          const there = client.with(client.headers, api);
          expect((await there.call("GET", `/rooms/${roomId}`)).status).toBe(404);
          await expect(there.watch(roomId)).rejects.toMatchObject({ status: 404 });
        } else {
          // Where it is not heard of, what was believed is believed for five seconds.
          if (at() === deaf)
            await eventually(async () => (await status(client, api)) === 401, "no belief", ms);
          expect(await status(client, api)).toBe(401);
          await expect(client.with(client.headers, api).stream()).rejects.toMatchObject({ status: 401 });
        }
        await close(open);
      });
    }
  });
}

test("where no hint comes and nothing is said, the sweep ends them all", async () => {
  const opened = await Promise.all(
    Object.values(LOSSES).map(async (loss) => {
      const victim = await victimOf(loss);
      return { loss, victim, open: await openAll(victim.client, victim.roomId, deaf.api) };
    }),
  );
  await Promise.all(opened.map(({ loss, victim }) => loss.lose(victim)));
  await Promise.all(
    opened.map(({ loss, victim, open }) =>
      ends(loss, open, victim.roomId, PLACES["at another server whose bus is cut"].ms),
    ),
  );
  await Promise.all(opened.map(({ open }) => close(open)));
});

test("a stream that opens while its session is still believed, is told nothing", async () => {
  const victim = await victimOf(LOSSES["a sign-out"] as Loss);
  const { client, ben, roomId } = victim;
  const at = client.with(client.headers, deaf.api);
  expect(await status(client, deaf.api)).toBe(200);
  await client.must("DELETE", "/session");
  await ben.send(roomId, "canary");
  // Let in on what was true a moment ago, or not at all.
  for (const opening of [at.stream(), at.watch(roomId)]) {
    const stream = await opening.catch(() => null);
    if (!stream) continue;
    await stream.until(() => stream.ended);
    expect(stream.bye).toBe("signed-out");
    expect(stream.events.map(({ event }) => event)).toEqual(["ping", "bye"]);
  }
});

test("somebody else's streams do not end, however many sessions do", async () => {
  const [ada, ben] = await Promise.all([here.person("ada"), here.person("ben")]);
  const room = await ben.openRoom("others");
  await ada.must("PUT", `/rooms/${room.id}/members/me`);
  const opened = await Promise.all(Object.values(PLACES).map(({ at }) => openAll(ada, room.id, at().api)));
  for (const loss of Object.values(LOSSES)) await loss.lose(await victimOf(loss));
  const { seq } = await ben.send(room.id, "still here");
  for (const { list, timeline, socket } of opened) {
    await list.until(() => list.rooms.get(room.id)?.lastSeq === seq);
    await timeline.until(() => timeline.messages.has(seq));
    await socket.until(() => socket.messages.get(room.id)?.has(seq) === true);
  }
  await Promise.all(opened.map(close));
});
