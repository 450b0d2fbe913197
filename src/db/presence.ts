import { closeSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { tryLock } from "./lock.ts";
import { readPostmaster, type Started, startPostmaster } from "./postmaster.ts";

/** Any number but that of the migrations, as long as every Foyer takes the same one: "presen" in ASCII. */
const KEY = 0x70726573656e;

const POLL_MS = 20;
const START_MS = 60_000;
const RECOVERY_MS = 600_000; // a gigabyte of log, the most between checkpoints, takes a slow disk minutes
const ANSWER_MS = 10_000;
const TELL_MS = 10_000;

/**
 * A connection that holds a shared advisory lock as long as a process has Postgres open. Whoever gets that lock
 * exclusively is the last, and may stop Postgres: nobody enters any more.
 */
export interface Presence {
  readonly host: string;
  readonly port: number;
  readonly version: string;
  /** Whether somebody else had started it. */
  readonly joined: boolean;
  /** Kept when the connection ends, whoever ended it. */
  readonly gone: Promise<void>;
  /** Gives up the lock. @returns whether nobody else is present; then nobody will be until `end` */
  leave(): Promise<boolean>;
  end(): Promise<void>;
}

interface EventLog {
  info(details: object, message: string): void;
}

const lockIn = (home: string): string => join(home, "postgres.lock");

/**
 * Enters the Postgres of a data folder, and starts it if it does not run. Whoever takes the lock file starts it, and
 * hands the lock on to it and to its children: while the lock is free none of them is alive, in this container or
 * another on the same folder; while it is taken we wait for it to let us in, or to end.
 * @throws Error with Postgres's last words if it ends or says nothing for a minute; while it recovers, for ten
 */
export async function enter(home: string, log: EventLog): Promise<Presence> {
  let started: Started | null = null;
  let since = performance.now();
  for (let told = since; ; await Bun.sleep(POLL_MS)) {
    const found = await visit(home);
    if (typeof found === "object") return { ...found, joined: started === null };

    if (started && hasEnded(started)) {
      // In good order: another process was let in before us, and has stopped it.
      if (started.child.exitCode === 0) started = null;
      else throw new Error(`Postgres does not start in ${home}. It said:\n${await started.lastWords()}`);
    }
    const lock = started ? null : tryLock(lockIn(home));
    if (lock !== null) {
      try {
        started = await startPostmaster(home, lock);
      } finally {
        closeSync(lock);
      }
      since = performance.now();
    }

    const waited = performance.now() - since;
    if (waited > (found === "busy" ? RECOVERY_MS : START_MS)) {
      const words = started ? await started.lastWords() : `Another process holds ${lockIn(home)}.`;
      throw new Error(`Postgres in ${home} lets nobody in for ${Math.round(waited / 1000)} s:\n${words}`);
    }
    if (performance.now() - told > TELL_MS) {
      told = performance.now();
      log.info({ seconds: Math.round(waited / 1000) }, "waiting for the embedded Postgres");
    }
  }
}

const hasEnded = ({ child }: Started): boolean => child.exitCode !== null || child.signalCode !== null;

const NOBODY_LISTENS = new Set(["ECONNREFUSED", "ENOENT"]);
/** It is starting or stopping (57P…), full, or breaks off; all that may pass. */
const BUSY = new Set(["57P03", "57P01", "57P02", "53300", "ECONNRESET", "EPIPE"]);
const BROKEN_OFF = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
]);

/** Enters by the socket that the cluster names. @returns "absent" if nobody listens there, "busy" if nobody is let in */
async function visit(home: string): Promise<Omit<Presence, "joined"> | "absent" | "busy"> {
  const postmaster = await readPostmaster(home);
  if (!postmaster) return "absent";
  // Not asked by connecting: each refusal would be a line in Postgres's log.
  if (postmaster.status !== "ready") return "busy";

  const { host, port } = postmaster;
  const { promise: gone, resolve: onclose } = Promise.withResolvers<void>();
  const sql = postgres({
    host,
    port,
    user: "foyer",
    database: "foyer",
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    fetch_types: false,
    connection: { application_name: "foyer" },
    onclose: () => onclose(),
  });
  const end = () => sql.end({ timeout: 0 });
  const clock = setTimeout(end, ANSWER_MS);
  try {
    const [row] = await sql`
      select split_part(current_setting('server_version'), ' ', 1) as version,
             pg_try_advisory_lock_shared(${KEY}::bigint)           as present`;
    if (row?.present) return { host, port, version: row.version, gone, leave: () => leave(sql), end };
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (NOBODY_LISTENS.has(code)) return "absent";
    if (!BUSY.has(code) && !BROKEN_OFF.has(code)) throw error;
  } finally {
    clearTimeout(clock);
  }
  await end();
  return "busy";
}

async function leave(sql: postgres.Sql): Promise<boolean> {
  await sql`select pg_advisory_unlock_shared(${KEY}::bigint)`;
  const [row] = await sql`select pg_try_advisory_lock(${KEY}::bigint) as alone`;
  return row?.alone;
}
