import type { User } from "../auth/queries.ts";
import type { Sql } from "../db/client.ts";

/** Words of a search of people; more are not a name. */
const MOST_WORDS = 8;

/** A condition on `users`: the handle, or a word of the name, begins with what is asked for; "": everybody. */
export function isFound(sql: Sql, q: string) {
  const handle = `${q
    .toLowerCase()
    .replace(/^@/, "")
    .replace(/[\\%_]/g, "\\$&")}%`;
  const words = (q.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, MOST_WORDS);
  const names = words.map((word) => `${word}:*`).join(" & ");
  return sql`
    (handle like ${handle} or (${names} <> '' and to_tsvector('simple', name) @@ to_tsquery('simple', ${names})))`;
}

/** People to write to, by handle; nobody who is deactivated. */
export async function findUsers(sql: Sql, q: string, limit: number): Promise<User[]> {
  return [
    ...(await sql<User[]>`
      select id, handle, name from users
       where ${isFound(sql, q)} and deactivated_at is null
       order by handle limit ${limit}`),
  ];
}

/**
 * Gives a person another name. Every room they are in counts as changed: its list entry may show the name, and so may
 * its messages: timelines tell the newest again.
 *
 * The person is locked first, so fully that nobody can become a member of a new room meanwhile (its foreign key asks
 * for the same row): the second statement sees every membership there is, and whoever joins later shows the new name.
 * @returns the user, and the ids of those rooms
 */
export async function renameUser(tx: Sql, userId: number, name: string) {
  const [user] = await tx<User[]>`select id, handle, name from users where id = ${userId} for update`;
  if (user?.name === name) return { user, rooms: [] };
  const [row] = await tx<{ user: User; rooms: number[] }[]>`
    with renamed as (
      update users set name = ${name} where id = ${userId} returning id, handle, name
    ), locked as ( -- in the order of their ids: two renames wait for each other, they do not deadlock
      select id from rooms
       where id in (select room_id from memberships where user_id = ${userId}) and deleted_at is null
       order by id for no key update
    ), touched as (
      update rooms
         set version = pg_current_xact_id(), change_count = change_count + 1, renamed_change = change_count + 1
       where id in (select id from locked) returning id
    )
    select (select json_build_object('id', id, 'handle', handle, 'name', name) from renamed) as user,
           (select coalesce(json_agg(id), '[]') from touched) as rooms`;
  return row as { user: User; rooms: number[] };
}
