import type { User } from "../auth/queries.ts";
import type { Sql } from "../db/client.ts";

/** What an administrator can do that others cannot. */
export const ACTS = [
  "administrator-made",
  "administrator-unmade",
  "user-made",
  "user-deactivated",
  "user-reactivated",
  "password-reset",
  "credentials-ended",
  "room-closed",
] as const;
export type Act = (typeof ACTS)[number];

/** Who acts, and from where; both null: somebody at the server's own command line. */
export interface Actor {
  userId: number | null;
  address: string | null;
}

/** What was done, by whom, to whom or what. */
export interface AuditedAct {
  id: number;
  at: Date;
  actor: User | null;
  act: Act;
  /** `name`: a person's handle, a room's name. */
  target: { kind: "user" | "room"; id: number; name: string | null };
  address: string | null;
}

/** Puts an act on record; in the transaction of the act, so that there is never one without the other. */
export async function record(
  tx: Sql,
  { userId, address }: Actor,
  act: Act,
  target: { kind: "user" | "room"; id: number },
): Promise<void> {
  await tx`
    insert into audit (actor_id, act, target_kind, target_id, address)
    values (${userId}, ${act}, ${target.kind}, ${target.id}, ${address})`;
}

/**
 * What was done, newest first.
 * @param page.before only what was done before the act of this id
 */
export async function listActs(
  sql: Sql,
  { before, limit }: { before: number; limit: number },
): Promise<AuditedAct[]> {
  return [
    ...(await sql<AuditedAct[]>`
      select a.id, a.at, a.act, a.address,
             case when u.id is not null then json_build_object('id', u.id, 'handle', u.handle, 'name', u.name) end as actor,
             json_build_object('kind', a.target_kind, 'id', a.target_id, 'name',
                               case a.target_kind when 'user' then (select handle from users where id = a.target_id)
                                                  else (select name from rooms where id = a.target_id) end) as target
        from audit a
        left join users u on u.id = a.actor_id
       where a.id < ${before}
       order by a.id desc limit ${limit}`),
  ];
}
