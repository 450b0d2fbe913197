import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench, Context, Row, Target } from "../bench.ts";
import { type Contestant, interleave, ratio } from "../contest.ts";
import type { BenchDatabase } from "../databases.ts";
import { pgbench } from "../pgbench.ts";
import { wrk } from "../wrk.ts";

const SENDERS = [1, 32, 256];
const PEOPLE = 256;
const PACE = { full: { rounds: 5, seconds: 3 }, quick: { rounds: 3, seconds: 1 } };
/** Connections of pgbench at most: the server that all share takes 100. */
const MOST_CLIENTS = 80;
const SCRIPT = join(import.meta.dir, "../load/send.lua");

const BODY = "Lunch at twelve, as always? The usual place has a new cook.";
const COUNTER = "insert with the room's counter";
const PLAIN = "plain bigserial insert";

const WHY =
  "A bare insert has no rights, clientId, read marker, room row, mentions, index of words, hint or HTTP; from some hundred senders on, sending in groups makes up for it.";
const PICTURE = { hot: "one busy room: bare INSERTs with a counter", spread: "many rooms: bare INSERTs" };

/** Tables as one would make them: a number a room by a counter in its row, or a number for all by a sequence. */
const PEERS = `
  create schema peers;
  create table peers.rooms (id bigint primary key, last_seq bigint not null default 0) with (fillfactor = 50);
  insert into peers.rooms select generate_series(1, ${PEOPLE});
  create table peers.messages (
    room_id bigint not null, seq bigint not null, sender_id bigint not null, body text not null,
    created_at timestamptz not null default now(), primary key (room_id, seq));
  create table peers.plain (
    id bigserial primary key, room_id bigint not null, sender_id bigint not null, body text not null,
    created_at timestamptz not null default now());
`;
const counterScript = (rooms: number) => `
\\set room random(1, ${rooms})
\\set sender random(1, ${PEOPLE})
with room as (update rooms set last_seq = last_seq + 1 where id = :room returning id, last_seq)
insert into messages (room_id, seq, sender_id, body) select id, last_seq, :sender, '${BODY}' from room;
`;
const plainScript = (rooms: number) => `
\\set room random(1, ${rooms})
\\set sender random(1, ${PEOPLE})
insert into plain (room_id, sender_id, body) values (:room, :sender, '${BODY}');
`;

/** Sends acknowledged on disk, over HTTP: all into one room, and each sender into a room of their own. */
export const sends: Bench = {
  name: "sends",
  needs: ["wrk", "pgbench"],
  async measure(context: Context) {
    const { rounds, seconds } = context.quick ? PACE.quick : PACE.full;
    const database = await context.databases.empty("sends");
    const program = await context.programs.foyer(database.url); // brings its schema
    await database.db.sql.unsafe(PEERS).simple();
    const senders = await prepare(context, database);
    const folder = await mkdtemp(join(tmpdir(), "foyer-senders-"));
    const turn = context.progress("sends", SENDERS.length * 2 * 3 * rounds);
    const rows: Row[] = [];
    for (const where of ["hot", "spread"] as const) {
      const file = join(folder, where);
      await Bun.write(file, senders[where].map(({ path, token }) => `${path} ${token}\n`).join(""));
      const rooms = where === "hot" ? 1 : PEOPLE;
      for (const connections of SENDERS) {
        const clients = Math.min(connections, MOST_CLIENTS);
        const insert = (script: string) => () =>
          pgbench(database, script, { clients, seconds, searchPath: "peers" });
        const contestants: Contestant[] = [
          {
            name: "Foyer",
            run: () => wrk(program.url, { connections, seconds, script: SCRIPT, args: [file] }),
          },
          { name: COUNTER, run: insert(counterScript(rooms)) },
          { name: PLAIN, run: insert(plainScript(rooms)) },
        ];
        const samples = await interleave(contestants, rounds, turn);
        const what = `${where === "hot" ? "one room" : `${PEOPLE} rooms`}, ${connections} ${connections === 1 ? "sender" : "senders"}: sends/s`;
        for (const against of [COUNTER, PLAIN]) {
          const target = targetOf(where, connections, against);
          rows.push({
            what,
            against,
            ratio: ratio(samples, "Foyer", against, "perSecond"),
            better: "more",
            ...(target && { target, why: WHY }),
            ...(connections === 256 && target && { picture: PICTURE[where] }),
          });
        }
      }
    }
    await program.stop();
    return [
      {
        title: "Sends acknowledged on disk",
        picture: "Sends, saved to disk: a second, from 256 senders",
        about: `Foyer over HTTP, with everything that a send brings: rights, idempotency, mentions, read markers, the index of words, the live hub. Against bare statements of \`pgbench -M prepared\` in the same Postgres, over as many connections, ${MOST_CLIENTS} at most. One sender has one request under way at a time: its sends wait for the disk one by one.`,
        rows,
      },
    ];
  },
};

function targetOf(where: "hot" | "spread", connections: number, against: string): Target | undefined {
  if (connections === 1) return undefined;
  if (where === "hot") return against === COUNTER ? { least: 5 } : undefined;
  return against === PLAIN ? { least: 1 } : undefined;
}

/** People with tokens, all in the first room, and each in one of their own. */
async function prepare({ databases }: Context, { db }: BenchDatabase) {
  const userIds = (
    await db.sql<{ id: number }[]>`
      insert into users (handle, name) select 'sender' || n, 'Sender ' || n from generate_series(1, ${PEOPLE}) n
      returning id`
  ).map(({ id }) => id);
  const roomIds = (
    await db.sql<{ id: number }[]>`
      insert into rooms (kind, name, member_count)
      select 'open', 'Room ' || n, case when n = 0 then ${PEOPLE}::int else 1 end from generate_series(0, ${PEOPLE}) n
      returning id`
  ).map(({ id }) => id);
  await db.sql`
    insert into memberships (user_id, room_id, role)
    select u.id, r.id, 'member'
      from (select id, row_number() over (order by id) as n from users) u
      join (select id, row_number() over (order by id) - 1 as n from rooms) r on r.n in (0, u.n)`;
  const tokens = await databases.tokens(db, userIds);
  const path = (roomId: number | undefined) => `/chat/api/rooms/${roomId}/messages`;
  return {
    hot: tokens.map((token) => ({ path: path(roomIds[0]), token })),
    spread: tokens.map((token, i) => ({ path: path(roomIds[i + 1]), token })),
  };
}
