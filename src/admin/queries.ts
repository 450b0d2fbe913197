import type { User } from "../auth/queries.ts";
import { arrayLiteral, type Sql } from "../db/client.ts";
import { notFound, Problem } from "../problem.ts";
import type { Kind } from "../rooms/list.ts";
import { lockAnyRoom } from "../rooms/queries.ts";
import { isFound } from "../users/queries.ts";
import { type Actor, record } from "./audit.ts";

/** A person as administrators see them. */
export interface Account extends User {
  administrator: boolean;
  /** null: active. */
  deactivatedAt: Date | null;
  createdAt: Date;
  /** The last use of a session or token that is still there, to the hour. */
  lastUsedAt: Date | null;
}

/** An account's columns, from table `u`. */
const columns = (sql: Sql) => sql`
  u.id, u.handle, u.name, u.administrator, u.deactivated_at as "deactivatedAt", u.created_at as "createdAt",
  greatest((select max(last_used_at) from sessions where user_id = u.id),
           (select max(last_used_at) from tokens where user_id = u.id)) as "lastUsedAt"`;

/** People, by their ids, the deactivated included; found as by everybody. */
export async function listAccounts(
  sql: Sql,
  { q, after, limit }: { q: string; after: number; limit: number },
): Promise<Account[]> {
  return [
    ...(await sql<Account[]>`
      select ${columns(sql)} from users u where id > ${after} and ${isFound(sql, q)} order by id limit ${limit}`),
  ];
}

async function findAccount(sql: Sql, userId: number): Promise<Account> {
  const [row] = await sql<Account[]>`select ${columns(sql)} from users u where id = ${userId}`;
  return row as Account;
}

interface LockedAccount {
  id: number;
  administrator: boolean;
  active: boolean;
}

/**
 * Locks whom an act concerns: who acts, to whom, and all administrators, whose number must not be made zero by two acts
 * at once. A sign-in under way waits for us, or we for it (createSession).
 * @throws Problem 404 `not-found` for an actor who is no administrator any more, `user-not-found`
 */
async function lockAccounts(tx: Sql, { userId: actorId }: Actor, targetId: number) {
  const ids = arrayLiteral(actorId === null ? [targetId] : [actorId, targetId]);
  const locked = await tx<LockedAccount[]>`
    select id, administrator, deactivated_at is null as active from users
     where id = any (${ids}::bigint[]) or administrator
     order by id for no key update`;
  const administrators = locked.filter(({ administrator, active }) => administrator && active);
  if (actorId !== null && !administrators.some(({ id }) => id === actorId)) throw notFound("path");
  const target = locked.find(({ id }) => id === targetId);
  if (!target) throw notFound("user");
  return { target, isLast: administrators.every(({ id }) => id === targetId) };
}

/** Ends every session and token of a person. In one statement: see 0007_sessions.sql. @returns what ended */
async function endCredentials(tx: Sql, userId: number, kinds: { tokens: boolean }): Promise<string[]> {
  const rows = await tx<{ credential: string }[]>`
    with s as (
      delete from sessions where user_id = ${userId} returning 's' || id as credential
    ), t as (
      delete from tokens where user_id = ${userId} and ${kinds.tokens} returning 't' || id as credential
    )
    select credential from s union all select credential from t`;
  return rows.map(({ credential }) => credential);
}

/**
 * What gives a deactivated person the right by JWTs: it stays, for who is reactivated, and counts as revoked, so that
 * streams look again (0007_sessions.sql). The last thing that is locked.
 */
async function endIdentities(tx: Sql, userId: number): Promise<string[]> {
  const rows = await tx<{ credential: string }[]>`
    with counted as (
      update revocations set count = count + 1 where exists (select from identities where user_id = ${userId})
    )
    select 'j' || id as credential from identities where user_id = ${userId}`;
  return rows.map(({ credential }) => credential);
}

/** What of an account is changed; what is left out stays. */
export interface AccountChange {
  deactivated?: boolean;
  administrator?: boolean;
}

/**
 * Deactivates or reactivates a person, or makes them an administrator or none any more.
 * @returns the account as it is now, and the credentials that ended
 * @throws Problem 404, 409 `last-administrator`
 */
export async function changeAccount(tx: Sql, actor: Actor, userId: number, change: AccountChange) {
  const { target, isLast } = await lockAccounts(tx, actor, userId);
  const deactivated = change.deactivated ?? !target.active;
  const administrator = change.administrator ?? target.administrator;
  if (isLast && target.administrator && (deactivated || !administrator)) {
    throw new Problem(409, "last-administrator", "Make somebody else an administrator first.");
  }
  const user = { kind: "user", id: userId } as const;
  if (administrator !== target.administrator) {
    await tx`update users set administrator = ${administrator} where id = ${userId}`;
    await record(tx, actor, administrator ? "administrator-made" : "administrator-unmade", user);
  }
  let ended: string[] = [];
  if (deactivated === target.active) {
    await tx`update users set deactivated_at = case when ${deactivated} then now() end where id = ${userId}`;
    await record(tx, actor, deactivated ? "user-deactivated" : "user-reactivated", user);
    if (deactivated) {
      ended = await endCredentials(tx, userId, { tokens: true });
      ended.push(...(await endIdentities(tx, userId)));
    }
  }
  return { account: await findAccount(tx, userId), ended };
}

/**
 * Gives a person another password, and ends their sessions.
 * @returns the credentials that ended
 * @throws Problem 404
 */
export async function resetPassword(
  tx: Sql,
  actor: Actor,
  userId: number,
  passwordHash: string,
): Promise<string[]> {
  await lockAccounts(tx, actor, userId);
  const changed = await tx`
    update users set password_hash = ${passwordHash} where id = ${userId} and password_hash is not null returning id`;
  if (changed.length === 0)
    throw new Problem(
      409,
      "no-password",
      "This person signs in by another application, and has no password.",
    );
  await record(tx, actor, "password-reset", { kind: "user", id: userId });
  return endCredentials(tx, userId, { tokens: false });
}

/**
 * Ends every session and token of a person.
 * @returns the credentials that ended
 * @throws Problem 404
 */
export async function endAllCredentials(tx: Sql, actor: Actor, userId: number): Promise<string[]> {
  await lockAccounts(tx, actor, userId);
  await record(tx, actor, "credentials-ended", { kind: "user", id: userId });
  return endCredentials(tx, userId, { tokens: true });
}

/** A room as administrators see it: that it is there, not what is said in it. */
export interface RoomAccount {
  id: number;
  kind: Kind;
  name: string | null;
  topic: string | null;
  memberCount: number;
  /** All that were ever in it, of any kind. */
  messageCount: number;
  createdAt: Date;
  activeAt: Date;
}

/** Every room there is, in the order of their ids; `q` is part of a name or topic. */
export async function listAllRooms(
  sql: Sql,
  { q, after, limit }: { q: string; after: number; limit: number },
): Promise<RoomAccount[]> {
  const pattern = `%${q.replace(/[\\%_]/g, "\\$&")}%`;
  return [
    ...(await sql<RoomAccount[]>`
      select id, kind, name, topic, member_count as "memberCount", last_seq as "messageCount",
             created_at as "createdAt", coalesce(last_message_at, created_at) as "activeAt"
        from rooms
       where deleted_at is null and id > ${after} and (${q} = '' or name ilike ${pattern} or topic ilike ${pattern})
       order by id limit ${limit}`),
  ];
}

/**
 * Removes a room with its messages, whosever it is.
 * @throws Problem 404; nothing if it is removed already
 */
export async function closeRoom(tx: Sql, actor: Actor, roomId: number): Promise<void> {
  await mustStillAdminister(tx, actor);
  const { room } = await lockAnyRoom(tx, roomId, []);
  if (!room) {
    const [known] = await tx`select from rooms where id = ${roomId}`;
    if (!known) throw notFound("room");
    return;
  }
  await tx`update rooms set deleted_at = now(), version = pg_current_xact_id() where id = ${roomId}`;
  await record(tx, actor, "room-closed", { kind: "room", id: roomId });
}

/** @throws Problem 404 `not-found` for an actor who is no administrator any more */
async function mustStillAdminister(tx: Sql, { userId }: Actor): Promise<void> {
  if (userId === null) return;
  const [row] = await tx`
    select from users where id = ${userId} and administrator and deactivated_at is null for share`;
  if (!row) throw notFound("path");
}
