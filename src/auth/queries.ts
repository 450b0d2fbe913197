import { arrayLiteral, type Sql } from "../db/client.ts";
import { isDuplicate } from "../db/errors.ts";
import { Problem, unauthenticated } from "../problem.ts";
import { deviceOf } from "./device.ts";

/** A person, as everybody may see them. */
export interface User {
  id: number;
  handle: string;
  name: string;
}

/** Who asks, and by which session, token or identity (of a JWT): `s12`, `t7`, `j3`. Open streams hang on that. */
export interface Caller extends User {
  credential: string;
  administrator: boolean;
  /** How many revocations there had been when this was true (src/live/rights.ts). */
  provenAt: number;
  /** When the right ends by itself (ms), where the credential does not tell: of a JWT. */
  until?: number;
}

/** How long sessions last, in days: whatever their use, and unused. */
export interface SessionLife {
  sessionDays: number;
  sessionIdleDays: number;
}

/** `last_used_at` is told to the nearest hour: a write for every request would be too much. */
const LAST_USED_PRECISION = "1 hour";
/** Sessions that a list shows: a program that signs in for every request must not make it endless. */
const MOST_LISTED = 200;

/** @throws Problem 409 `handle-taken` */
export async function createUser(
  sql: Sql,
  user: { handle: string; name: string; passwordHash: string },
): Promise<User> {
  try {
    const [row] = await sql<User[]>`
      insert into users (handle, name, password_hash)
      values (${user.handle}, ${user.name}, ${user.passwordHash})
      returning id, handle, name`;
    return row as User;
  } catch (error) {
    if (!isDuplicate(error, "users_handle_key")) throw error;
    throw new Problem(409, "handle-taken", `The handle ${user.handle} is taken.`);
  }
}

/** The user of a handle with the password's hash, or undefined; so for one who is deactivated. */
export async function findByHandle(sql: Sql, handle: string) {
  const [row] = await sql<(User & { password_hash: string | null })[]>`
    select id, handle, name, password_hash from users where handle = ${handle} and deactivated_at is null`;
  return row;
}

/**
 * Starts a session in place of the one that the same browser had; sweeps out the user's expired ones.
 * @param session.passwordHash that the password was checked against: of a sign-in and a change of the password at the
 *   same moment, the change waits and sees the new session, or the sign-in waits and finds the password changed; null:
 *   it was not by a password
 * @param session.replacedHash of the secret that the browser's cookie names; null: none
 * @returns the credentials that ended, or undefined if the password has changed meanwhile, or the user was deactivated
 */
export async function createSession(
  sql: Sql,
  session: {
    userId: number;
    passwordHash: string | null;
    secretHash: Buffer;
    replacedHash: Buffer | null;
    userAgent: string;
  },
  life: SessionLife,
): Promise<string[] | undefined> {
  const [row] = await sql<{ made: boolean; ended: string[] }[]>`
    with u as (
      select id from users
       where id = ${session.userId} and deactivated_at is null
         and password_hash is not distinct from coalesce(${session.passwordHash}, password_hash)
         for share
    ), ended as (
      delete from sessions
       where exists (select from u)
         and ((user_id = ${session.userId} and expires_at <= now()) or secret_hash = ${session.replacedHash})
      returning 's' || id as credential
    ), made as (
      insert into sessions (user_id, secret_hash, user_agent, expires_at, ends_at)
      select id, ${session.secretHash}, ${session.userAgent},
             now() + make_interval(days => least(${life.sessionDays}::int, ${life.sessionIdleDays}::int)),
             now() + make_interval(days => ${life.sessionDays}::int)
        from u
      returning id
    )
    select exists (select from made) as made, (select coalesce(json_agg(credential), '[]') from ended) as ended`;
  return row?.made ? row.ended : undefined;
}

/** A caller, and for how long (ms) the credential is valid; null: until it is deleted. */
export type FoundCaller = Caller & { msLeft: number | null };

/** Who a session's secret belongs to, if it is still valid; being used, it lasts on, but never beyond its end. */
export async function findBySession(
  sql: Sql,
  secretHash: Buffer,
  { sessionIdleDays }: SessionLife,
): Promise<FoundCaller | undefined> {
  const [row] = await sql<FoundCaller[]>`
    with session as (
      select id, user_id, expires_at, last_used_at < now() - ${LAST_USED_PRECISION}::interval as stale
        from sessions where secret_hash = ${secretHash} and expires_at > now()
    ), used as (
      update sessions
         set last_used_at = now(), expires_at = least(ends_at, now() + make_interval(days => ${sessionIdleDays}::int))
       where id in (select id from session where stale)
    )
    select u.id, u.handle, u.name, 's' || s.id as credential, u.administrator, r.count as "provenAt",
           extract(epoch from s.expires_at - now())::float8 * 1000 as "msLeft"
      from session s join users u on u.id = s.user_id and u.deactivated_at is null, revocations r`;
  return row;
}

/** Who a bearer token belongs to, if it is still there. */
export async function findByToken(sql: Sql, secretHash: Buffer): Promise<FoundCaller | undefined> {
  const [row] = await sql<FoundCaller[]>`
    with token as (
      select id, user_id,
             last_used_at is null or last_used_at < now() - ${LAST_USED_PRECISION}::interval as stale
        from tokens where secret_hash = ${secretHash}
    ), used as (
      update tokens set last_used_at = now() where id in (select id from token where stale)
    )
    select u.id, u.handle, u.name, 't' || t.id as credential, u.administrator, r.count as "provenAt", null as "msLeft"
      from token t join users u on u.id = t.user_id and u.deactivated_at is null, revocations r`;
  return row;
}

export interface Session {
  id: number;
  /** What it was made by, in words; null: nobody knows. */
  device: string | null;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
  /** Whether it is the asking one. */
  current: boolean;
}

/** A user's sessions, the asking one first, then those that were used last. */
export async function listSessions(sql: Sql, caller: Caller): Promise<Session[]> {
  const rows = await sql<(Omit<Session, "device"> & { userAgent: string })[]>`
    select id, user_agent as "userAgent", created_at as "createdAt", last_used_at as "lastUsedAt",
           expires_at as "expiresAt", 's' || id = ${caller.credential} as current
      from sessions
     where user_id = ${caller.id} and expires_at > now()
     order by current desc, last_used_at desc, id desc limit ${MOST_LISTED}`;
  return rows.map(({ id, userAgent, ...rest }) => ({ id, device: deviceOf(userAgent), ...rest }));
}

/**
 * Ends one of the user's own sessions.
 * @returns whether it was there
 */
export async function endSession(sql: Sql, userId: number, id: number): Promise<boolean> {
  const rows = await sql`delete from sessions where id = ${id} and user_id = ${userId} returning id`;
  return rows.length > 0;
}

/**
 * Changes the password if it is still the one that `oldHash` was checked against, and ends every session of the
 * user but `credential`'s: of two changes at once, one is refused. In two statements, because the second must see the
 * sessions of those who held the user's row (see createSession).
 * @returns the credentials that ended, or undefined if the password had changed meanwhile
 */
export async function changePassword(
  tx: Sql,
  change: { userId: number; oldHash: string; newHash: string; credential: string },
): Promise<string[] | undefined> {
  const changed = await tx`
    update users set password_hash = ${change.newHash}
     where id = ${change.userId} and password_hash = ${change.oldHash} returning id`;
  if (changed.length === 0) return undefined;
  const ended = await tx<{ credential: string }[]>`
    delete from sessions where user_id = ${change.userId} and 's' || id <> ${change.credential}
    returning 's' || id as credential`;
  return ended.map((row) => row.credential);
}

/** Which of these credentials (`s12`, `t7`, `j3`) have ended, or belong to nothing; an identity's, with its user's deactivation. */
export async function lapsed(sql: Sql, credentials: string[]): Promise<string[]> {
  const ids = (kind: "s" | "t" | "j") =>
    arrayLiteral(
      credentials.flatMap((credential) => (credential[0] === kind ? [Number(credential.slice(1))] : [])),
    );
  const rows = await sql<{ credential: string }[]>`
    select 's' || a.id as credential from unnest(${ids("s")}::bigint[]) as a (id)
      left join sessions s on s.id = a.id and s.expires_at > now() where s.id is null
    union all
    select 't' || a.id from unnest(${ids("t")}::bigint[]) as a (id)
      left join tokens t on t.id = a.id where t.id is null
    union all
    select 'j' || a.id from unnest(${ids("j")}::bigint[]) as a (id)
      left join (identities i join users u on u.id = i.user_id and u.deactivated_at is null) on i.id = a.id
     where i.id is null`;
  return rows.map((row) => row.credential);
}

export interface Token {
  id: number;
  name: string;
  createdAt: Date;
  lastUsedAt: Date | null;
}

/**
 * Makes a bearer token; only its hash is kept. In two statements, as a change of the password is: who ends all that gives
 * the user a right holds the user's row, and the second statement sees whether the asking session was among it.
 * @throws Problem 401 if it has ended meanwhile
 */
export async function createToken(
  tx: Sql,
  { id, credential }: Caller,
  token: { name: string; secretHash: Buffer },
): Promise<{ id: number; name: string; createdAt: Date }> {
  await tx`select from users where id = ${id} for share`;
  if ((await lapsed(tx, [credential])).length > 0) throw unauthenticated();
  const [row] = await tx<{ id: number; name: string; createdAt: Date }[]>`
    insert into tokens (user_id, name, secret_hash)
    values (${id}, ${token.name}, ${token.secretHash})
    returning id, name, created_at as "createdAt"`;
  return row as { id: number; name: string; createdAt: Date };
}

/** A user's bearer tokens, oldest first, without their secrets. */
export const listTokens = (sql: Sql, userId: number): Promise<Token[]> =>
  sql<Token[]>`
    select id, name, created_at as "createdAt", last_used_at as "lastUsedAt"
      from tokens where user_id = ${userId} order by id`.then((rows) => [...rows]);

/**
 * Deletes one of the user's own tokens.
 * @returns whether it was there
 */
export async function deleteToken(sql: Sql, userId: number, id: number): Promise<boolean> {
  const rows = await sql`delete from tokens where id = ${id} and user_id = ${userId} returning id`;
  return rows.length > 0;
}
