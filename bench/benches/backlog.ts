import type { Bench, Context, Row } from "../bench.ts";
import { ratio } from "../contest.ts";
import type { BenchDatabase, Person } from "../databases.ts";
import type { Program } from "../programs.ts";
import { askInTurn } from "../turns.ts";

const MESSAGES = { full: 10_000_000, quick: 1_000_000 };
/** Of text alone, in a database of their own; over so many rooms. */
const TEXTS = { full: 1_000_000, quick: 100_000 };
const TEXT_ROOMS = 500;
const PACE = { full: { rounds: 7, seconds: 3 }, quick: { rounds: 3, seconds: 1 } };
/** What is to be unread, where there is as much. */
const BACKLOG = 1_000_000;
const ROOMS = [20, 500];
const TARGET = { most: 1.05 };
const WHY =
  "Each room with something unread takes look-ups more than one that is read: how many of the messages that wait are deleted or the system's, and whether any of them mentions the reader. They are as many as there are rooms; of each, up to 8,192 messages are looked through for those that do not count, and the stretches of 8,192 behind them are added up.";
const WHY_TEXT =
  "Text costs nothing but a subtraction; the numbers in the answer are longer, and the rest is the machine.";

/** How a person is behind: in the results' words, and the marker in SQL, of the rooms' `last_seq` and the `share`. */
const BEHIND = {
  nothing: "last_seq",
  little: "greatest(last_seq - 100, 0)",
  all: "last_seq - (last_seq * share)::bigint",
};
type Behind = keyof typeof BEHIND;

interface Reader extends Person {
  behind: Behind;
  unread: number;
}

const words = (messages: number) =>
  messages >= 999_500 ? `${(messages / 1e6).toFixed(1)} M` : `${Math.round(messages / 1e3)} k`;

/** The room list of who has read everything, beside that of who has a million messages to read in the same rooms. */
export const backlog: Bench = {
  name: "backlog",
  needs: [],
  async measure(context: Context) {
    const { rounds } = context.quick ? PACE.quick : PACE.full;
    const filled = await context.databases.filled(context.quick ? MESSAGES.quick : MESSAGES.full);
    const texts = await context.databases.empty("backlog");
    const onFilled = await context.programs.foyer(filled.url);
    const onTexts = await context.programs.foyer(texts.url); // brings its schema
    await fillWithTexts(texts, context.quick ? TEXTS.quick : TEXTS.full);
    const turn = context.progress("backlog", (ROOMS.length + 1) * rounds);
    const rows: Row[] = [];
    for (const rooms of ROOMS) {
      const mixed = { database: filled, program: onFilled, rooms, what: "messages", why: WHY };
      rows.push(...(await rowsOf(context, mixed, turn)));
    }
    const text = { what: "messages, all of them text", why: WHY_TEXT };
    const alone = { database: texts, program: onTexts, rooms: TEXT_ROOMS, ...text };
    rows.push(...(await rowsOf(context, alone, turn)));
    await Promise.all([onFilled.stop(), onTexts.stop()]);
    return [
      {
        title: "The room list while messages wait to be read",
        about:
          "One connection, one list after the other, of people in the same rooms by turns: one has read everything, one has 100 messages to read in each room, or what there is. Among what waits are deleted and system messages, as everywhere in the data; and once, in a database of its own, text alone.",
        rows,
      },
    ];
  },
};

interface Case {
  database: BenchDatabase;
  program: Program;
  rooms: number;
  what: string;
  why: string;
}

async function rowsOf(
  context: Context,
  { database, program, rooms, what, why }: Case,
  turn: () => void,
): Promise<Row[]> {
  const readers = await makeReaders(context, database, rooms);
  const asked = readers.map(({ behind, token }) => ({ name: behind, url: program.url, token }));
  const samples = await askInTurn(asked, context.quick ? PACE.quick : PACE.full, turn);
  const unread = readers.find(({ behind }) => behind === "all")?.unread ?? 0;
  const against = (behind: Behind) => ({
    what: `${rooms} rooms: median latency with ${words(unread)} unread ${what}`,
    ratio: ratio(samples, "all", behind, "p50"),
    better: "less" as const,
  });
  return [
    { ...against("nothing"), against: "Foyer, everything read", target: TARGET, why },
    { ...against("little"), against: "Foyer, 100 unread in each room" },
  ];
}

/**
 * People in the busiest rooms, who differ in what they have read. They stay in the database, and are found there the
 * next time.
 */
async function makeReaders({ databases }: Context, { db }: BenchDatabase, rooms: number): Promise<Reader[]> {
  const readers: Reader[] = [];
  for (const behind of Object.keys(BEHIND) as Behind[]) {
    const [reader] = await db.sql.unsafe<{ id: number; unread: number }[]>(
      `
      with reader as (
        insert into users (handle, name) values ($1, 'Reader') on conflict (handle) do update set name = excluded.name
        returning id
      ), busiest as (
        select id, last_seq from rooms where kind <> 'direct' and deleted_at is null
         order by last_seq desc, id limit $2::bigint
      ), share as (
        select least(1, $3::float8 / sum(last_seq)::float8) as share from busiest
      ), joined as (
        insert into memberships (user_id, room_id, last_read_seq)
        select reader.id, busiest.id, ${BEHIND[behind]} from reader, busiest, share order by busiest.id
            on conflict (user_id, room_id) do update set last_read_seq = excluded.last_read_seq
        returning user_id, room_id, last_read_seq
      )
      select user_id as id, sum(last_seq - last_read_seq)::bigint as unread
        from joined join busiest on busiest.id = room_id group by user_id`,
      [`bench.${behind}.${rooms}`, rooms, BACKLOG],
    );
    if (!reader) throw new Error("there are no rooms");
    const [token = ""] = await databases.tokens(db, [reader.id]);
    readers.push({ ...reader, rooms, token, behind });
  }
  return readers;
}

/** Rooms with nothing but text in them. */
async function fillWithTexts({ db }: BenchDatabase, messages: number): Promise<void> {
  const each = messages / TEXT_ROOMS;
  await db.sql
    .unsafe(
      `
      drop index messages_search; -- nobody searches here
      insert into users (handle, name) values ('writer', 'Writer');
      insert into rooms (kind, name, member_count, last_seq)
      select 'open', 'Room ' || n, 2, ${each} from generate_series(1, ${TEXT_ROOMS}) n;
      insert into messages (room_id, seq, sender_id, body)
      select r.id, n, u.id, 'Lunch at twelve, as always?' from users u, rooms r, generate_series(1, ${each}) n;
      update rooms r
         set last_message_seq = m.seq, last_message_sender_id = m.sender_id, last_message_at = m.created_at,
             last_message_preview = m.body
        from messages m where m.room_id = r.id and m.seq = r.last_seq`,
    )
    .simple();
  await db.sql.unsafe("vacuum analyze");
}
