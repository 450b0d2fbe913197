import { afterAll, beforeAll, expect, test } from "bun:test";
import { migrate } from "../src/db/migrate.ts";
import { readCursors } from "../src/rooms/cursor.ts";
import LIST from "../src/rooms/list.sql" with { type: "text" };
import { listRooms } from "../src/rooms/list.ts";
import { purgeSome } from "../src/rooms/purge.ts";
import { explainUnread } from "../src/rooms/read.ts";
import { freshDatabase, type TestDatabase } from "./support/database.ts";

const MESSAGES = 40_000;
/** Around the edges of stretches, and elsewhere. */
const MARKERS = [
  0, 1, 8_190, 8_191, 8_192, 8_193, 12_000, 16_383, 16_384, 24_575, 24_576, 32_767, 32_768, 39_999, 40_000,
];

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  // Room 1: of ten messages one is the server's, two are deleted, by everybody in turn. Room 2: nothing but the server's.
  await database.sql
    .unsafe(`
      insert into users (handle, name) select 'user' || i, 'User ' || i from generate_series(1, ${MARKERS.length}) i;
      insert into rooms (kind, name, last_seq, last_uncounted_seq)
      values ('open', 'mixed', ${MESSAGES}, ${MESSAGES}), ('open', 'told', ${MESSAGES}, ${MESSAGES}), ('open', 'nothing told', ${MESSAGES}, 0);
      insert into messages (room_id, seq, sender_id, kind, body, deleted_at)
      select 1, i, 1 + i * 7 % ${MARKERS.length}, case when i % 10 = 3 then 'system' else 'text' end,
             case when i % 5 <> 0 then 'message' end, case when i % 5 = 0 then now() end
        from generate_series(1, ${MESSAGES}) i;
      insert into messages (room_id, seq, sender_id, kind, body)
      select 2, i, 1, 'system', 'told' from generate_series(1, ${MESSAGES}) i;
    `)
    .simple();
  for (const [i, marker] of MARKERS.entries()) {
    for (const roomId of [1, 2, 3]) {
      await database.sql`
        insert into memberships (user_id, room_id, last_read_seq, own_after_read)
        select ${i + 1}::bigint, ${roomId}::bigint, ${marker}::bigint, (select count(*) from messages
           where room_id = ${roomId} and seq > ${marker} and sender_id = ${i + 1} and kind = 'text')`;
    }
  }
});
afterAll(() => database.drop());

/** What the list and what a count of every message say, of each person in a room. */
async function counts(roomId: number) {
  const cursors = await readCursors(database.sql);
  const asks = MARKERS.map((_, i) => ({ userId: i + 1, roomId, since: "" }));
  const { asked } = await listRooms(database.sql, cursors, asks);
  const listed = asked.map(({ entries }) => JSON.parse(entries[0]?.json ?? "{}").unreadCount);
  const counted = [];
  for (const { userId } of asks)
    counted.push((await explainUnread(database.sql, userId, roomId)).unreadCount);
  return { listed, counted };
}

test("an unread count is exact wherever the marker is, with own messages behind it and without", async () => {
  for (const own of [true, false]) {
    if (!own) {
      // Nobody's messages: those of people who are not asked.
      await database.sql`update messages set sender_id = 1000 where room_id = 1`;
      await database.sql`update memberships set own_after_read = 0`;
    }
    const { listed, counted } = await counts(1);
    expect(listed).toEqual(counted);
    expect(counted[0]).toBeGreaterThan(25_000);
  }
});

test("a message that is deleted is counted once, whatever is written to it afterwards", async () => {
  await database.sql`update messages set body = null, deleted_at = now() where room_id = 1 and seq between 16380 and 16390 and kind = 'text'`;
  await database.sql`update messages set deleted_at = now() where room_id = 1 and seq between 16380 and 16390 and kind = 'text'`;
  await database.sql`update messages set changed = 7 where room_id = 1 and seq between 16380 and 16390`;
  const { listed, counted } = await counts(1);
  expect(listed).toEqual(counted);
});

test("messages that do not count cost by the stretch: thousands of them, what a few do", async () => {
  const buffersOf = async (roomId: number) => {
    const [row] = await database.sql.unsafe(
      `explain (analyze, buffers, format json) ${LIST}`,
      ["{1}", `{${roomId}}`, "{null}", false, null, null],
      { prepare: true },
    );
    const plan = row?.["QUERY PLAN"][0].Plan;
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
  };
  for (const table of ["messages", "uncounted"]) await database.sql.unsafe(`vacuum analyze ${table}`);
  const nothing = await buffersOf(3);
  // One look at the marker's stretch, one at the stretches behind it; 40,000 entries of the index would be some 200 pages.
  expect((await buffersOf(2)) - nothing).toBeLessThanOrEqual(70);
});

test("the migration counts what was there before it", async () => {
  const all = () => database.sql`select * from uncounted order by room_id, stretch`;
  const before = await all();
  await database.sql
    .unsafe(
      "drop table uncounted; drop function count_uncounted() cascade; delete from migrations where name = '0009_uncounted.sql'",
    )
    .simple();
  expect((await migrate(database.target)).ran).toEqual(["0009_uncounted.sql"]);
  expect([...(await all())]).toEqual([...before]);
  expect(before.length).toBe(10);
});

test("a removed room leaves none of it behind", async () => {
  await database.sql`update rooms set deleted_at = now() where id = 2`;
  while (await purgeSome(database.sql));
  expect(await database.sql`select distinct room_id from uncounted`).toMatchObject([{ room_id: 1 }]);
});
