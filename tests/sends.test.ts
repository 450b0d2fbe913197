import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { arrayLiteral, connect, type Database, type Sql } from "../src/db/client.ts";
import { isUnavailable } from "../src/db/errors.ts";
import { type Hint, roomChanged } from "../src/live/hints.ts";
import { Outgoing } from "../src/messages/outgoing.ts";
import { insertMessage, insertMessages, type NewMessage } from "../src/messages/send.ts";
import { Problem } from "../src/problem.ts";
import { answer } from "./support/answer.ts";
import type { Client } from "./support/client.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, twoServers } from "./support/server.ts";
import { watched } from "./support/watched.ts";

let servers: [TestServer, TestServer];
let sql: Sql & TestServer["database"]["sql"];
let ada: Client; // owner
let ben: Client;
let kim: Client;
let eve: Client; // stranger
beforeAll(async () => {
  servers = await twoServers();
  ({ sql } = servers[0].database);
  ada = await servers[0].person("ada");
  ben = await servers[0].person("ben");
  kim = await servers[0].person("kim");
  eve = await servers[0].person("eve");
});
afterAll(async () => {
  await servers[1].close();
  await servers[0].close();
});

// Sends that are handed over in one go: the first statement takes the first of them, and the others gather.
let db: Database;
let others: Database; // what others do meanwhile
let statements: ReturnType<typeof watched>;
let outgoing: Outgoing;
let hints: Hint[];
beforeEach(() => {
  db = connect(servers[0].database.target, { pool: 10, statementTimeout: 5 });
  others = connect(servers[0].database.target, { pool: 10, statementTimeout: 30 });
  hints = [];
  statements = watched(db.sql);
  outgoing = new Outgoing(statements.sql, (...some) => hints.push(...some));
});
afterEach(async () => {
  await others.close();
  await db.close();
});

const room = async (...members: Client[]) => (await ada.openRoom("a room", members)).id;
/** Many rooms of Ada's alone. */
async function manyRooms(count: number): Promise<number[]> {
  const rooms = await sql<{ id: number }[]>`
    insert into rooms (kind, name, member_count) select 'open', 'r' || n, 1 from generate_series(1, ${count}::int) n
    returning id`;
  const ids = rooms.map(({ id }) => id);
  await sql`
    insert into memberships (user_id, room_id, role)
    select ${ada.user.id}::bigint, id, 'owner' from unnest(${arrayLiteral(ids)}::bigint[]) id`;
  return ids;
}
const message = (
  who: Client,
  roomId: number,
  body = "hello",
  more: Partial<NewMessage> = {},
): NewMessage => ({
  roomId,
  senderId: who.user.id,
  body,
  clientId: null,
  replyTo: null,
  ...more,
});
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** What became of a send: the message's seq and whether it is new, a problem's code, or the database's code. */
const outcome = (sent: ReturnType<Outgoing["send"]>): Promise<string> =>
  sent.then(
    ({ message, isNew }) => `${isNew ? "new" : "again"} ${message.seq}`,
    (error) => (error instanceof Problem ? error.code : (error.code ?? String(error))),
  );
const outcomes = (messages: NewMessage[]) => Promise.all(messages.map((one) => outcome(outgoing.send(one))));
const bodies = async (roomId: number) =>
  (await sql`select seq, body from messages where room_id = ${roomId} order by seq`).map(
    ({ seq, body }, i) => {
      expect(seq).toBe(i + 1);
      return body as string;
    },
  );

/** Does something in a transaction that stays open until it is let go. */
async function hold(work: (tx: Sql) => Promise<unknown>): Promise<{ letGo(): Promise<unknown>; tx: Sql }> {
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const { promise: has, resolve: did } = Promise.withResolvers<Sql>();
  const done = others.transaction(async (tx) => {
    await work(tx);
    did(tx);
    await held;
  });
  const tx = await Promise.race([has, done.then(() => has)]);
  return {
    tx,
    letGo() {
      letGo();
      return done;
    },
  };
}
const lockMembership = (roomId: number, who: Client) => (tx: Sql) =>
  tx`
  select from memberships where room_id = ${roomId} and user_id = ${who.user.id} for update`;
const lockRoom = (roomId: number) => (tx: Sql) => tx`select from rooms where id = ${roomId} for update`;

/** Waits until so many statements wait for a lock. */
const waitForLocks = (count: number) =>
  eventually(async () => {
    const rows = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return rows.length >= count;
  }, `${count} statements wait for a lock`);

/** The backends that wait for what is held. */
async function waitingFor({ tx }: { tx: Sql }): Promise<number[]> {
  const [holder] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
  const rows = await sql<{ pid: number }[]>`
    select pid from pg_stat_activity
     where wait_event_type = 'Lock' and ${holder?.pid ?? 0}::int = any (pg_blocking_pids(pid))`;
  return rows.map(({ pid }) => pid);
}

describe("a group", () => {
  const send = fc.record({
    who: fc.nat(3),
    where: fc.nat(2),
    body: fc.constantFrom("hi", "other", "@ada", "@ben and @kim", "@eve @ben.", 'a "quote", a \\ and {}'),
    clientId: fc.constantFrom(null, null, null, "a", "b", "before"),
    replyTo: fc.constantFrom(null, null, 1, 2, 99),
  });

  test("leaves everything as if its messages were sent one after another, and answers so", async () => {
    const people = [ada, ben, kim, eve];
    const handles = new Map(people.map(({ user }) => [user.handle.replace(/\d+$/, ""), user.handle]));
    await fc.assert(
      fc.asyncProperty(fc.array(send, { minLength: 2, maxLength: 40 }), fc.nat(3), async (sends, back) => {
        const make = async () => {
          const ids: number[] = [];
          for (const _ of range(0, 2)) {
            const id = await room(ben, kim);
            await ada.send(id, "one", { clientId: "before" });
            await ben.send(id, "two");
            if (back > 0) await (people[back - 1] as Client).must("PUT", `/rooms/${id}/unread`, { seq: 1 });
            ids.push(id);
          }
          return ids;
        };
        const [together, oneByOne] = [await make(), await make()];
        const to = (ids: number[]) =>
          sends.map(({ who, where, body, clientId, replyTo }) =>
            message(
              people[who] as Client,
              ids[where] as number,
              body.replace(/@(\w+)/g, (_, name) => `@${handles.get(name)}`),
              // Refused, it may be told of the next one with its clientId: why is looked up afterwards.
              { clientId, replyTo: clientId !== null && replyTo === 99 ? null : replyTo },
            ),
          );
        const expected: string[] = [];
        for (const one of to(oneByOne)) expected.push(await outcome(outgoing.send(one)));
        expect(await outcomes(to(together))).toEqual(expected);
        expect(await contents(together)).toEqual(await contents(oneByOne));
      }),
      { numRuns: 40, endOnFailure: true },
    );
  }, 60_000);

  /** All that rooms hold but ids and times. */
  const contents = (ids: number[]) =>
    Promise.all(
      ids.map(async (id) => ({
        room: await sql`
          select last_seq, last_message_seq, last_message_sender_id, last_message_preview, last_message_edited_at,
                 last_message_at = (select created_at from messages where room_id = id and seq = last_seq) as at,
                 last_uncounted_seq, last_mention_seq, change_count from rooms where id = ${id}`,
        messages: await sql`
          select seq, sender_id, kind, body, reply_to, mentions, client_id, changed,
                 created_at < lag(created_at) over (order by seq) as back from messages where room_id = ${id} order by seq`,
        mentions: await sql`select user_id, seq from mentions where room_id = ${id} order by seq, user_id`,
        members: await sql`
          select user_id, last_read_seq, own_after_read, marked_unread from memberships where room_id = ${id} order by user_id`,
      })),
    );

  test("tells each room that it changed once a statement", async () => {
    const [id, other] = [await room(ben), await room()];
    // Nobody makes a group fall apart by the same clientId.
    await outcomes(range(1, 20).map((i) => message(i % 2 ? ada : ben, id, "x", { clientId: `${i % 8}` })));
    expect(hints).toEqual([roomChanged(id), roomChanged(id)]);
    hints = [];
    await outcomes([
      ...range(1, 20).flatMap(() => [message(ada, id), message(ada, other)]),
      message(eve, other),
    ]);
    // The first went at once, and all the others together.
    expect(hints.sort()).toEqual([roomChanged(id), roomChanged(id), roomChanged(other)].sort());
  });

  test("is bounded: by messages and by their length, and one message fits always", async () => {
    const id = await room();
    await outcomes(range(1, 257).map(() => message(ada, id)));
    expect(hints).toHaveLength(1 + 128 / 128 + 128 / 128);
    hints = [];
    await outcomes(range(1, 7).map(() => message(ada, id, "x".repeat(10_000))));
    expect(hints).toHaveLength(1 + 2);
    await outcomes(range(1, 3).map(() => message(ada, id, "🦊".repeat(20_000))));
    expect(await bodies(id)).toHaveLength(257 + 7 + 3);
  });

  test("of many rooms makes none of them wait for one that others have locked", async () => {
    const held = [await room(), await room(), await room(), await room()];
    const free = [await room(), await room(), await room()];
    const holds = await Promise.all(held.slice(0, 3).map((id) => hold(lockRoom(id))));
    const marker = await hold(lockMembership(held[3] as number, ada));
    const late = Promise.all([...held, ...held].map((id) => outcome(outgoing.send(message(ada, id)))));
    expect(await outcomes([...free, ...free].map((id) => message(ada, id)))).toEqual([
      "new 1",
      "new 1",
      "new 1",
      "new 2",
      "new 2",
      "new 2",
    ]);
    await waitForLocks(4);
    await Promise.all([...holds, marker].map(({ letGo }) => letGo()));
    expect(await late).toEqual([...held.map(() => "new 1"), ...held.map(() => "new 2")]);
  });

  test("waits for at most four rooms at a time, and others go on", async () => {
    const held = await Promise.all(range(1, 6).map(() => room()));
    const free = await room();
    const holds = await Promise.all(held.map((id) => hold(lockRoom(id))));
    const late = Promise.all(held.map((id) => outcome(outgoing.send(message(ada, id)))));
    await waitForLocks(4);
    expect(await outcomes([message(ada, free), message(ada, free)])).toEqual(["new 1", "new 2"]);
    expect(statements.now).toBe(4);
    await Promise.all(holds.map(({ letGo }) => letGo()));
    expect(await late).toEqual(held.map(() => "new 1"));
  });

  test("makes nobody wait for a sender whose membership others have locked, but that sender", async () => {
    const id = await room(ben, kim);
    const { letGo } = await hold(lockMembership(id, ben));
    const [first, bens, ...theirs] = [ben, ben, ada, kim, ada].map((who) =>
      outcome(outgoing.send(message(who, id))),
    );
    expect(await Promise.all(theirs)).toEqual(["new 1", "new 2", "new 3"]);
    await waitForLocks(1);
    expect(await outcomes([message(kim, id), message(ada, id)])).toEqual(["new 4", "new 5"]);
    expect(statements.now).toBe(1); // one of Ben's; the other is behind it
    await letGo();
    expect([await first, await bens]).toEqual(["new 6", "new 7"]);
  });

  test("that waits for its room waits for nobody's membership", async () => {
    const [id, other] = [await room(ben, kim), await room()];
    const membership = await hold(lockMembership(id, ben));
    const { letGo } = await hold(lockRoom(id));
    // The first goes alone, and the others together.
    const [first, bens, ...theirs] = [
      message(ada, other),
      ...[ben, ada, kim, ada].map((who) => message(who, id)),
    ].map((one) => outcome(outgoing.send(one)));
    expect(await first).toBe("new 1");
    await waitForLocks(1);
    await letGo();
    expect(await Promise.all(theirs)).toEqual(["new 1", "new 2", "new 3"]);
    await membership.letGo();
    expect(await bens).toBe("new 4");
  });

  test("locks memberships in the order of their users' ids, and the room after them all", async () => {
    const id = await room(ben, kim);
    const { tx, letGo } = await hold(lockMembership(id, ben));
    const sent = insertMessages(db.sql, [message(kim, id), message(ben, id), message(ada, id)], "wait");
    await waitForLocks(1);
    const [, , free] = await Promise.all([
      tx`select from memberships where room_id = ${id} and user_id = ${kim.user.id} for update nowait`,
      tx`select from rooms where id = ${id} for update nowait`,
      tx`select from memberships where room_id = ${id} and user_id = ${ada.user.id} for update skip locked`,
    ]);
    expect(free).toHaveLength(0); // Ada has the lowest id
    await letGo();
    expect((await sent).map((one) => one?.seq)).toEqual([1, 2, 3]);
  });
});

describe("one bad send spoils none of its neighbours", () => {
  test("text that makes the statement fail", async () => {
    const [id, other] = [await room(ben), await room()];
    const texts = ["first", "good", "a\0b", "better", "\0", "best"];
    const sends = texts.flatMap((body) => [message(ada, id, body), message(ada, other, "x")]);
    const given = await outcomes(sends);
    expect(given.filter((_, i) => i % 2 === 0)).toEqual([
      "new 1",
      "new 2",
      "22021",
      "new 3",
      "22021",
      "new 4",
    ]);
    expect(given.filter((_, i) => i % 2 === 1)).toEqual(range(1, 6).map((seq) => `new ${seq}`));
    expect(await bodies(id)).toEqual(["first", "good", "better", "best"]);
  });

  test("among many rooms, one statement after another, past a room that others have locked", async () => {
    const [first, ...ids] = (await manyRooms(129)) as [number, ...number[]];
    const [early, bad, later] = [5, 65, 100];
    const held = [ids[early], ids[later]] as [number, number];
    const holds = await Promise.all(held.map((id) => hold(lockRoom(id))));
    const all = [message(ada, first), ...ids.map((id, i) => message(ada, id, i === bad ? "\0" : "good"))];
    const given = all.map((one) => outcome(outgoing.send(one)));
    const isHeld = (i: number) => held.includes(all[i]?.roomId as number);
    const late = Promise.all(given.filter((_, i) => isHeld(i)));
    expect(await Promise.all(given.filter((_, i) => !isHeld(i)))).toEqual([
      ...Array<string>(bad).fill("new 1"), // the first of all in place of the held one
      "22021",
      ...Array<string>(126 - bad).fill("new 1"),
    ]);
    await waitForLocks(2);
    expect(statements.now).toBe(2);
    // The first; the group, and seven times two halves, at most with the first; and those that wait.
    expect(statements.begun).toBe(1 + (1 + 2 * 7) + 2);
    expect(statements.most).toBe(2);
    await Promise.all(holds.map(({ letGo }) => letGo()));
    expect(await late).toEqual(["new 1", "new 1"]);
  });

  test("the same clientId at another server, in the statement that this one waits for", async () => {
    const id = await room(ben, kim);
    const twice = message(ada, id, "twice", { clientId: "c" });
    const { letGo } = await hold((tx) => insertMessage(tx, twice, "wait"));
    const sent = insertMessages(db.sql, [message(ben, id), twice, message(kim, id)], "wait").catch(
      ({ constraint_name }) => constraint_name,
    );
    const given = outcomes([message(ben, id), twice, message(kim, id), message(ben, id)]);
    await waitForLocks(2);
    await letGo();
    expect(await sent).toBe("messages_client_id"); // what the others have to be kept from
    expect((await given).sort()).toEqual(["again 1", "new 2", "new 3", "new 4"]);
    expect(await bodies(id)).toHaveLength(4);
  });

  test("a sender who is removed meanwhile sends nothing", async () => {
    const id = await room(ben, kim);
    const { letGo } = await hold(async (tx) => {
      await tx`update memberships set left_at = now() where room_id = ${id} and user_id = ${ben.user.id}`;
      await tx`select from rooms where id = ${id} for update`;
    });
    const given = outcomes([ben, ada, ben, kim].map((who) => message(who, id)));
    await waitForLocks(1);
    await letGo();
    expect(await given).toEqual(["room-not-found", "new 1", "room-not-found", "new 2"]);
  });

  test("a room that is removed meanwhile takes nothing, and others do", async () => {
    const [id, other] = [await room(ben), await room()];
    const { letGo } = await hold((tx) => tx`update rooms set deleted_at = now() where id = ${id}`);
    const given = outcomes([ada, ben, ada].flatMap((who) => [message(who, id), message(ada, other)]));
    await waitForLocks(1);
    await letGo();
    expect(await given).toEqual(range(1, 3).flatMap((seq) => ["room-not-found", `new ${seq}`]));
  });

  test("each has its own answer over HTTP", async () => {
    const id = await room(ben, kim);
    await ada.send(id, "first", { clientId: "used" });
    const { letGo } = await hold(lockRoom(id));
    const post = (who: Client, body: object) => who.call("POST", `/rooms/${id}/messages`, body);
    const sends: [who: Client, body: object, expected: string][] = [
      [ada, { body: "good" }, "201"],
      [ben, { body: "re", replyTo: 1 }, "201"],
      [ada, { body: "first", clientId: "used" }, "200"],
      [ada, { body: "another", clientId: "used" }, "409 client-id-reused"],
      [ben, { body: "first", clientId: "used" }, "201"],
      [eve, { body: "let me in" }, "404 room-not-found"],
      [ben, { body: "re", replyTo: 99 }, "422 invalid"],
      [kim, { body: "a\0b" }, "422 invalid"],
      [kim, { body: "\ud800" }, "422 invalid"],
      [kim, { body: "" }, "422 invalid"],
      [kim, { body: "good" }, "201"],
    ];
    const given = Promise.all(sends.map(([who, body]) => answer(post(who, body))));
    await waitForLocks(1);
    await letGo();
    expect(await given).toEqual(sends.map(([, , expected]) => expected));
    expect(await bodies(id)).toHaveLength(5);
  });
});

describe("many at once", () => {
  test("at two servers get each seq once, and leave exact counts for everybody", async () => {
    const elsewhere = [ada, ben, kim].map((who) => who.with(who.headers, servers[1].api));
    const crowd = [ada, ben, kim, ...elsewhere];
    const id = await room(ben, kim, eve);
    await ada.send(id, "zero");
    await ben.must("PUT", `/rooms/${id}/unread`, { seq: 1 });
    const sent = await Promise.all(
      range(1, 240).map((i) => {
        const who = crowd[i % crowd.length] as Client;
        return who.send(id, i % 7 ? `${i}` : `@${eve.user.handle} ${i}`, { clientId: `${i}` });
      }),
    );
    expect(sent.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(range(2, 241));
    const stored = (await bodies(id)).slice(1);
    for (const { seq, body } of sent) expect(body).toBe(stored[seq - 2] as string);
    for (const who of [ada, ben, kim, eve]) {
      const last = Math.max(
        ...sent.filter(({ sender }) => sender.id === who.user.id).map(({ seq }) => seq),
        0,
      );
      const { unreadCount, mentionCount, lastReadSeq } = await who.room(id);
      const explained = await who.must("GET", `/rooms/${id}/unread`);
      expect({ unreadCount, lastReadSeq }).toEqual({ unreadCount: explained.unreadCount, lastReadSeq: last });
      expect(mentionCount).toBe(who === eve ? stored.filter((body) => body.startsWith("@")).length : 0);
    }
  });

  test("the same clientIds at two servers are each there once", async () => {
    const id = await room();
    const [here, there] = [ada, ada.with(ada.headers, servers[1].api)];
    const replies = await Promise.all(
      range(1, 100).flatMap((i) =>
        [here, there].map((who) =>
          who.call("POST", `/rooms/${id}/messages`, { body: `${i % 50}`, clientId: `${i % 50}` }),
        ),
      ),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(50);
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(150);
    for (const { body } of replies) expect(body.body).toBe(body.clientId);
    expect((await bodies(id)).sort()).toEqual(range(0, 49).map(String).sort());
  });
});

describe("when the database breaks off", () => {
  const terminate = () => sql`
    select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`;

  test("in the middle of a group, all of it and all behind it fail, none is there, and each can be sent again, once", async () => {
    const [id, other] = [await room(ben), await room()];
    const { letGo } = await hold(lockRoom(id));
    const sends = range(1, 300).map((i) => message(i % 2 ? ada : ben, id, `${i}`, { clientId: `${i}` }));
    const given = sends.map((one) =>
      outgoing.send(one).then(
        () => "sent",
        (error) => (isUnavailable(error) ? "unavailable" : String(error)),
      ),
    );
    await waitForLocks(1);
    await terminate();
    expect(new Set(await Promise.all(given))).toEqual(new Set(["unavailable"]));
    expect(await outcomes([message(ada, other)])).toEqual(["new 1"]); // and others go on
    await letGo();
    expect(await bodies(id)).toEqual([]);
    expect(await outcomes([...sends, ...sends])).toEqual([
      ...range(1, 300).map((seq) => `new ${seq}`),
      ...range(1, 300).map((seq) => `again ${seq}`),
    ]);
  });

  test("even under a statement that waits for one room, everybody fails whose turn has not come", async () => {
    const [id, under, next] = [await room(), await room(), await room()];
    const held = await hold(lockRoom(id));
    const first = outcome(outgoing.send(message(ada, id)));
    await waitForLocks(1);
    // Nothing is to wait for in its room but the same seq.
    const twin = await hold(
      (tx) =>
        tx`insert into messages (room_id, seq, sender_id, body) values (${under}, 1, ${ada.user.id}, 'x')`,
    );
    const [underWay, waits] = [under, next].map((id) => outcome(outgoing.send(message(ada, id))));
    await waitForLocks(2);
    for (const pid of await waitingFor(held)) await sql`select pg_terminate_backend(${pid}::int)`;
    for (const given of [first, waits]) expect(isUnavailable({ code: await given })).toBe(true);
    await twin.tx`delete from messages where room_id = ${under}`;
    await twin.letGo();
    expect(await underWay).toBe("new 1");
    await held.letGo();
  });

  test("clients are told 503 and when to come again, and sending again sends once", async () => {
    const id = await room(ben);
    const { letGo } = await hold(lockRoom(id));
    const send = (i: number) =>
      (i % 2 ? ada : ben).call("POST", `/rooms/${id}/messages`, { body: `${i}`, clientId: `${i}` });
    const first = send(1);
    await waitForLocks(1);
    await terminate();
    expect(await first).toMatchObject({ status: 503, body: { code: "unavailable" } });
    await letGo();
    const replies = await Promise.all(range(1, 20).flatMap((i) => [send(i), send(i)]));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(await bodies(id)).toHaveLength(20);
  });

  describe("a statement that the database gives up for its deadline", () => {
    let hasty: Database;
    beforeEach(() => {
      hasty = connect(servers[0].database.target, { pool: 10, statementTimeout: 1 });
      statements = watched(hasty.sql);
      outgoing = new Outgoing(statements.sql, () => {});
    });
    afterEach(() => hasty.close());

    test("as it waits for a room fails that room alone", async () => {
      const [id, other] = [await room(), await room()];
      const { letGo } = await hold(lockRoom(id));
      const given = outcomes([message(ada, id), message(ada, id), message(ada, other), message(ada, other)]);
      expect(await given).toEqual(["57014", "57014", "new 1", "new 2"]);
      await letGo();
      expect(await outcomes([message(ada, id)])).toEqual(["new 1"]);
    });

    test("as it waits for a membership fails that sender in that room alone", async () => {
      outgoing = new Outgoing(db.sql, () => {});
      const [id, other] = [await room(ben, kim), await room(ben)];
      const membership = await hold(lockMembership(id, ben));
      const bens = [message(ben, id), message(ben, id)].map((one) => outcome(outgoing.send(one)));
      expect(await outcomes([message(ada, id)])).toEqual(["new 1"]);
      expect(await outcomes([message(ada, id), message(ben, other)])).toEqual(["new 2", "new 1"]);
      await waitForLocks(1); // one of Ben's, and the other is behind it
      const { letGo } = await hold(lockRoom(id));
      const kims = outcomes([message(kim, id), message(kim, id)]);
      await waitForLocks(2);
      for (const pid of await waitingFor(membership)) await sql`select pg_cancel_backend(${pid}::int)`; // as at its deadline
      expect(await Promise.all(bens)).toEqual(["57014", "57014"]);
      await letGo();
      expect(await kims).toEqual(["new 3", "new 4"]);
      await membership.letGo();
      expect(await outcomes([message(ben, id)])).toEqual(["new 5"]);
    });

    test("though it waits for no room fails everybody, and no other is begun", async () => {
      const ids = await manyRooms(400);
      const { letGo } = await hold((tx) => tx`lock table messages in share row exclusive mode`);
      const given = await outcomes(ids.map((id) => message(ada, id)));
      expect(new Set(given)).toEqual(new Set(["57014"]));
      expect(statements.begun).toBe(2); // the first alone, and the one that was full
      await letGo();
      expect(await outcomes(ids.map((id) => message(ada, id)))).toEqual(ids.map(() => "new 1"));
    });
  });
});
