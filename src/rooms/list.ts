import type { User } from "../auth/queries.ts";
import { arrayLiteral, type Sql } from "../db/client.ts";
import type { Peer } from "../presence/queries.ts";
import { notFound } from "../problem.ts";
import type { Cursors } from "./cursor.ts";
import LIST from "./list.sql" with { type: "text" };

export type Role = "owner" | "moderator" | "member";
export type Kind = "open" | "closed" | "direct";
export type Involvement = "all" | "mentions" | "none";

/** A room as one of its members sees it; list.sql makes the JSON of it. */
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

/** One room in an answer of list.sql. */
export interface ListEntry {
  roomId: number;
  version: string;
  /** As the contract tells times: what sorts as text sorts by time. */
  activeAt: string;
  /** The Room as JSON; null: no longer theirs. */
  json: string | null;
}

/** A row of list.sql; of nothing but the cursor where there is no `ask`. */
interface ListRow {
  xmin: string;
  xmax: string;
  epoch: string;
  revocations: number;
  ask: number | null;
  /** `room_id version active_at`, a line each. */
  heads: string;
  /** As JSON, a line each; those of the heads behind them are no longer theirs. */
  rooms: string | null;
}

/**
 * The room list, for one person or for a batch: one statement, and once more after a crash of the database, whose
 * cursors of before mean nothing any more.
 * @returns `cursor`: everything that committed before it is in the answer; the revocations there had been; per ask its
 *   rooms, newest activity first, and whether `since` could not be honoured
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
    const ask = row.ask !== null && asked[row.ask - 1];
    if (ask) ask.entries = entriesOf(row);
  }
  return { cursor: cursors.encode(xmin), revocations, asked };
}

function entriesOf({ heads, rooms }: ListRow): ListEntry[] {
  const jsons = rooms?.split("\n") ?? [];
  return heads.split("\n").map((head, i) => {
    const [roomId, version, activeAt] = head.split(" ") as [string, string, string];
    const json = jsons[i] ?? null;
    // A room whose JSON is null would be left out, and all that follow told as the one before.
    if (json && !json.startsWith(`{"id":${roomId},`))
      throw new Error(`list.sql: room ${roomId} is out of step`);
    return { roomId: Number(roomId), version, activeAt, json };
  });
}

/**
 * One room of a member.
 * @returns the Room as JSON
 * @throws Problem 404 `room-not-found`
 */
export async function findRoom(sql: Sql, cursors: Cursors, userId: number, roomId: number): Promise<string> {
  const { asked } = await listRooms(sql, cursors, [{ userId, roomId, since: "" }]);
  const json = asked[0]?.entries[0]?.json;
  if (!json) throw notFound("room");
  return json;
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
