import { readdir } from "node:fs/promises";
import { connectionOptions, open, SCHEMA, type Target } from "./client.ts";

const FOLDER = new URL("./migrations/", import.meta.url);
/** Any number, as long as every Foyer takes the same one: "foyer" in ASCII. */
const LOCK = 0x666f796572;
const OLDEST_POSTGRES = 15;

/** The database and this program do not fit each other; the message is for the operator. */
export class MigrationError extends Error {
  override name = "MigrationError";
}

/**
 * Brings the schema up to date: the numbered files of `migrations/` that the database has not seen, in order, each in
 * one transaction with its record. Under an advisory lock: of two servers that start at once, one waits for the other.
 * @returns what the operator is told: the server's version, and the migrations that ran now
 * @throws MigrationError for a Postgres that is too old, or a database newer than this program
 */
export async function migrate(target: Target): Promise<{ postgres: string; ran: string[] }> {
  const sql = open(target, { ...connectionOptions(0), max: 1 }); // a migration may take its time
  try {
    return await migrateBy(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/**
 * The same by a client that is there.
 * @param sql of one connection, without a deadline for its statements
 */
export async function migrateBy(sql: ReturnType<typeof open>): Promise<{ postgres: string; ran: string[] }> {
  const files = (await readdir(FOLDER)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort();
  const [server] = await sql`
    select current_setting('server_version_num')::int / 10000 as major, split_part(current_setting('server_version'), ' ', 1) as version`;
  if (server?.major < OLDEST_POSTGRES) {
    throw new MigrationError(
      `This is Postgres ${server?.version}; Foyer needs Postgres ${OLDEST_POSTGRES} or later.`,
    );
  }
  await sql`select pg_advisory_lock(${LOCK}::bigint)`;
  try {
    await sql.unsafe(`
      create schema if not exists ${SCHEMA};
      create table if not exists ${SCHEMA}.migrations (name text primary key, ran_at timestamptz not null default now());
    `);
    const done = new Set((await sql`select name from migrations`).map((row) => row.name));
    const unknown = [...done].filter((name) => !files.includes(name)).sort();
    if (unknown.length > 0) {
      throw new MigrationError(
        `The database is newer than this program: it has had ${unknown.join(", ")}. Start the newer version.`,
      );
    }
    const ran = files.filter((name) => !done.has(name));
    for (const name of ran) {
      const text = await Bun.file(new URL(name, FOLDER)).text();
      await sql.begin(async (tx) => {
        await tx.unsafe(text).simple();
        await tx`insert into migrations (name) values (${name})`;
      });
    }
    return { postgres: server?.version, ran };
  } finally {
    await sql`select pg_advisory_unlock(${LOCK}::bigint)`;
  }
}
