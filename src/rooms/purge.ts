import type { Sql } from "../db/client.ts";
import type { Log } from "../log.ts";

/** Messages removed by one statement: some 50 ms, so that nobody waits for it. */
const BATCH = 5_000;
/** Milliseconds between two looks for removed rooms. */
const LOOK_MS = 10_000;

/** Looks for removed rooms from time to time and removes their messages. */
export function purgeRemovedRooms(sql: Sql, log: Log): { stop(): void } {
  let stopped = false;
  let purging = false;
  const purge = async () => {
    if (purging) return;
    purging = true;
    try {
      for (let some = await purgeSome(sql); some && !stopped; some = await purgeSome(sql)) {
        if (some.done) log.info({ room: some.roomId }, "removed room purged");
      }
    } catch (error) {
      if (!stopped) log.warn({ message: String(error) }, "purge of removed rooms failed; trying again");
    }
    purging = false;
  };
  const timer = setInterval(purge, LOOK_MS);
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

/**
 * Removes the messages of one room that its owner has removed, a batch at a time.
 * @returns the room's id and whether it is done; null if there is no such room. Of two servers, each takes another room.
 */
export async function purgeSome(sql: Sql): Promise<{ roomId: number; done: boolean } | null> {
  const [row] = await sql<{ id: number; done: boolean }[]>`
    with room as (
      select id from rooms where deleted_at is not null and purged_at is null
       order by id limit 1 for update skip locked
    ), messages_gone as (
      delete from messages
       where (room_id, seq) in (select m.room_id, m.seq from room join messages m on m.room_id = room.id order by m.seq limit ${BATCH})
      returning room_id, seq
    ), mentions_gone as (
      delete from mentions where (room_id, seq) in (select room_id, seq from messages_gone)
        and user_id in (select user_id from memberships where room_id in (select id from room))
    ), uncounted_gone as (
      delete from uncounted where room_id in (select id from room)
    ), done as (
      update rooms set purged_at = now()
       where id in (select id from room) and (select count(*) from messages_gone) < ${BATCH}
      returning id
    )
    select id, exists (select from done) as done from room`;
  return row ? { roomId: row.id, done: row.done } : null;
}
