/**
 * How long a search takes, in the database and with its snippets, for a member of few rooms and one of many: of a word
 * that is everywhere, one in a hundred messages, a rare one, and one that is nowhere; the first page, and one later on.
 *
 *   DATABASE_URL=postgres://… bun src/demo/main.ts --users 10000 --rooms 1000 --messages 10000000
 *   DATABASE_URL=postgres://… bun bench/search.ts
 */
import { connect } from "../src/db/client.ts";
import { searchMessages } from "../src/search/queries.ts";

const WORDS = ["the", "tomorrow", "notes 7632", "7632", "zebra"];
/** More than the five after which Postgres may keep a plan for all parameters. */
const RUNS = 15;

const url = process.env.DATABASE_URL;
if (!url) {
  console.error("bench: set DATABASE_URL to a database that the demonstration has filled");
  process.exit(2);
}
const db = connect(url, { pool: 1, statementTimeout: 60 });

/** @returns milliseconds: the median and the longest, and how many were found */
async function time(userId: number, q: string, room?: number, before?: string) {
  const took: number[] = [];
  let page = await searchMessages(db.sql, userId, { q, room, before, limit: 20 });
  for (let i = 0; i < RUNS; i++) {
    const began = performance.now();
    page = await searchMessages(db.sql, userId, { q, room, before, limit: 20 });
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  return { p50: took[RUNS >> 1] as number, most: took[RUNS - 1] as number, page };
}

for (const wanted of [20, 500]) {
  const [person] = await db.sql<{ id: number; rooms: number; busiest: number }[]>`
    select user_id as id, count(*) as rooms, (array_agg(room_id order by last_seq desc))[1] as busiest
      from memberships m join rooms r on r.id = m.room_id where left_at is null
     group by user_id order by abs(count(*) - ${wanted}), user_id limit 1`;
  if (!person) throw new Error("there is nobody in any room");
  for (const room of [undefined, person.busiest]) {
    for (const q of WORDS) {
      const first = await time(person.id, q, room);
      const next = first.page.before ? await time(person.id, q, room, first.page.before) : null;
      console.log(
        `${String(person.rooms).padStart(4)} rooms  ${(room ? `room ${room}` : "all").padEnd(9)} ${q.padEnd(10)}`,
        `${String(first.page.messages.length).padStart(3)} found  p50 ${first.p50.toFixed(1)}  most ${first.most.toFixed(1)}`,
        next ? ` next page  p50 ${next.p50.toFixed(1)}  most ${next.most.toFixed(1)}` : "",
      );
    }
  }
}
await db.close();
