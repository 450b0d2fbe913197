import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { connect, connectionOptions, open, type Sql } from "../src/db/client.ts";
import { isBroken, isUnavailable } from "../src/db/errors.ts";
import type { Client, Reply } from "./support/client.ts";
import { freshDatabase, type TestDatabase } from "./support/database.ts";
import { inOrder } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { type Proxy as DatabaseProxy, startProxy } from "./support/proxy.ts";
import { type TestServer, testServer, twoServers } from "./support/server.ts";

describe("the database's connections are ended", () => {
  let servers: [TestServer, TestServer];
  beforeAll(async () => {
    servers = await twoServers();
  });
  afterAll(async () => {
    await servers[1].close();
    await servers[0].close();
  });

  /** Ends what the servers hold, as an administrator or a restart would. */
  const terminate = (which: "listeners" | "all") =>
    servers[0].database.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()
         and application_name = 'foyer' and (${which === "all"} or query ilike 'listen%')`;

  test("a listener that is cut while people send loses nothing", async () => {
    const [ada, ben] = [await servers[0].person("ada"), await servers[1].person("ben")];
    const room = await ada.openRoom("busy", [ben]);
    const stream = await ben.stream();
    await stream.event("rooms");
    for (let i = 0; i < 5; i++) {
      const sends = Array.from({ length: 20 }, () => ada.send(room.id));
      await eventually(async () => (await terminate("listeners")).length > 0); // once it is back from the last time
      await Promise.all(sends);
    }
    await stream.until(() => stream.rooms.get(room.id)?.lastSeq === 100);
    expect(inOrder(stream.rooms)).toEqual((await ben.list()).rooms);
    expect(stream.ended).toBe(false);
    stream.close();
  });

  test("when all connections are ended, streams live on, and every acknowledged send is on them", async () => {
    const [ada, ben] = [await servers[0].person("ada"), await servers[1].person("ben")];
    const room = await ada.openRoom("busy", [ben]);
    const stream = await ben.stream();
    await stream.event("rooms");
    const acknowledged: number[] = [];
    for (let i = 0; i < 5; i++) {
      const sends = Array.from({ length: 20 }, async (_, n) => {
        // A send whose outcome is not known is sent again with the same clientId, as clients do.
        for (;;) {
          const body = { body: "hello", clientId: `${i}.${n}` };
          const reply = await ada.call("POST", `/rooms/${room.id}/messages`, body);
          if (reply.status < 300) return acknowledged.push(reply.body.seq);
          expect(reply).toMatchObject({ status: 503, body: { code: "unavailable" } });
          expect(Number(reply.headers.get("retry-after"))).toBeGreaterThan(0);
        }
      });
      await terminate("all").catch(() => {}); // it may end itself with the others
      await Promise.all(sends);
    }
    expect(acknowledged.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    await stream.until(() => stream.rooms.get(room.id)?.lastSeq === 100);
    expect(inOrder(stream.rooms)).toEqual((await ben.list()).rooms);
    stream.close();
  });
});

describe("the database is away", () => {
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  let server: TestServer;
  let ada: Client;
  beforeEach(async () => {
    database = await freshDatabase();
    proxy = await startProxy(database.target);
    server = await testServer({ STATEMENT_TIMEOUT: "1" }, { ...database, target: proxy.target });
    ada = await server.person("ada");
  });
  afterEach(async () => {
    proxy.resume();
    await server.close();
    await proxy.close();
    await database.drop();
  });

  test("a network that swallows everything gives 503 within the deadline, and all is well once it is back", async () => {
    const room = await ada.openRoom("before");
    const stream = await ada.stream();
    await stream.event("rooms");
    proxy.pause();
    const replies = await Promise.all([
      ada.call("GET", "/rooms"),
      ada.call("POST", `/rooms/${room.id}/messages`, { body: "held" }),
      ada.call("PUT", `/rooms/${room.id}/members/999`, {}),
      ada.with({ cookie: "foyer_session=nobody" }).call("GET", "/rooms"),
    ]);
    for (const reply of replies) {
      expect(reply).toMatchObject({ status: 503, body: { code: "unavailable" } });
      expect(reply.headers.has("retry-after")).toBe(true);
    }
    proxy.resume();
    const after = await eventuallySent(() =>
      ada.call("POST", `/rooms/${room.id}/messages`, { body: "after" }),
    );
    await stream.until(() => (stream.rooms.get(room.id)?.lastSeq ?? 0) >= after);
    expect(inOrder(stream.rooms)).toEqual((await ada.list()).rooms);
    expect(stream.ended).toBe(false);
    stream.close();
  });

  test("a new stream is refused with 503 and Retry-After while the database is away", async () => {
    const stream = await ada.stream();
    await stream.event("rooms");
    proxy.pause();
    server.hub.sweep();
    await eventually(() => !server.hub.ready);
    const reply = await fetch(`${server.api}/stream/rooms`, { headers: ada.headers });
    expect(reply.status).toBe(503);
    expect(reply.headers.has("retry-after")).toBe(true);
    const ready = await fetch(`${server.url}/health/ready`);
    expect(ready.status).toBe(503);
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
    proxy.resume();
    await eventually(() => server.hub.ready);
    await eventually(async () => (await fetch(`${server.url}/health/ready`)).status === 200);
    const again = await ada.stream();
    await again.event("rooms");
    again.close();
    stream.close();
  });

  test("a statement that takes longer than its deadline is 503, and holds up nothing else", async () => {
    const room = await ada.openRoom("locked");
    const other = await ada.openRoom("free");
    await database.sql.begin(async (tx) => {
      await tx`select from rooms where id = ${room.id} for update`;
      const [held, free] = await Promise.all([
        ada.call("POST", `/rooms/${room.id}/messages`, { body: "waits" }),
        ada.call("POST", `/rooms/${other.id}/messages`, { body: "does not" }),
      ]);
      expect([held.status, free.status]).toEqual([503, 201]);
    });
    expect((await ada.send(room.id)).seq).toBe(1);
  });
});

/** Sends again until it is taken. @returns the message's seq */
async function eventuallySent(send: () => Promise<Reply<any>>): Promise<number> {
  let seq = 0;
  await eventually(async () => {
    const reply = await send();
    seq = reply.body.seq;
    return reply.status === 201;
  });
  return seq;
}

// Of postgres.js as it is patched (patches/): the process would end (its issue 1208), or the second statement never.
test("a transaction whose connection ends between two of its statements fails, and the process lives", async () => {
  const database = await freshDatabase();
  const client = open(database.target, { ...connectionOptions(0), max: 1 });
  const closed = Promise.withResolvers<void>();
  const outcomes = Promise.withResolvers<unknown[]>();
  const failed = client
    .begin(async (tx) => {
      const [row] = await tx`select pg_backend_pid() as pid`;
      await database.sql`select pg_terminate_backend(${row?.pid}::int)`;
      await closed.promise;
      const failure = (error: unknown) => error;
      outcomes.resolve([await tx`select 1`.catch(failure), await tx`select 2`.catch(failure)]);
    })
    .catch((error) => error);
  expect(isBroken(await failed)).toBe(true);
  closed.resolve();
  expect((await outcomes.promise).map(isBroken)).toEqual([true, true]);
  expect([...(await client`select 3 as three`)]).toEqual([{ three: 3 }]);
  await client.end();
  await database.drop();
});

describe("the database has more to do than it does in time", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());

  test("statements that wait for each other's connections are not taken for a silence, and break nobody else's", async () => {
    const renewals: unknown[] = [];
    const db = connect(database.target, {
      pool: 2,
      statementTimeout: 1,
      onRenewal: (error) => renewals.push(error),
    });
    const sleep = (tx: Sql) => tx`select pg_sleep(0.6)`;
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 12 }, () => sleep(db.sql)),
      ...Array.from({ length: 4 }, () =>
        db.transaction(async (tx) => [await sleep(tx), await sleep(tx), await sleep(tx)]),
      ),
    ]);
    const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(outcomes.length - failures.length).toBeGreaterThan(0);
    for (const failure of failures)
      expect([isUnavailable(failure), isBroken(failure)]).toEqual([true, false]);
    expect(renewals).toEqual([]);
    await eventually(async () => (await db.sql`select 1 as one`.catch(() => []))[0]?.one === 1);
    await db.close();
  });
});
