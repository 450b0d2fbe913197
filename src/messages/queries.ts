import type { User } from "../auth/queries.ts";
import { arrayLiteral, type Sql } from "../db/client.ts";
import { forbidden, notFound } from "../problem.ts";
import { lockRoom } from "../rooms/queries.ts";
import { mentionedHandles } from "./mentions.ts";

export interface Message {
  roomId: number;
  seq: number;
  kind: "text" | "system";
  sender: User;
  /** null: deleted. */
  body: string | null;
  replyTo: number | null;
  mentions: number[];
  /** Emoji and users, each in the order of the first reactions. */
  reactions: { emoji: string; users: number[] }[];
  clientId: string | null;
  createdAt: Date;
  editedAt: Date | null;
  deletedAt: Date | null;
}

/** A message's own columns and its sender's, from tables `m` and `u`. */
export const messageColumns = (sql: Sql) => sql`
  m.room_id as "roomId", m.seq, m.kind,
  json_build_object('id', u.id, 'handle', u.handle, 'name', u.name) as sender,
  m.body, m.reply_to as "replyTo", to_json(m.mentions) as mentions, m.reactions,
  m.client_id as "clientId", m.created_at as "createdAt", m.edited_at as "editedAt", m.deleted_at as "deletedAt"`;

/**
 * One message.
 * @throws Problem 404 `room-not-found`, `message-not-found`
 */
export async function findMessage(sql: Sql, userId: number, roomId: number, seq: number): Promise<Message> {
  const { messages } = await listMessages(sql, userId, roomId, { around: seq, limit: 1 });
  const [message] = messages;
  if (message?.seq !== seq) throw notFound("message");
  return message;
}

/** Which page: the newest, or by one of the three seqs. */
export interface Page {
  limit: number;
  before?: number;
  after?: number;
  around?: number;
}

/**
 * A page of a room's messages, ascending. Sequence numbers have no gaps, so a page is a range of them: page 1,000
 * costs what page 1 costs.
 * @returns the cursor of the timeline as of this page (`seq.change_count`), and the seqs to ask for on either side
 * @throws Problem 404 `room-not-found`
 */
export async function listMessages(sql: Sql, userId: number, roomId: number, page: Page) {
  const { limit, before, after, around } = page;
  // The newest message of the older part, and how many the page takes up to it; the rest follows it.
  const middle = before !== undefined ? before - 1 : (after ?? around ?? null);
  const older = after !== undefined ? 0 : around !== undefined ? Math.ceil(limit / 2) : limit;
  const rows = await sql<(Message & { last_seq: number; change_count: number; low: number; high: number })[]>`
    with room as (
      select r.id, r.last_seq, r.change_count, least(coalesce(${middle}::bigint, r.last_seq), r.last_seq) as middle
        from memberships m join rooms r on r.id = m.room_id
       where m.user_id = ${userId} and m.room_id = ${roomId} and m.left_at is null and r.deleted_at is null
    ), page as (
      select *, greatest(middle - ${older}::bigint, 0) + 1 as low,
             least(middle + ${limit - older}::bigint, last_seq) as high
        from room
    )
    select page.last_seq, page.change_count, page.low, page.high, ${messageColumns(sql)}
      from page
      left join messages m on m.room_id = page.id and m.seq between page.low and page.high
      left join users u on u.id = m.sender_id
     order by m.seq`;
  const [first] = rows;
  if (!first) throw notFound("room");
  const { last_seq, change_count, low, high } = first;
  return {
    messages: rows.flatMap(({ last_seq, change_count, low, high, ...message }) =>
      message.seq === null ? [] : message,
    ),
    cursor: `${last_seq}.${change_count}`,
    before: low > 1 ? low : null,
    after: high < last_seq ? high : null,
  };
}

/**
 * Replaces a message's text; its mentions follow.
 * @throws Problem 403 unless the caller sent it, 404
 */
export async function editMessage(
  tx: Sql,
  userId: number,
  roomId: number,
  seq: number,
  body: string,
): Promise<Message> {
  await lockRoom(tx, roomId, userId);
  const message = await findMessage(tx, userId, roomId, seq);
  if (message.deletedAt !== null) throw notFound("message");
  if (message.sender.id !== userId || message.kind === "system") {
    throw forbidden("Only its sender may edit a message.");
  }
  await tx`
    with mentioned as (
      select u.id from users u join memberships m on m.user_id = u.id and m.room_id = ${roomId}
       where u.handle = any (${arrayLiteral(mentionedHandles(body))}::text[]) and m.left_at is null
    ), room as (
      update rooms
         set change_count = change_count + 1, version = pg_current_xact_id(),
             last_mention_seq = case when exists (select from mentioned) then greatest(last_mention_seq, ${seq}) else last_mention_seq end,
             last_message_preview = case when last_message_seq = ${seq} then preview(${body}) else last_message_preview end,
             last_message_edited_at = case when last_message_seq = ${seq} then now() else last_message_edited_at end
       where id = ${roomId}
      returning change_count
    ), no_longer as (
      delete from mentions
       where room_id = ${roomId} and seq = ${seq} and user_id = any (${arrayLiteral(message.mentions)}::bigint[])
         and user_id not in (select id from mentioned)
    ), newly as (
      insert into mentions (user_id, room_id, seq)
      select id, ${roomId}, ${seq} from mentioned where id <> ${userId}
      on conflict do nothing
    )
    update messages
       set body = ${body}, edited_at = now(), changed = room.change_count,
           mentions = array(select id from mentioned order by id)
      from room
     where room_id = ${roomId} and seq = ${seq}`;
  return findMessage(tx, userId, roomId, seq);
}

/**
 * Deletes a message: it keeps its seq, loses its text and its reactions, and the room's last message is found again.
 * @throws Problem 403, 404; nothing if it is deleted already
 */
export async function deleteMessage(tx: Sql, userId: number, roomId: number, seq: number): Promise<void> {
  const { actor } = await lockRoom(tx, roomId, userId);
  const message = await findMessage(tx, userId, roomId, seq);
  if (message.kind === "system") throw forbidden("What the server tells is not deleted.");
  if (message.sender.id !== userId && actor.role === "member") {
    throw forbidden("Only its sender, a moderator or an owner may delete a message.");
  }
  if (message.deletedAt !== null) return;
  await tx`
    with room as (
      update rooms
         set change_count = change_count + 1, last_uncounted_seq = greatest(last_uncounted_seq, ${seq}),
             version = pg_current_xact_id()
       where id = ${roomId}
      returning change_count
    ), mention as (
      delete from mentions
       where room_id = ${roomId} and seq = ${seq} and user_id = any (${arrayLiteral(message.mentions)}::bigint[])
    )
    update messages
       set body = null, deleted_at = now(), mentions = '{}', reactions = '[]', changed = room.change_count
      from room
     where room_id = ${roomId} and seq = ${seq}`;
  await tx`
    update rooms r
       set last_message_seq = m.seq, last_message_sender_id = m.sender_id, last_message_at = m.created_at,
           last_message_edited_at = m.edited_at, last_message_preview = preview(m.body)
      from (select 1) one
      left join lateral (
             select * from messages
              where room_id = ${roomId} and seq < ${seq} and kind = 'text' and deleted_at is null
              order by seq desc limit 1
           ) m on true
     where r.id = ${roomId} and r.last_message_seq = ${seq}`;
}
