import type { User } from "../auth/queries.ts";
import { arrayLiteral, type Sql } from "../db/client.ts";

/** A person, and whether they have a stream open, on whatever server. */
export interface Peer extends User {
  online: boolean;
}

/** A membership whose list shows something new. */
export interface Touched {
  userId: number;
  roomId: number;
}

/** Any number but those of src/db, as long as every Foyer takes the same one: "online" in ASCII. */
const KEY = 0x6f6e6c696e65;
/** Seconds after its last beat that a server is taken for dead: three beats. */
const SILENCE = 15;
/** Seconds before a server that has stopped is: its clients are back elsewhere by then (`retry`, 5 s at the most). */
const GOODBYE = 8;

/**
 * True once no change of presence is under way; none begins before the transaction ends. For who makes a direct room:
 * its peers are told as they are, and whatever changes later finds the room.
 */
export const presenceStands = (sql: Sql) => sql`pg_advisory_xact_lock_shared(${KEY}::bigint) is not null`;

/**
 * One change of presence at a time, or two servers that drop a person's last two rows would each see the other's. In a
 * statement of its own: what follows sees all that went before. And follows its keys from index to index: the planner
 * takes arrays for longer than they are, and would rather read whole tables.
 */
const takeTurn = (tx: Sql) => tx`
  select pg_advisory_xact_lock(${KEY}::bigint),
         set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`;

/** Registers a server. */
export async function enterServer(sql: Sql, server: string): Promise<void> {
  await sql`insert into servers (id) values (${server})`;
}

/**
 * Tells that a server lives. Who has been silent for too long stays dead, or it would come back to life while
 * another one clears its rows away.
 * @returns whether it still counts as living, and whether some server does not
 */
export async function beat(sql: Sql, server: string): Promise<{ alive: boolean; othersSilent: boolean }> {
  const [row] = await sql<{ alive: boolean; othersSilent: boolean }[]>`
    with seen as (
      update servers set seen_at = now()
       where id = ${server} and seen_at > now() - make_interval(secs => ${SILENCE})
      returning id
    )
    select exists (select from seen) as alive,
           exists (select from servers
                    where id <> ${server} and seen_at <= now() - make_interval(secs => ${SILENCE})) as "othersSilent"`;
  return row as { alive: boolean; othersSilent: boolean };
}

/** The last beat of a server that stops. Its people stay online until it is cleared away: they are about to come back. */
export async function sayGoodbye(sql: Sql, server: string): Promise<void> {
  await sql`
    update servers set seen_at = least(seen_at, now() - make_interval(secs => ${SILENCE - GOODBYE}))
     where id = ${server}`;
}

/**
 * Tells who has come to a server and who has gone from it.
 * @returns whom that shows to; null, and nothing is changed, if the server was taken for dead
 */
export async function changePresence(
  tx: Sql,
  server: string,
  came: number[],
  went: number[],
): Promise<Touched[] | null> {
  await takeTurn(tx);
  const [row] = await tx<{ alive: boolean; flipped: number[] }[]>`
    with own as (
      select id from servers where id = ${server} and seen_at > '-infinity'
    ), came as (
      insert into presence (user_id, server_id)
      select person, own.id from own, unnest(${arrayLiteral(came)}::bigint[]) as person
      on conflict do nothing
      returning user_id
    ), went as (
      delete from presence
       where user_id = any (${arrayLiteral(went)}::bigint[]) and server_id in (select id from own)
      returning user_id
    )
    select exists (select from own) as alive,
           (select coalesce(json_agg(user_id), '[]')
              from (select user_id from came union all select user_id from went) moved
             where not exists (select from presence p
                                where p.user_id = moved.user_id and p.server_id <> ${server})) as flipped`;
  return row?.alive ? touchPeers(tx, row.flipped) : null;
}

/**
 * Clears away the servers that have been silent for too long, and who was online there alone: so many people at a time.
 * @returns whom that shows to, and whether there is more to do
 */
export async function clearSilent(tx: Sql, most: number): Promise<{ touched: Touched[]; more: boolean }> {
  await takeTurn(tx);
  const silent = await tx<{ id: string }[]>`
    update servers set seen_at = '-infinity'
     where seen_at <= now() - make_interval(secs => ${SILENCE})
    returning id`;
  const ids = arrayLiteral(silent.map(({ id }) => id));
  const people = await tx<{ userId: number; flipped: boolean }[]>`
    with people as (
      select distinct user_id from presence where server_id = any (${ids}::uuid[]) limit ${most}
    ), gone as (
      delete from presence where user_id in (select user_id from people) and server_id = any (${ids}::uuid[])
    )
    select user_id as "userId",
           not exists (select from presence p
                        where p.user_id = people.user_id and p.server_id <> all (${ids}::uuid[])) as flipped
      from people`;
  const more = people.length === most;
  if (!more) await tx`delete from servers where id = any (${ids}::uuid[])`;
  const flipped = people.flatMap(({ userId, flipped }) => (flipped ? userId : []));
  return { touched: await touchPeers(tx, flipped), more };
}

/** Counts what has changed about these people as a change of the others' memberships in their direct rooms. */
async function touchPeers(tx: Sql, userIds: number[]): Promise<Touched[]> {
  if (userIds.length === 0) return [];
  return tx<Touched[]>`
    with direct as (
      select r.id, array_remove(r.direct_user_ids, m.user_id) as others
        from memberships m join rooms r on r.id = m.room_id
       where m.user_id = any (${arrayLiteral(userIds)}::bigint[]) and m.left_at is null
         and r.kind = 'direct' and r.deleted_at is null
    ), locked as ( -- in one order, as everywhere: who meets waits in line
      select user_id, room_id from memberships
       where (user_id, room_id) in (select unnest(others), id from direct) and left_at is null
       order by user_id, room_id for no key update
    )
    update memberships m set version = pg_current_xact_id()
      from locked
     where m.user_id = locked.user_id and m.room_id = locked.room_id
    returning m.user_id as "userId", m.room_id as "roomId"`.then((rows) => [...rows]);
}
