import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Config } from "../config.ts";
import { createLog } from "../log.ts";
import { connectionOptions, open, type Target } from "./client.ts";
import { startEmbedded } from "./embedded.ts";
import { migrate } from "./migrate.ts";

/** One connection, without a deadline for its statements. */
export type Connection = ReturnType<typeof open>;

/** Opens one connection that keeps its temporary tables and locks until it is closed. */
export function openConnection(target: Target): Connection {
  const options = { ...connectionOptions(0), max: 1, max_lifetime: null, idle_timeout: 0 };
  return open(target, options as ReturnType<typeof connectionOptions>);
}

/** Which database that is, for whoever runs a command: with another `DATA_DIR` than the server's it is another one. */
export const databaseWords = ({ databaseUrl, dataDir }: Config): string => {
  if (databaseUrl !== null) return "in the database of DATABASE_URL";
  const folder = resolve(dataDir);
  return existsSync(join(folder, "postgres"))
    ? `in the database in ${folder}`
    : `in a new database in ${folder}`;
};

/**
 * Works on the server's database, brought up to date: DATABASE_URL, or the embedded one, which is started if no
 * server runs it, and stopped again, so that a server may start in the meantime.
 */
export async function withDatabase<T>(
  config: Config,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const embedded = config.databaseUrl ? null : await startEmbedded(config.dataDir, createLog("warn"));
  try {
    const target = config.databaseUrl ?? (embedded?.connection as Target);
    await migrate(target);
    const connection = openConnection(target);
    try {
      return await work(connection);
    } finally {
      await connection.end({ timeout: 1 });
    }
  } finally {
    await embedded?.stop();
  }
}
