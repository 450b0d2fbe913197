import { arrayLiteral, type Sql } from "../db/client.ts";
import { isDuplicate } from "../db/errors.ts";
import { Problem } from "../problem.ts";

/** A person, as everybody may see them. */
export interface User {
  id: number;
  handle: string;
  name: string;
}

/** Who asks, and by which session, token or identity (of a JWT): `s12`, `t7`, `j3`. Open streams hang on that. */
export interface Caller extends User {
  credential: string;
  /** When the right ends by itself (ms), where the credential does not tell: of a JWT. */
  until?: number;
}

/** How long a session lasts, whatever its use: 30 days. */
const SESSION_DAYS = 30;
/** `last_used_at` is told to the nearest hour: a write for every request would be too much. */
const LAST_USED_PRECISION = "1 hour";

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

/** The user of a handle with the password's hash, or undefined. */
export async function findByHandle(sql: Sql, handle: string) {
  const [row] = await sql<(User & { password_hash: string | null })[]>`
    select id, handle, name, password_hash from users where handle = ${handle}`;
  return row;
}

/**
 * Starts a session; sweeps out the user's expired ones.
 * @param passwordHash that the password was checked against: of a sign-in and a change of the password at the same
 *   moment, the change waits and sees the new session, or the sign-in waits and finds the password changed; null: it was
 *   not by a password
 * @returns whether it did: not if the password has changed meanwhile
 */
export async function createSession(
  sql: Sql,
  session: { userId: number; passwordHash: string | null; secretHash: Buffer },
): Promise<boolean> {
  const rows = await sql`
    with u as (
      select id from users
       where id = ${session.userId} and password_hash is not distinct from coalesce(${session.passwordHash}, password_hash)
         for share
    ), expired as (
      delete from sessions where user_id = ${session.userId} and expires_at < now()
    )
    insert into sessions (user_id, secret_hash, expires_at)
    select id, ${session.secretHash}, now() + make_interval(days => ${SESSION_DAYS}::int) from u
    returning id`;
  return rows.length > 0;
}

/** A caller, and for how long (ms) the credential is valid; null: until it is deleted. */
export type FoundCaller = Caller & { msLeft: number | null };

/** Who a session's secret belongs to, if it is still valid. */
export async function findBySession(sql: Sql, secretHash: Buffer): Promise<FoundCaller | undefined> {
  const [row] = await sql<FoundCaller[]>`
    with session as (
      select id, user_id, expires_at, last_used_at < now() - ${LAST_USED_PRECISION}::interval as stale
        from sessions where secret_hash = ${secretHash} and expires_at > now()
    ), used as (
      update sessions set last_used_at = now() where id in (select id from session where stale)
    )
    select u.id, u.handle, u.name, 's' || s.id as credential,
           extract(epoch from s.expires_at - now())::float8 * 1000 as "msLeft"
      from session s join users u on u.id = s.user_id`;
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
    select u.id, u.handle, u.name, 't' || t.id as credential, null as "msLeft"
      from token t join users u on u.id = t.user_id`;
  return row;
}

/** Ends the session that a credential (`s12`) names. */
export async function deleteSession(sql: Sql, credential: string): Promise<void> {
  await sql`delete from sessions where 's' || id = ${credential} and id = ${credential.slice(1)}::bigint`;
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

/** Which of these credentials (`s12`, `t7`, `j3`) have ended, or belong to nothing. */
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
      left join identities i on i.id = a.id where i.id is null`;
  return rows.map((row) => row.credential);
}

export interface Token {
  id: number;
  name: string;
  createdAt: Date;
  lastUsedAt: Date | null;
}

/** Makes a bearer token; only its hash is kept. */
export async function createToken(
  sql: Sql,
  token: { userId: number; name: string; secretHash: Buffer },
): Promise<{ id: number; name: string; createdAt: Date }> {
  const [row] = await sql<{ id: number; name: string; createdAt: Date }[]>`
    insert into tokens (user_id, name, secret_hash)
    values (${token.userId}, ${token.name}, ${token.secretHash})
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
