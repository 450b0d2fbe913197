import { createHash } from "node:crypto";
import type { Sql } from "../db/client.ts";

// An xid8 has 64 bits; 18 digits are 30,000 years at a million transactions a second, and never overflow a bigint.
const CURSOR = /^([A-Za-z0-9_-]{16})\.([1-9]\d{0,17})$/;
/** Below every transaction that an application made: everything has changed since (FirstNormalTransactionId). */
const BEGINNING = "3";

/**
 * Room-list cursors: `IDENTITY.XMIN`, of which database in which epoch, and from where on: the oldest transaction that was
 * still open when the list was read, or the next one. All that a later list can show anew has a version at or above it.
 * A cursor gives no right and needs no secret: it is checked, and read only as the caller's own "since".
 *
 * An epoch is when the database's statistics began (those of the background writer). Postgres begins them anew when it recovers from a crash,
 * and so does a standby that takes over or a backup that is restored: the last transaction numbers before that were lost,
 * are given out again, and mean something else.
 */
export class Cursors {
  #epoch = "";
  #identity = "";

  /** @param database what tells this database from every other; not from a later state of itself, the epoch tells that */
  constructor(
    private readonly database: string,
    epoch: string,
  ) {
    this.enter(epoch);
  }

  /** The epoch that cursors are written and read in. */
  get epoch(): string {
    return this.#epoch;
  }

  /** An answer of the database says in which epoch it is now. */
  enter(epoch: string): void {
    if (epoch === this.#epoch && this.#identity !== "") return;
    this.#epoch = epoch;
    this.#identity = createHash("sha256")
      .update(`${this.database}/${epoch}`)
      .digest("base64url")
      .slice(0, 16);
  }

  encode(xmin: string): string {
    return `${this.#identity}.${xmin}`;
  }

  /** A cursor that covers nothing: whoever asks with it is told every room, as a change. */
  beginning(): string {
    return this.encode(BEGINNING);
  }

  /** The xmin; null for what is no cursor of this database in this epoch. */
  decode(cursor: string): string | null {
    const [, identity, xmin] = CURSOR.exec(cursor) ?? [];
    return identity === this.#identity ? (xmin ?? null) : null;
  }
}

/** Reads which database this is; one beside it in the same Postgres, copied from it, is another. */
export async function readCursors(sql: Sql): Promise<Cursors> {
  const [row] = await sql`
    select concat_ws('/', i.id, c.system_identifier, d.oid) as database,
           coalesce(pg_stat_get_bgwriter_stat_reset_time()::text, '') as epoch
      from installation i, pg_control_system() c, pg_database d
     where d.datname = current_database()`;
  return new Cursors(row?.database, row?.epoch);
}
