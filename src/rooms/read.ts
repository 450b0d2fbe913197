import type { Sql } from "../db/client.ts";
import { notFound } from "../problem.ts";

/**
 * Moves the marker of a membership `m` forward to a seq, under the membership's own row lock. Own messages behind it are
 * adjusted by those between the old place and the new one: all of them are at or below the room's last_seq that the
 * statement saw, so all of them are visible to it, whatever others do meanwhile.
 * @param to SQL for the seq, at most that last_seq
 */
const forward = (sql: Sql, to: ReturnType<Sql>) => sql`
  last_read_seq = greatest(m.last_read_seq, ${to}),
  own_after_read = case when m.own_after_read = 0 then 0 else m.own_after_read - (
    select count(*) from messages x
     where x.room_id = m.room_id and x.seq > m.last_read_seq and x.seq <= ${to}
       and x.sender_id = m.user_id and x.kind = 'text') end,
  marked_unread = false, version = pg_current_xact_id()`;

/** @throws Problem 404 `room-not-found` */
const mustHaveFound = (rows: ArrayLike<unknown>): void => {
  if (rows.length === 0) throw notFound("room");
};

/**
 * Reads a room up to a message: only ever forward; past the end means the end.
 * @throws Problem 404 `room-not-found`
 */
export async function markRead(sql: Sql, userId: number, roomId: number, seq: number): Promise<void> {
  mustHaveFound(
    await sql`
    update memberships m
       set ${forward(sql, sql`least(${seq}::bigint, r.last_seq)`)}
      from rooms r
     where r.id = m.room_id and r.deleted_at is null
       and m.user_id = ${userId} and m.room_id = ${roomId} and m.left_at is null
    returning 1`,
  );
}

/**
 * Reads every room of a person, in one statement. In the order of their ids: two of them wait for each other, they do
 * not deadlock.
 * @returns the ids of the rooms that changed
 */
export async function markAllRead(sql: Sql, userId: number): Promise<number[]> {
  const rows = await sql<{ room_id: number }[]>`
    with unread as (
      select m.room_id, r.last_seq
        from memberships m join rooms r on r.id = m.room_id
       where r.deleted_at is null and m.user_id = ${userId} and m.left_at is null
         and (m.marked_unread or m.last_read_seq < r.last_seq)
       order by m.room_id for no key update of m
    )
    update memberships m
       set ${forward(sql, sql`unread.last_seq`)}
      from unread
     where m.user_id = ${userId} and m.room_id = unread.room_id
    returning m.room_id`;
  return rows.map((row) => row.room_id);
}

/**
 * Marks a room unread from a message on. In two statements: the count of own messages must see all that the locked
 * marker has seen.
 * @throws Problem 404 `room-not-found`
 */
export async function markUnread(tx: Sql, userId: number, roomId: number, seq: number): Promise<void> {
  mustHaveFound(
    await tx`
    select from memberships m
     where m.user_id = ${userId} and m.room_id = ${roomId} and m.left_at is null
       and exists (select from rooms r where r.id = m.room_id and r.deleted_at is null)
       for update`,
  );
  await tx`
    update memberships m
       set last_read_seq = least(${seq}::bigint - 1, r.last_seq), marked_unread = true,
           own_after_read = (
             select count(*) from messages x
              where x.room_id = m.room_id and x.seq >= ${seq} and x.sender_id = m.user_id and x.kind = 'text'),
           version = pg_current_xact_id()
      from rooms r
     where r.id = m.room_id and m.user_id = ${userId} and m.room_id = ${roomId}`;
}

/** Why an unread count is what it is. */
export interface UnreadExplained {
  unreadCount: number;
  firstUnreadSeq: number | null;
  skipped: { own: number; deleted: number; system: number };
}

/**
 * Counts message by message, independently of the list's arithmetic; costs as much as there is unread.
 * @throws Problem 404 `room-not-found`
 */
export async function explainUnread(sql: Sql, userId: number, roomId: number): Promise<UnreadExplained> {
  const [row] = await sql<
    { member: boolean; unread: number; first: number | null; own: number; deleted: number; system: number }[]
  >`
    with member as (
      select m.user_id, m.room_id, m.last_read_seq
        from memberships m join rooms r on r.id = m.room_id and r.deleted_at is null
       where m.user_id = ${userId} and m.room_id = ${roomId} and m.left_at is null
    ), after_marker as (
      select x.seq, case when x.kind = 'system' then 'system'
                         when x.sender_id = m.user_id then 'own'
                         when x.deleted_at is not null then 'deleted'
                         else 'unread' end as counts_as
        from member m join messages x on x.room_id = m.room_id and x.seq > m.last_read_seq
    )
    select exists (select from member) as member,
           count(*) filter (where counts_as = 'unread') as unread,
           min(seq) filter (where counts_as = 'unread') as first,
           count(*) filter (where counts_as = 'own') as own,
           count(*) filter (where counts_as = 'deleted') as deleted,
           count(*) filter (where counts_as = 'system') as system
      from after_marker`;
  if (!row?.member) throw notFound("room");
  const { unread, first, own, deleted, system } = row;
  return { unreadCount: unread, firstUnreadSeq: first, skipped: { own, deleted, system } };
}
