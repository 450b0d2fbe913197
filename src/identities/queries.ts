import type { Caller } from "../auth/queries.ts";
import type { Sql } from "../db/client.ts";
import { isDuplicate } from "../db/errors.ts";

/** Who one is at another application. */
export interface Identity {
  issuer: string;
  subject: string;
}

/** A user by identity, and the name that the issuer told last. */
export type Known = Caller & { toldName: string | null; toldAt: Date };

/** The user of an identity, if there is one; "deactivated": there is, and may not come in. */
export async function findByIdentity(
  sql: Sql,
  { issuer, subject }: Identity,
): Promise<Known | "deactivated" | undefined> {
  const [row] = await sql<(Known & { active: boolean })[]>`
    select u.id, u.handle, u.name, 'j' || i.id as credential, i.name as "toldName", i.told_at as "toldAt",
           u.administrator, r.count as "provenAt", u.deactivated_at is null as active
      from identities i join users u on u.id = i.user_id, revocations r
     where i.issuer = ${issuer} and i.subject = ${subject}`;
  if (!row) return undefined;
  const { active, ...known } = row;
  return active ? known : "deactivated";
}

/**
 * Makes a user for an identity that has none.
 * @param told by the issuer: the name, and when
 * @returns "taken" if another user has the handle, "known" if the identity has a user by now
 */
export async function createByIdentity(
  sql: Sql,
  { issuer, subject }: Identity,
  user: { handle: string; name: string },
  told: { name: string | null; at: Date },
): Promise<Caller | "taken" | "known"> {
  try {
    const [row] = await sql<Caller[]>`
      with u as (
        insert into users (handle, name) values (${user.handle}, ${user.name})
        on conflict (handle) do nothing returning id, handle, name
      ), i as (
        insert into identities (user_id, issuer, subject, name, told_at)
        select id, ${issuer}, ${subject}, ${told.name}, ${told.at} from u returning id
      )
      select u.id, u.handle, u.name, 'j' || i.id as credential, false as administrator, r.count as "provenAt"
        from u, i, revocations r`;
    return row ?? "taken";
  } catch (error) {
    if (!isDuplicate(error, "identities_issuer_subject_key")) throw error;
    return "known";
  }
}

/**
 * Notes another name that the issuer tells.
 * @returns whether it is news: not if a token that was issued later has told one
 */
export async function noteName(
  tx: Sql,
  credential: string,
  told: { name: string; at: Date },
): Promise<boolean> {
  const rows = await tx`
    update identities set name = ${told.name}, told_at = ${told.at}
     where id = ${credential.slice(1)}::bigint and told_at <= ${told.at} and name is distinct from ${told.name}
    returning id`;
  return rows.length > 0;
}
