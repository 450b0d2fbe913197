import type { Sql } from "../db/client.ts";
import type { Log } from "../log.ts";

/** Sessions removed by one statement, so that it is a short one. */
const BATCH = 1_000;
/** Milliseconds between two looks for sessions that have expired. */
const LOOK_MS = 60_000;

/** Removes the sessions that have expired, from time to time: of everybody, also of who never comes back. */
export function sweepExpiredSessions(sql: Sql, log: Log): { stop(): void } {
  let stopped = false;
  let sweeping = false;
  const sweep = async () => {
    if (sweeping) return;
    sweeping = true;
    try {
      while (!stopped && (await sweepSome(sql)) === BATCH);
    } catch (error) {
      if (!stopped) log.warn({ message: String(error) }, "sweep of expired sessions failed; trying again");
    }
    sweeping = false;
  };
  const timer = setInterval(sweep, LOOK_MS);
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

/** Removes some of them; two servers at once do not wait for each other. @returns how many */
export async function sweepSome(sql: Sql, most = BATCH): Promise<number> {
  const { count } = await sql`
    delete from sessions
     where id = any (array(
       select id from sessions where expires_at <= now() order by expires_at limit ${most}::int for update skip locked
     ))`;
  return count;
}
