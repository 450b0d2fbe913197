import { createHash } from "node:crypto";
import type { Sql } from "../db/client.ts";

/**
 * A room-list cursor is `IDENTITY.XMIN`: of which database, and the oldest transaction that was still open when the
 * list was read. All that a later list can show anew has a version at or above it. It gives no right and needs no
 * secret: it is checked, and read only as the caller's own "since".
 */
export interface Cursors {
  encode(xmin: string): string;
  /** The xmin, or null for what is not a cursor of this database. */
  decode(cursor: string): string | null;
}

// 20 digits at most: an xid8 has 64 bits.
const CURSOR = /^([A-Za-z0-9_-]{16})\.([1-9]\d{0,18})$/;

/**
 * Reads which database this is: a copy that was restored elsewhere counts its transactions anew, and one beside it in
 * the same Postgres holds another state; both are others.
 */
export async function readCursors(sql: Sql): Promise<Cursors> {
  const [row] = await sql`
    select concat_ws('/', i.id, c.system_identifier, d.oid) as identity
      from installation i, pg_control_system() c, pg_database d
     where d.datname = current_database()`;
  const identity = createHash("sha256").update(row?.identity).digest("base64url").slice(0, 16);
  return {
    encode: (xmin) => `${identity}.${xmin}`,
    decode(cursor) {
      const [, whose, xmin] = CURSOR.exec(cursor) ?? [];
      return whose === identity ? (xmin ?? null) : null;
    },
  };
}
