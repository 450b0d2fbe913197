import type { User } from "../auth/queries.ts";
import { arrayLiteral, type Sql } from "../db/client.ts";
import { isDuplicate, StartOver } from "../db/errors.ts";
import { roomTold, tell } from "../messages/system.ts";
import { presenceStands } from "../presence/queries.ts";
import { forbidden, notFound } from "../problem.ts";

import type { Kind, Role } from "./list.ts";

/** What a new room is made of; a direct room has no name, the others must. */
export interface NewRoom {
  kind: Kind;
  name: string | null;
  topic: string | null;
  /** The others; the maker is added. */
  memberIds: number[];
}

/**
 * Makes a room with its members. Of the same people there is one direct room: the second asker gets the first's.
 * @returns the room's id, and whether it is new
 * @throws Problem 404 `user-not-found`
 */
export async function createRoom(
  sql: Sql,
  makerId: number,
  room: NewRoom,
): Promise<{ id: number; isNew: boolean; memberIds: number[] }> {
  const memberIds = [...new Set([makerId, ...room.memberIds])].sort((a, b) => a - b);
  const direct = room.kind === "direct" ? arrayLiteral(memberIds) : null;
  try {
    const [made] = await sql<{ id: number | null }[]>`
      with people as (
        select id from users where id = any (${arrayLiteral(memberIds)}::bigint[]) and deactivated_at is null
      ), room as (
        insert into rooms (kind, name, topic, direct_user_ids, member_count)
        select ${room.kind}, ${room.name}, ${room.topic}, ${direct}::bigint[], ${memberIds.length}::int
         where (select count(*) from people) = ${memberIds.length}
           and case when ${direct}::bigint[] is null then true else ${presenceStands(sql)} end
        returning id
      ), members as (
        insert into memberships (user_id, room_id, role)
        select people.id, room.id, case when people.id = ${makerId} then 'owner' else 'member' end
          from people, room
      )
      select (select id from room) as id`;
    if (made?.id) return { id: made.id, isNew: true, memberIds };
  } catch (error) {
    if (!isDuplicate(error, "rooms_direct")) throw error;
    // Or it is removed in between.
    return (await firstDirectRoom(sql, memberIds)) ?? createRoom(sql, makerId, room);
  }
  // With somebody who is deactivated no room is made; one that there is stays what it is.
  const first = direct === null ? null : await firstDirectRoom(sql, memberIds);
  if (!first) throw notFound("user");
  return first;
}

async function firstDirectRoom(sql: Sql, memberIds: number[]) {
  const [first] = await sql<{ id: number }[]>`
    select id from rooms where direct_user_ids = ${arrayLiteral(memberIds)}::bigint[] and deleted_at is null`;
  return first ? { id: first.id, isNew: false, memberIds } : null;
}

/** What of a room is changed; what is left out stays. */
export interface RoomChange {
  name?: string;
  topic?: string | null;
  kind?: "open" | "closed";
}

/**
 * Changes a room's name, topic or kind; a new name is told in the room.
 * @throws Problem 403, 404
 */
export async function changeRoom(tx: Sql, caller: User, roomId: number, change: RoomChange) {
  const { room, actor } = await lockRoom(tx, roomId, caller.id);
  if (room.kind === "direct") throw forbidden("A direct room has no name, topic or kind to change.");
  if (actor.role === "member") throw forbidden("Only an owner or a moderator may change the room.");
  await tx`
    update rooms
       set name = ${change.name ?? room.name}, topic = ${change.topic === undefined ? room.topic : change.topic},
           kind = ${change.kind ?? room.kind}, version = pg_current_xact_id()
     where id = ${roomId}`;
  if (change.name !== undefined && change.name !== room.name) {
    await tell(tx, roomId, caller.id, roomTold.renamed(change.name));
  }
}

/**
 * Removes a room from everybody's list; its messages are removed by and by (purge.ts).
 * @throws Problem 403, 404; nothing for its owner if it is removed already
 */
export async function removeRoom(tx: Sql, userId: number, roomId: number): Promise<void> {
  const { room, members } = await lockAnyRoom(tx, roomId, [userId]);
  const isOwner = members[0]?.role === "owner";
  if (!members[0] || (!room && !isOwner)) throw notFound("room");
  if (!isOwner) throw forbidden("Only an owner may remove the room.");
  if (!room) return;
  await tx`update rooms set deleted_at = now(), version = pg_current_xact_id() where id = ${roomId}`;
}

export interface LockedMembership {
  userId: number;
  role: Role;
}

/**
 * Locks a room for a change of it or of its members, and what it says of the caller and of another person. What the
 * next statements of the transaction read, nobody else changes. Memberships first, then the room, as everywhere:
 * who locks in one order waits in line.
 * @throws Problem 404 `room-not-found` unless the caller is a member
 */
export async function lockRoom(tx: Sql, roomId: number, callerId: number, otherId = callerId) {
  const { room, members } = await lockAnyRoom(tx, roomId, [callerId, otherId]);
  const actor = members.find((member) => member.userId === callerId);
  if (!room || !actor) throw notFound("room");
  return { room, actor, other: members.find((member) => member.userId === otherId) };
}

/** The same for a room that the caller may not be in; null for one that is not there. */
export async function lockAnyRoom(tx: Sql, roomId: number, userIds: number[]) {
  const ids = arrayLiteral(userIds);
  const locked = await tx`
    select from memberships where room_id = ${roomId} and user_id = any (${ids}::bigint[])
     order by user_id for update`;
  const [room] = await tx<{ kind: Kind; name: string | null; topic: string | null }[]>`
    select kind, name, topic from rooms where id = ${roomId} and deleted_at is null for update`;
  const rows = await tx<(LockedMembership & { left: boolean })[]>`
    select user_id as "userId", role, left_at is not null as left from memberships
     where room_id = ${roomId} and user_id = any (${ids}::bigint[])`;
  // One that came into being while we waited for the room would be locked after it: a send that holds it waits for us.
  if (rows.length > locked.length) throw new StartOver();
  const members = rows.filter(({ left }) => !left);
  return { room: room ?? null, members };
}

/** An open room, for those who look for one to join. */
export interface OpenRoom {
  id: number;
  name: string;
  topic: string | null;
  memberCount: number;
  joined: boolean;
}

/**
 * Open rooms by part of their name or topic, in the order of their ids.
 * @returns at most `limit`, after the room `after`
 */
export const listOpenRooms = (
  sql: Sql,
  userId: number,
  { q, after, limit }: { q: string; after: number; limit: number },
): Promise<OpenRoom[]> => {
  const pattern = `%${q.replace(/[\\%_]/g, "\\$&")}%`;
  return sql<OpenRoom[]>`
    select r.id, r.name, r.topic, r.member_count as "memberCount", m.user_id is not null as joined
      from rooms r
      left join memberships m on m.user_id = ${userId} and m.room_id = r.id and m.left_at is null
     where r.kind = 'open' and r.deleted_at is null and r.id > ${after}
       and (${q} = '' or r.name ilike ${pattern} or r.topic ilike ${pattern})
     order by r.id limit ${limit}`.then((rows) => [...rows]);
};
