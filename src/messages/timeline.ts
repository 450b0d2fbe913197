import { arrayLiteral, type Sql } from "../db/client.ts";
import type { Membership, Pair, Stretch, TimelineAsk, TimelineSource } from "../live/timelines/source.ts";
import type { Position } from "../live/timelines/subscription.ts";
import { type Message, messageColumns } from "./queries.ts";

/** How many new messages and changes a client may be behind and still get just them. */
const MOST_BEHIND = 500;
/** What it gets otherwise: so many of the newest. As many are told again where a sender has another name. */
const NEWEST = 50;
/** Bytes of text after which a stretch of new messages ends, and another follows: what a slow line takes within the idle timeout. */
const MOST_BYTES = 1024 * 1024;

type Row = Message & {
  ask: number | null;
  gone: boolean;
  reset: boolean;
  last_seq: number;
  change_count: number;
  removal_count: number;
  revocations: number;
} & MemberRow;

interface MemberRow {
  member_room_id: number;
  member_id: number;
  last_read_seq: number;
  member: unknown;
}

/** What the hub asks about timelines. */
export const timelineSource = (sql: Sql): TimelineSource => ({
  async timelines(asks, pairs) {
    const rows = await readTimelines(sql, asks, pairs);
    const stretches: Stretch[] = asks.map(() => ({ ...GONE, messages: [] }));
    const members: Membership[] = [];
    for (const row of rows) {
      if (row.ask === null) {
        members.push(membershipOf(row));
        continue;
      }
      const { ask, gone, reset, last_seq, change_count, removal_count, revocations: _, ...rest } = row;
      const { member_room_id, member_id, last_read_seq, member, ...message } = rest;
      const stretch = stretches[ask - 1] as Stretch;
      Object.assign(stretch, { gone, reset, lastSeq: last_seq, removals: removal_count });
      stretch.position = { seq: last_seq, changes: change_count };
      if (message.seq === null) continue; // nothing to bring
      stretch.messages.push({
        seq: message.seq,
        senderId: message.sender.id,
        isText: message.kind === "text",
        json: JSON.stringify(message),
      });
    }
    for (const [i, stretch] of stretches.entries()) endWhereCut(stretch, asks[i]?.position ?? null);
    return { stretches, members, revocations: rows[0]?.revocations ?? 0 };
  },

  async members(pairs) {
    return (await sql<MemberRow[]>`select * from (${membersOf(sql, pairs)}) m`).map(membershipOf);
  },
});

/** Without the newest message it was cut: it leads to the last one in it, and what has changed before that is told again. */
function endWhereCut(stretch: Stretch, from: Position | null): void {
  const { seq } = stretch.position;
  const last = stretch.messages.at(-1)?.seq ?? seq;
  if (stretch.gone || stretch.reset || from === null || seq === from.seq || last === seq) return;
  stretch.more = true;
  stretch.position = { seq: last, changes: from.changes };
}

/** A room that is not there at all. */
const GONE = {
  gone: true,
  reset: true,
  position: { seq: 0, changes: 0 },
  more: false,
  lastSeq: 0,
  removals: 0,
};

const membershipOf = (row: MemberRow): Membership => ({
  roomId: row.member_room_id,
  userId: row.member_id,
  lastReadSeq: row.last_read_seq,
  userJson: JSON.stringify(row.member),
});

// Arrays go in as "(select … )": the planner does not see how long they are. If it did, it would count on another plan for
// each length, and make one anew for every query, which takes several times as long as the query.

const membersOf = (sql: Sql, pairs: Pair[]) => sql`
  select m.room_id as member_room_id, m.user_id as member_id, m.last_read_seq,
         json_build_object('id', u.id, 'handle', u.handle, 'name', u.name) as member
    from unnest((select ${arrayLiteral(pairs.map(({ roomId }) => roomId))}::bigint[]),
                (select ${arrayLiteral(pairs.map(({ userId }) => userId))}::bigint[])) as p (room_id, user_id)
   cross join lateral (
           select * from memberships where user_id = p.user_id and room_id = p.room_id and left_at is null offset 0
         ) m
    join users u on u.id = m.user_id`;

/**
 * One statement, so that all of it is of one moment: ask by ask the messages, or a row without one, and then the members.
 * How far behind an ask is is arithmetic: what was sent and what was changed since; a sender's new name may be in
 * any of the newest. Sequence numbers and change counts are
 * given out under the room's lock, so that their order is the order of commits: what comes later is above.
 */
const readTimelines = (sql: Sql, asks: TimelineAsk[], pairs: Pair[]) => sql<Row[]>`
  with asked as (
    select *
      from unnest((select ${arrayLiteral(asks.map(({ roomId }) => roomId))}::bigint[]),
                  (select ${arrayLiteral(asks.map(({ position }) => position?.seq ?? null))}::bigint[]),
                  (select ${arrayLiteral(asks.map(({ position }) => position?.changes ?? null))}::bigint[]))
           with ordinality as a (room_id, seq, changes, ask)
  ), room as materialized (
    select a.ask, a.changes, r.id, r.last_seq, r.change_count, r.removal_count, r.deleted_at is not null as gone, far.reset,
           case when far.reset then r.last_seq - ${NEWEST}
                when a.changes < r.renamed_change then least(a.seq, r.last_seq - ${NEWEST})
                else a.seq
           end as held,
           not far.reset and a.changes >= r.renamed_change as is_cut
      from asked a
      join rooms r on r.id = a.room_id
     cross join lateral (
             select coalesce(a.seq > r.last_seq or a.changes > r.change_count
                             or r.last_seq - a.seq + r.change_count - a.changes > ${MOST_BEHIND}, true) as reset
           ) far
  ), found as (
    select room.ask, m.*
      from room
     cross join lateral (
             select (w.message).*
               from (select message, sum(octet_length(body)) over (
                              order by seq rows between unbounded preceding and 1 preceding) as before
                       from messages message
                      where room_id = room.id and seq > room.held) w
              where w.before is null or w.before < ${MOST_BYTES} or not room.is_cut
             union all
             select * from messages
              where room_id = room.id and changed > room.changes and seq <= room.held and not room.reset
           ) m
     where not room.gone
  ), told as (
    select room.ask, room.gone, room.reset, room.last_seq, room.change_count, room.removal_count, ${messageColumns(sql)}
      from room
      left join found m on m.ask = room.ask
      left join lateral (select * from users where id = m.sender_id offset 0) u on true
  )
  select *
    from told
    full join (${membersOf(sql, pairs)}) members on false
   cross join (select count as revocations from revocations) revoked
   order by ask, seq`;
