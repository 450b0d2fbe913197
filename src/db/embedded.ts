import { mkdir, realpath } from "node:fs/promises";
import { boundLog, isPostmaster, readPostmaster } from "./postmaster.ts";
import { enter, type Presence } from "./presence.ts";

export interface EmbeddedPostgres {
  /** Options for postgres.js; the host is the folder of the Unix socket. */
  readonly connection: { host: string; port: number; user: string; database: string };
  /** "18.4" */
  readonly version: string;
  readonly dataDir: string;
  /** Whether it ran already: left by a process that was killed, or open in another. */
  readonly joined: boolean;
  /** Stops it, unless another process has it open. Close your own connections first. */
  stop(): Promise<void>;
}

interface EventLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

const POLL_MS = 20;
const STOP_MS = 60_000;
const MEND_PAUSE_MS = 5_000;
const LOG_CHECK_MS = 60_000;

/**
 * Starts Postgres on a data folder, or joins the one that runs there. It outlives a process of ours that is killed, and
 * the next start joins it; if it is killed while it is open here, it is started again. Beneath the folder: `postgres/`
 * (the cluster), `postgres.log`, `postgres.lock`, `socket/` and `lib/`.
 *
 * It holds one connection, and with it keeps this process alive, until `stop`.
 * @param dataDir made if there is none
 * @throws Error, for the operator: no binaries for this platform, a folder that cannot be used, data of another
 *   major version, or Postgres's own last words
 */
export async function startEmbedded(dataDir: string, log: EventLog): Promise<EmbeddedPostgres> {
  await mkdir(dataDir, { recursive: true });
  const home = await realpath(dataDir);
  return new Embedded(home, log, await enter(home, log));
}

class Embedded implements EmbeddedPostgres {
  readonly connection: EmbeddedPostgres["connection"];
  readonly version: string;
  readonly joined: boolean;
  #presence!: Presence;
  #mending: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #log: EventLog;
  readonly #logCheck: Timer;

  constructor(
    readonly dataDir: string,
    log: EventLog,
    presence: Presence,
  ) {
    this.connection = { host: presence.host, port: presence.port, user: "foyer", database: "foyer" };
    this.version = presence.version;
    this.joined = presence.joined;
    this.#log = log;
    this.#logCheck = setInterval(() => boundLog(dataDir).catch(() => {}), LOG_CHECK_MS).unref(); // a minute later again
    this.#stay(presence);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#leave();
    return this.#stopped;
  }

  #stay(presence: Presence): void {
    this.#presence = presence;
    presence.gone.then(() => {
      if (!this.#stopped) this.#mending = this.#mend();
    });
  }

  async #mend(): Promise<void> {
    this.#log.warn({ dataDir: this.dataDir }, "the embedded Postgres is gone; starting it again");
    while (!this.#stopped) {
      try {
        return this.#stay(await enter(this.dataDir, this.#log));
      } catch (error) {
        this.#log.warn({ message: String(error) }, "the embedded Postgres does not come up; trying again");
        await Bun.sleep(MEND_PAUSE_MS);
      }
    }
  }

  async #leave(): Promise<void> {
    clearInterval(this.#logCheck);
    await this.#mending;
    const presence = this.#presence;
    try {
      if (!(await presence.leave())) {
        this.#log.info({}, "the embedded Postgres stays up: another process has it open");
        return;
      }
      const postmaster = await readPostmaster(this.dataDir);
      // Of another container, say: then the number is that of some other process here.
      if (!postmaster || !(await isPostmaster(postmaster.pid, this.dataDir))) {
        this.#log.warn(
          { pid: postmaster?.pid },
          "the embedded Postgres stays up: it is no process of this system",
        );
        return;
      }
      process.kill(postmaster.pid, "SIGINT"); // "fast": ends the sessions, writes a checkpoint
      await this.#ended(postmaster.pid);
    } catch (error) {
      this.#log.warn({ message: String(error) }, "the embedded Postgres was not there to be stopped");
    } finally {
      await presence.end();
    }
  }

  async #ended(pid: number): Promise<void> {
    // Not by the lock: another start may have it the moment that it is free.
    for (const since = performance.now(); await isPostmaster(pid, this.dataDir); await Bun.sleep(POLL_MS)) {
      if (performance.now() - since < STOP_MS) continue;
      this.#log.warn({ pid }, "the embedded Postgres takes long to stop; leaving it to finish");
      return;
    }
  }
}
