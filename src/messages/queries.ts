import type { User } from "../auth/queries.ts";
import { arrayLiteral, type Sql } from "../db/client.ts";
import { forbidden, invalid, notFound, Problem } from "../problem.ts";
import { lockRoom } from "../rooms/queries.ts";
import { mentionedHandles } from "./mentions.ts";
import SEND from "./send.sql" with { type: "text" };

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

/** A message on its way. */
export interface NewMessage {
  roomId: number;
  senderId: number;
  body: string;
  clientId: string | null;
  replyTo: number | null;
}

/** The same, but of what others have locked nothing is waited for: it is left out. */
const SEND_TO_THE_FREE = SEND.replace(/for no key update( of m)?$/gm, "$& skip locked");

/** A message's own columns and its sender's, from tables `m` and `u`. */
export const messageColumns = (sql: Sql) => sql`
  m.room_id as "roomId", m.seq, m.kind,
  json_build_object('id', u.id, 'handle', u.handle, 'name', u.name) as sender,
  m.body, m.reply_to as "replyTo", to_json(m.mentions) as mentions, m.reactions,
  m.client_id as "clientId", m.created_at as "createdAt", m.edited_at as "editedAt", m.deleted_at as "deletedAt"`;

/**
 * Sends a message: one statement, under the lock of the sender's membership and then the room's, so that a sender who
 * has just been removed sends nothing, and seq order is commit order. Reads the room up to it.
 * @param passBy whether what others have locked is left alone, instead of waited for
 * @returns the message; undefined if it was refused, and `explainRefusal` knows why, or left
 */
export async function insertMessage(
  sql: Sql,
  message: NewMessage,
  passBy: boolean,
): Promise<Message | undefined> {
  const { roomId, senderId, body, clientId, replyTo } = message;
  const handles = arrayLiteral(mentionedHandles(body));
  const skip = passBy ? sql`skip locked` : sql``;
  const [sent] = await sql<Message[]>`
    with sender as (
      select from memberships
       where user_id = ${senderId} and room_id = ${roomId} and left_at is null
         and not exists (select from messages
                          where sender_id = ${senderId} and room_id = ${roomId} and client_id = ${clientId}::text)
         and (${replyTo}::bigint is null
              or exists (select from messages where room_id = ${roomId} and seq = ${replyTo}::bigint))
         for no key update ${skip}
    ), locked as (
      select id from rooms where id = ${roomId} and deleted_at is null and exists (select from sender)
         for no key update ${skip}
    ), mentioned as (
      select u.id from users u join memberships m on m.user_id = u.id and m.room_id = ${roomId}
       where u.handle = any (${handles}::text[]) and m.left_at is null
    ), room as (
      update rooms r
         set last_seq = r.last_seq + 1, last_message_seq = r.last_seq + 1, last_message_sender_id = ${senderId},
             last_message_at = clock_timestamp(), last_message_edited_at = null,
             last_message_preview = preview(${body}),
             last_mention_seq = case when exists (select from mentioned) then r.last_seq + 1 else r.last_mention_seq end,
             version = pg_current_xact_id()
        from locked
       where r.id = locked.id
      returning r.id, r.last_seq, r.last_message_at
    ), marker as (
      update memberships
         set last_read_seq = room.last_seq, own_after_read = 0, marked_unread = false, version = pg_current_xact_id()
        from room where user_id = ${senderId} and room_id = room.id
    ), mention as (
      insert into mentions (user_id, room_id, seq)
      select mentioned.id, room.id, room.last_seq from mentioned, room where mentioned.id <> ${senderId}
    ), m as (
      insert into messages (room_id, seq, sender_id, body, reply_to, mentions, client_id, created_at)
      select room.id, room.last_seq, ${senderId}, ${body}, ${replyTo}::bigint,
             array(select id from mentioned order by id), ${clientId}::text, room.last_message_at
        from room
      returning *
    )
    select ${messageColumns(sql)} from m join users u on u.id = m.sender_id`;
  return sent;
}

/**
 * Sends messages, each as if it were sent after the one before it: one statement, under the locks of the senders'
 * memberships and then the rooms'. It costs a third of `insertMessage` for each of many, and half as much again for one.
 * All of them or, where it throws, none.
 * @param passBy whether what others have locked is left out, instead of waited for
 * @returns message by message: as it was sent, or undefined where it was not
 */
export async function insertMessages(
  sql: Sql,
  messages: readonly NewMessage[],
  passBy: boolean,
): Promise<(Message | undefined)[]> {
  const handles = messages.map(({ body }) => mentionedHandles(body));
  const rows = await sql.unsafe<SentRow[]>(
    passBy ? SEND_TO_THE_FREE : SEND,
    [
      arrayLiteral(messages.map(({ roomId }) => roomId)),
      arrayLiteral(messages.map(({ senderId }) => senderId)),
      arrayLiteral(messages.map(({ body }) => body)),
      arrayLiteral(messages.map(({ clientId }) => clientId)),
      arrayLiteral(messages.map(({ replyTo }) => replyTo)),
      arrayLiteral(handles.flatMap((some, i) => some.map(() => i + 1))),
      arrayLiteral(handles.flat()),
    ],
    { prepare: true },
  );
  const sent = new Array<Message | undefined>(messages.length).fill(undefined);
  for (const { position, seq, handle, name, mentions, createdAt } of rows) {
    const { roomId, senderId, body, replyTo, clientId } = messages[position - 1] as NewMessage;
    sent[position - 1] = {
      roomId,
      seq,
      kind: "text",
      sender: { id: senderId, handle, name },
      body,
      replyTo,
      mentions,
      reactions: [],
      clientId,
      createdAt,
      editedAt: null,
      deletedAt: null,
    };
  }
  return sent;
}

/** A row of send.sql. */
interface SentRow {
  position: number;
  seq: number;
  handle: string;
  name: string;
  mentions: number[];
  createdAt: Date;
}

/**
 * Why a message was not inserted.
 * @returns the one that is there already, by the same clientId
 * @throws Problem 404 `room-not-found`, 409 `client-id-reused`, 422 for a `replyTo` that is not there
 */
export async function explainRefusal(sql: Sql, message: NewMessage): Promise<Message> {
  const { roomId, senderId } = message;
  const [row] = await sql<{ member: boolean; earlier: number | null }[]>`
    select exists (select from memberships m join rooms r on r.id = m.room_id and r.deleted_at is null
                    where m.user_id = ${senderId} and m.room_id = ${roomId} and m.left_at is null) as member,
           (select seq from messages
             where sender_id = ${senderId} and room_id = ${roomId} and client_id = ${message.clientId}::text) as earlier`;
  // Nothing to refuse, and yet nothing was inserted: the sender has become a member only since.
  const sinceJoined = row?.earlier === null && message.replyTo === null;
  if (!row?.member || sinceJoined) throw notFound("room");
  if (row.earlier === null) throw invalid("/replyTo", "there is no such message in this room");
  const earlier = await findMessage(sql, senderId, roomId, row.earlier);
  // Once edited or deleted, what was sent then can no longer be told.
  const comparable = earlier.editedAt === null && earlier.deletedAt === null;
  if (comparable && earlier.body !== message.body) {
    throw new Problem(409, "client-id-reused", "This clientId was used for another message in this room.");
  }
  return earlier;
}

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
