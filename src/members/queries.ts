import type { User } from "../auth/queries.ts";
import type { Sql } from "../db/client.ts";
import { roomTold, tell } from "../messages/system.ts";
import type { Peer } from "../presence/queries.ts";
import { forbidden, notFound, Problem } from "../problem.ts";
import type { Involvement, Role } from "../rooms/list.ts";
import { lockAnyRoom, lockRoom } from "../rooms/queries.ts";

export interface Member {
  user: Peer;
  role: Role;
  lastReadSeq: number;
  joinedAt: Date;
}

/** A member's columns, from tables `m` and `u`. */
const columns = (sql: Sql) => sql`
  json_build_object('id', u.id, 'handle', u.handle, 'name', u.name,
                    'online', exists (select from presence p where p.user_id = u.id)) as user,
  m.role, m.last_read_seq as "lastReadSeq", m.joined_at as "joinedAt"`;

/**
 * Everybody in a room, in the order in which they joined.
 * @throws Problem 404 `room-not-found` unless the caller is one of them
 */
export async function listMembers(sql: Sql, callerId: number, roomId: number): Promise<Member[]> {
  const rows = await sql<Member[]>`
    select ${columns(sql)}
      from memberships m
      join users u on u.id = m.user_id
     where m.room_id = ${roomId} and m.left_at is null
       and exists (select from memberships c join rooms r on r.id = c.room_id and r.deleted_at is null
                    where c.user_id = ${callerId} and c.room_id = ${roomId} and c.left_at is null)
     order by m.joined_at, m.user_id`;
  if (rows.length === 0) throw notFound("room");
  return [...rows];
}

/** @throws Problem 404 `room-not-found` unless the caller is in the room */
export async function mustBeMember(sql: Sql, callerId: number, roomId: number): Promise<void> {
  const [row] = await sql`
    select 1 from memberships m join rooms r on r.id = m.room_id and r.deleted_at is null
     where m.user_id = ${callerId} and m.room_id = ${roomId} and m.left_at is null`;
  if (!row) throw notFound("room");
}

async function findMember(tx: Sql, roomId: number, userId: number): Promise<Member> {
  const [row] = await tx<Member[]>`
    select ${columns(tx)}
      from memberships m join users u on u.id = m.user_id
     where m.room_id = ${roomId} and m.user_id = ${userId}`;
  return row as Member;
}

/**
 * Adds a person to a room, or changes a member's role. Oneself: joins an open room.
 * @param role left out: as it is, or `member` for who is new
 * @throws Problem 403 without the right, 404 `room-not-found`, `user-not-found`, 409 `last-owner`
 */
export async function putMember(
  tx: Sql,
  caller: User,
  roomId: number,
  userId: number,
  role: Role | undefined,
): Promise<Member> {
  // Before the room, as a rename does it: the foreign key of a new membership would ask for this lock after it.
  const [user] = await tx<User[]>`
    select id, handle, name from users where id = ${userId} and deactivated_at is null for key share`;
  const { room, members } = await lockAnyRoom(tx, roomId, [caller.id, userId]);
  const actor = members.find((member) => member.userId === caller.id);
  const other = members.find((member) => member.userId === userId);
  const joins = userId === caller.id && !actor && room?.kind === "open";
  if (!room || (!actor && !joins)) throw notFound("room");
  if (room.kind === "direct" && (!other || role !== undefined)) {
    throw forbidden("The members of a direct room never change.");
  }
  if (
    role !== undefined &&
    role !== other?.role &&
    !(joins && role === "member") &&
    actor?.role !== "owner"
  ) {
    throw forbidden("Only an owner gives roles.");
  }
  if (other) {
    if (role !== undefined && role !== other.role) {
      if (other.role === "owner") await keepAnOwner(tx, roomId, userId);
      await tx`
        update memberships set role = ${role}, version = pg_current_xact_id()
         where user_id = ${userId} and room_id = ${roomId}`;
    }
    return findMember(tx, roomId, userId);
  }
  if (room.kind === "closed" && actor?.role === "member") {
    throw forbidden("Only an owner or a moderator may add members to a closed room.");
  }
  if (!user) throw notFound("user");
  const seq = await tell(tx, roomId, caller.id, joins ? roomTold.joined : roomTold.added(user.name));
  await tx`
    with room as (
      update rooms set member_count = member_count + 1 where id = ${roomId}
    )
    insert into memberships (user_id, room_id, role, last_read_seq)
    values (${userId}, ${roomId}, ${role ?? "member"}, ${seq})
    on conflict (user_id, room_id) do update
       set role = excluded.role, last_read_seq = excluded.last_read_seq, own_after_read = 0, marked_unread = false,
           joined_at = now(), left_at = null, version = pg_current_xact_id()`;
  return findMember(tx, roomId, userId);
}

/**
 * Takes a person out of a room; oneself: leaves it.
 * @throws Problem 403 without the right, 404 `room-not-found`, 409 `last-owner`; nothing if they were not in it
 */
export async function removeMember(tx: Sql, caller: User, roomId: number, userId: number): Promise<void> {
  const { room, actor, other } = await lockRoom(tx, roomId, caller.id, userId);
  const leaves = userId === caller.id;
  if (room.kind === "direct") throw forbidden("The members of a direct room never change.");
  if (!leaves && actor.role === "member") throw forbidden("Only an owner or a moderator may remove members.");
  if (!other) return;
  if (!leaves && actor.role === "moderator" && other.role !== "member") {
    throw forbidden("Only an owner may remove a moderator or an owner.");
  }
  if (other.role === "owner") await keepAnOwner(tx, roomId, userId);
  const [user] = await tx<User[]>`select id, handle, name from users where id = ${userId}`;
  await tell(tx, roomId, caller.id, leaves ? roomTold.left : roomTold.removed(user?.name ?? ""));
  await tx`
    with room as (
      update rooms set member_count = member_count - 1, removal_count = removal_count + 1 where id = ${roomId}
    )
    update memberships set left_at = now(), version = pg_current_xact_id()
     where user_id = ${userId} and room_id = ${roomId}`;
}

/** @throws Problem 409 `last-owner` if nobody else owns the room who could sign in */
async function keepAnOwner(tx: Sql, roomId: number, userId: number): Promise<void> {
  const [heir] = await tx`
    select from memberships m join users u on u.id = m.user_id and u.deactivated_at is null
     where m.room_id = ${roomId} and m.role = 'owner' and m.user_id <> ${userId} and m.left_at is null limit 1`;
  if (!heir) {
    throw new Problem(409, "last-owner", "Make somebody else an owner first, or remove the room.");
  }
}

/**
 * Sets what the caller wants to be told of.
 * @throws Problem 404 `room-not-found`
 */
export async function setInvolvement(sql: Sql, userId: number, roomId: number, involvement: Involvement) {
  const [row] = await sql<(Member & { involvement: Involvement })[]>`
    with m as (
      update memberships m set involvement = ${involvement}, version = pg_current_xact_id()
        from rooms r
       where r.id = m.room_id and r.deleted_at is null
         and m.user_id = ${userId} and m.room_id = ${roomId} and m.left_at is null
      returning m.*
    )
    select ${columns(sql)}, m.involvement
      from m join users u on u.id = m.user_id`;
  if (!row) throw notFound("room");
  return row;
}
