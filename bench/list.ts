/**
 * How long the room list takes, over HTTP and in the database alone, for a member of few rooms and one of many.
 *
 *   DATABASE_URL=postgres://… bun src/demo/main.ts --users 10000 --rooms 1000 --messages 10000000
 *   DATABASE_URL=postgres://… bun bench/list.ts
 *
 * Comparison with others and with the ceiling is a piece of work of its own; this one tells the order of magnitude.
 */
import { hashSecret, newToken } from "../src/auth/secrets.ts";
import { readConfig } from "../src/config.ts";
import { connect } from "../src/db/client.ts";
import { createLog } from "../src/log.ts";
import { readCursors } from "../src/rooms/cursor.ts";
import { listRooms } from "../src/rooms/list.ts";
import { startServer } from "../src/server.ts";

const WARM_UP = 100;
const RUNS = 1_000;

const config = readConfig({ ...process.env, PORT: "0", LIMITS: "off", LOG_LEVEL: "warn" });
if (config.databaseUrl === null) {
  console.error("bench: set DATABASE_URL to a database that the demonstration has filled");
  process.exit(2);
}
const db = connect(config.databaseUrl, { pool: 2, statementTimeout: 60 });
const cursors = await readCursors(db.sql);
const server = await startServer(config, config.databaseUrl, createLog(config.logLevel));

/** Times one call after another. @returns milliseconds: the median, the 99th percentile */
async function time(call: () => Promise<unknown>): Promise<{ p50: number; p99: number }> {
  for (let i = 0; i < WARM_UP; i++) await call();
  const took: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const began = performance.now();
    await call();
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  return { p50: took[RUNS / 2] as number, p99: took[Math.floor(RUNS * 0.99)] as number };
}

const [{ messages } = { messages: 0 }] = await db.sql<{ messages: number }[]>`
  select coalesce(sum(last_seq), 0)::bigint as messages from rooms`;
console.log(
  `${messages.toLocaleString("en")} messages; milliseconds, one call after another, ${RUNS} of them`,
);
for (const wanted of [20, 500]) {
  const [person] = await db.sql<{ id: number; rooms: number }[]>`
    select user_id as id, count(*) as rooms from memberships where left_at is null
     group by user_id order by abs(count(*) - ${wanted}), user_id limit 1`;
  if (!person) throw new Error("there is nobody in any room");
  const token = newToken();
  await db.sql`insert into tokens (user_id, name, secret_hash) values (${person.id}, 'bench', ${hashSecret(token)})`;
  const headers = { authorization: `Bearer ${token}` };
  const query = await time(() =>
    listRooms(db.sql, cursors, [{ userId: person.id, roomId: null, since: "" }]),
  );
  const http = await time(async () => (await fetch(`${server.url}/chat/api/rooms`, { headers })).text());
  await db.sql`delete from tokens where secret_hash = ${hashSecret(token)}`;
  for (const [what, { p50, p99 }] of Object.entries({ query, http })) {
    console.log(
      `${String(person.rooms).padStart(4)} rooms  ${what.padEnd(5)}  p50 ${p50.toFixed(2)}  p99 ${p99.toFixed(2)}`,
    );
  }
}
await server.stop();
await db.close();
