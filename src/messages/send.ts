import { arrayLiteral, type Sql } from "../db/client.ts";
import { invalid, notFound, Problem } from "../problem.ts";
import { mentionedHandles } from "./mentions.ts";
import { findMessage, type Message, messageColumns } from "./queries.ts";
import SEND from "./send.sql" with { type: "text" };

/** A message on its way. */
export interface NewMessage {
  roomId: number;
  senderId: number;
  body: string;
  clientId: string | null;
  replyTo: number | null;
}

/**
 * What a statement does about what others have locked. free: it waits for nothing, and passes by their rooms and
 * memberships; room: it waits for rooms, and passes by memberships; wait: it waits for both.
 */
export type Way = "free" | "room" | "wait";

/** send.sql, each way. */
const SEND_BY: Record<Way, string> = {
  free: passingBy("memberships", "rooms"),
  room: passingBy("memberships"),
  wait: SEND,
};

function passingBy(...tables: string[]): string {
  return tables.reduce((text, table) => {
    const [before, after, ...more] = text.split(`/* lock of ${table} */`);
    if (after === undefined || more.length > 0) throw new Error(`send.sql locks ${table} once`);
    return `${before}skip locked${after}`;
  }, SEND);
}

/**
 * Sends a message: one statement, under the lock of the sender's membership and then the room's, so that a sender who
 * has just been removed sends nothing, and seq order is commit order. Reads the room up to it.
 *
 * The same as send.sql for one message, and cheaper: a change to either is a change to both.
 * @returns the message; undefined if it was refused, and `explainRefusal` knows why, or passed by
 */
export async function insertMessage(sql: Sql, message: NewMessage, way: Way): Promise<Message | undefined> {
  const { roomId, senderId, body, clientId, replyTo } = message;
  const handles = arrayLiteral(mentionedHandles(body));
  const passMembership = way === "wait" ? sql`` : sql`skip locked`;
  const passRoom = way === "free" ? sql`skip locked` : sql``;
  const [sent] = await sql<Message[]>`
    with sender as (
      select from memberships
       where user_id = ${senderId} and room_id = ${roomId} and left_at is null
         and not exists (select from messages
                          where sender_id = ${senderId} and room_id = ${roomId} and client_id = ${clientId}::text)
         and (${replyTo}::bigint is null
              or exists (select from messages where room_id = ${roomId} and seq = ${replyTo}::bigint))
         for no key update ${passMembership}
    ), locked as (
      select id from rooms where id = ${roomId} and deleted_at is null and exists (select from sender)
         for no key update ${passRoom}
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
 * @returns message by message: as it was sent, or undefined where it was not
 */
export async function insertMessages(
  sql: Sql,
  messages: readonly NewMessage[],
  way: Way,
): Promise<(Message | undefined)[]> {
  const handles = messages.map(({ body }) => mentionedHandles(body));
  const rows = await sql.unsafe<SentRow[]>(
    SEND_BY[way],
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
