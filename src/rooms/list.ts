import type { User } from "../auth/queries.ts";
import { arrayLiteral, type Sql } from "../db/client.ts";
import type { Peer } from "../presence/queries.ts";
import { notFound } from "../problem.ts";
import type { Cursors } from "./cursor.ts";
import LIST from "./list.sql" with { type: "text" };

export type Role = "owner" | "moderator" | "member";
export type Kind = "open" | "closed" | "direct";
export type Involvement = "all" | "mentions" | "none";

/** A room as one of its members sees it. */
export interface Room {
  id: number;
  kind: Kind;
  name: string | null;
  topic: string | null;
  role: Role;
  involvement: Involvement;
  lastSeq: number;
  lastReadSeq: number;
  unreadCount: number;
  mentionCount: number;
  markedUnread: boolean;
  lastMessage: {
    seq: number;
    sender: User;
    body: string;
    createdAt: Date;
    editedAt: Date | null;
  } | null;
  activeAt: Date;
  memberCount: number;
  peers: Peer[] | null;
}

/** One entry of what is asked of the list: whose rooms, which (null: all), changed since which cursor ("": any). */
export interface ListAsk {
  userId: number;
  roomId: number | null;
  since: string;
}

/** Which part of a list is wanted. */
export interface ListWindow {
  unread?: boolean;
  /** Only what follows this room. */
  after?: number | null;
  limit?: number | null;
}

/** One room in an answer of list.sql; `room` is null where it is no longer theirs. */
export interface ListEntry {
  roomId: number;
  version: string;
  activeAt: Date;
  room: Room | null;
}

/** A row of list.sql, or of nothing but the cursor where `ask` is null. */
interface ListRow {
  xmin: string;
  xmax: string;
  epoch: string;
  revocations: number;
  ask: number | null;
  room_id: number;
  gone: boolean;
  version: string;
  kind: Kind;
  name: string | null;
  topic: string | null;
  role: Role;
  involvement: Involvement;
  last_seq: number;
  last_read_seq: number;
  unread_count: number;
  mention_count: number;
  marked_unread: boolean;
  member_count: number;
  peers: Peer[] | null;
  active_at: Date;
  last_message_seq: number | null;
  last_message_at: Date;
  last_message_edited_at: Date | null;
  last_message_preview: string;
  sender_id: number;
  sender_handle: string;
  sender_name: string;
}

/**
 * The room list, for one person or for a batch: one statement, and once more after a crash of the database, whose
 * cursors of before mean nothing any more.
 * @returns `cursor`: everything that committed before it is in the answer; the revocations there had been; per ask its rooms, newest activity first, and
 *   whether `since` could not be honoured
 */
export async function listRooms(
  sql: Sql,
  cursors: Cursors,
  asks: ListAsk[],
  window: ListWindow = {},
): Promise<{ cursor: string; revocations: number; asked: { reset: boolean; entries: ListEntry[] }[] }> {
  const known = cursors.epoch;
  const sinces = asks.map(({ since }) => cursors.decode(since));
  const rows = await sql.unsafe<ListRow[]>(
    LIST,
    [
      arrayLiteral(asks.map((ask) => ask.userId)),
      arrayLiteral(asks.map((ask) => ask.roomId)),
      arrayLiteral(sinces),
      window.unread ?? false,
      window.after ?? null,
      window.limit ?? null,
    ],
    { prepare: true },
  );
  const [{ epoch, xmin, xmax, revocations }] = rows as unknown as [ListRow];
  cursors.enter(epoch);
  if (epoch !== known && sinces.some((since) => since !== null)) return listRooms(sql, cursors, asks, window);
  const asked = sinces.map((since) => ({
    reset: since === null || BigInt(since) > BigInt(xmax),
    entries: [] as ListEntry[],
  }));
  for (const row of rows) {
    if (row.ask === null) continue;
    asked[row.ask - 1]?.entries.push({
      roomId: row.room_id,
      version: row.version,
      activeAt: row.active_at,
      room: row.gone ? null : roomOf(row),
    });
  }
  return { cursor: cursors.encode(xmin), revocations, asked };
}

const roomOf = (row: ListRow): Room => ({
  id: row.room_id,
  kind: row.kind,
  name: row.name,
  topic: row.topic,
  role: row.role,
  involvement: row.involvement,
  lastSeq: row.last_seq,
  lastReadSeq: row.last_read_seq,
  unreadCount: row.unread_count,
  mentionCount: row.mention_count,
  markedUnread: row.marked_unread,
  lastMessage:
    row.last_message_seq === null
      ? null
      : {
          seq: row.last_message_seq,
          sender: { id: row.sender_id, handle: row.sender_handle, name: row.sender_name },
          body: row.last_message_preview,
          createdAt: row.last_message_at,
          editedAt: row.last_message_edited_at,
        },
  activeAt: row.active_at,
  memberCount: row.member_count,
  peers: row.peers,
});

/**
 * One room of a member.
 * @throws Problem 404 `room-not-found`
 */
export async function findRoom(sql: Sql, cursors: Cursors, userId: number, roomId: number): Promise<Room> {
  const { asked } = await listRooms(sql, cursors, [{ userId, roomId, since: "" }]);
  const room = asked[0]?.entries[0]?.room;
  if (!room) throw notFound("room");
  return room;
}

/** The rooms that each of these people is in, by their ids. */
export async function roomsOf(sql: Sql, userIds: number[]): Promise<Map<number, number[]>> {
  const rows = await sql<{ user_id: number; rooms: number[] }[]>`
    select m.user_id, json_agg(m.room_id) as rooms
      from unnest(${arrayLiteral(userIds)}::bigint[]) as a (user_id)
     cross join lateral (select * from memberships where user_id = a.user_id and left_at is null offset 0) m
     group by m.user_id`;
  return new Map(rows.map((row) => [row.user_id, row.rooms]));
}
