import type { Sql } from "../db/client.ts";

/**
 * Makes an invite.
 * @param invite.days after which it counts no more
 * @param invite.createdBy a user's id; null: by the command line
 */
export async function createInvite(
  sql: Sql,
  invite: { secretHash: Buffer; days: number; createdBy: number | null },
): Promise<{ id: number; expiresAt: Date }> {
  const [row] = await sql<{ id: number; expiresAt: Date }[]>`
    insert into invites (secret_hash, created_by, expires_at)
    values (${invite.secretHash}, ${invite.createdBy}, now() + make_interval(days => ${invite.days}::int))
    returning id, expires_at as "expiresAt"`;
  return row as { id: number; expiresAt: Date };
}

/** Whether an invite counts: unused, in its time, and of somebody who may still make one. */
const counts = (sql: Sql) => sql`
  used_at is null and expires_at > now()
  and (created_by is null
       or exists (select from users where id = created_by and administrator and deactivated_at is null))`;

/** Whether this one counts: before a password is hashed for nothing. */
export async function isInvited(sql: Sql, secretHash: Buffer): Promise<boolean> {
  const rows = await sql`
    select from invites where secret_hash = ${secretHash} and ${counts(sql)}`;
  return rows.length > 0;
}

/**
 * Uses an invite up, in the transaction of the sign-up: of two at once the second waits, and finds it used, or good
 * again if the first comes to nothing.
 * @returns whether it did
 */
export async function useInvite(tx: Sql, secretHash: Buffer, userId: number): Promise<boolean> {
  const rows = await tx`
    update invites set used_at = now(), used_by = ${userId}
     where secret_hash = ${secretHash} and ${counts(tx)} returning id`;
  return rows.length > 0;
}
