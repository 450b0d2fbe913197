import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { chmod, chown, lstat, mkdir, readFile, realpath, rename, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectionOptions, open } from "./client.ts";
import { ensureCluster } from "./cluster.ts";
import { codeOf } from "./errors.ts";
import { type Binaries, findBinaries, type Runner, runnerFor } from "./postgres-binaries.ts";

export interface EmbeddedPostgres {
  /** Options for postgres.js. */
  readonly connection: { host: string; port: number; user: string; database: string };
  /** As in "18.4". */
  readonly version: string;
  readonly dataDir: string;
  /** Whether it was alive already, left by a server that was killed, or started by another. */
  readonly joined: boolean;
  /** Stops it, unless another Foyer is connected to it. Close your own connections first. */
  stop(): Promise<void>;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

const PORT = 5432; // names the socket; nothing listens on TCP
const USER = "foyer";
const DATABASE = "foyer";
/** Bytes of a Unix socket's path (sockaddr_un has 104 on macOS, 108 on Linux). */
const MAX_SOCKET_PATH = 103;
/** A log beyond this (bytes) is put aside at the next start, in the place of the one before it. */
const MAX_LOG = 1_000_000;
const POLL_MS = 20;
/** Milliseconds for a start that says nothing; one that says it recovers may take the second. */
const START_MS = 60_000;
const RECOVERY_MS = 600_000;
/** Milliseconds in which a postmaster that ends at once is tried again. */
const GIVE_UP_MS = 15_000;
const STOP_MS = 60_000;
/** Milliseconds between two lines about a recovery, and between two looks whether it is still there. */
const TELL_MS = 10_000;
const WATCH_MS = 1_000;

const SETTINGS = {
  listen_addresses: "", // the socket only
  unix_socket_permissions: "0700", // with the folder's own: whoever is let in there may be trusted (pg_hba.conf)
  shared_buffers: "128MB",
  max_connections: "100",
  jit: "off", // compiling costs more than any of our statements
  log_min_messages: "log", // no statement that failed: its text may be a message's
  log_min_error_statement: "panic",
  log_checkpoints: "off",
  log_timezone: "UTC",
  timezone: "UTC",
};

/**
 * Starts the embedded Postgres of a data folder, or joins the one that is alive there already. Data is durable
 * (fsync on), the socket its only door.
 * @param dataDir made if it is not there; holds the cluster, its log and its socket
 * @throws Error in words for an operator: another major version's data, a platform without binaries, a folder that
 *   cannot be used, or the end of Postgres's own log
 */
export async function startEmbedded(dataDir: string, log: Log): Promise<EmbeddedPostgres> {
  await mkdir(dataDir, { recursive: true });
  const home = await realpath(dataDir);
  const cluster = join(home, "postgres");
  const logFile = join(home, "postgres.log");
  const binaries = await findBinaries(home);
  const runner = await runnerFor(cluster, [home, binaries.folder]);
  const host = await socketFolder(home, runner);
  await ensureCluster(cluster, binaries, runner, USER);

  const connection = { host, port: PORT, user: USER, database: DATABASE };
  const launchIt = () => launch(cluster, host, logFile, binaries, runner);
  const joined = await bringUp(cluster, connection, logFile, launchIt, log);
  const version = await prepare(connection);

  // One that is killed while we live is started again: nothing else would.
  let watching: Promise<unknown> = Promise.resolve();
  const watch = setInterval(() => {
    watching = watching.then(async () => {
      if (stopped || (await postmasterOf(cluster)) !== null) return;
      log.warn({}, "the embedded Postgres is gone; starting it again");
      await bringUp(cluster, connection, logFile, launchIt, log).catch((error) =>
        log.warn({ message: String(error) }, "the embedded Postgres does not come up; trying again"),
      );
    });
  }, WATCH_MS);
  watch.unref();

  let stopped: Promise<void> | undefined;
  return {
    connection,
    version,
    dataDir: home,
    joined,
    stop() {
      clearInterval(watch);
      stopped ??= watching.then(() => stop(cluster, connection, log));
      return stopped;
    },
  };
}

/**
 * Waits until Postgres answers; starts it if it does not run.
 * @returns whether it ran already
 */
async function bringUp(
  cluster: string,
  connection: EmbeddedPostgres["connection"],
  logFile: string,
  launchIt: () => Promise<{ exitCode: number | null }>,
  log: Log,
): Promise<boolean> {
  const started = performance.now();
  let child: { exitCode: number | null } | undefined;
  for (let told = started; ; await Bun.sleep(POLL_MS)) {
    const answer = await ask(connection);
    if (answer === "ready") return child === undefined;
    const elapsed = performance.now() - started;
    if (elapsed > (answer === "starting" ? RECOVERY_MS : START_MS)) {
      throw await failure(logFile, "did not start in time");
    }
    if (answer === "starting" && performance.now() - told > TELL_MS) {
      told = performance.now();
      log.info({ seconds: Math.round(elapsed / 1000) }, "the embedded Postgres is recovering");
    }
    // Where two start at the same moment, one of their postmasters gives way to the other's lock file and ends. Those
    // that a killed one left behind still hold its shared memory for a moment: then ours ends too, and is tried again.
    const ended = child !== undefined && child.exitCode !== null;
    if (ended && elapsed > GIVE_UP_MS) throw await failure(logFile, "ended at once");
    if ((!child || ended) && (await postmasterOf(cluster)) === null) child = await launchIt();
  }
}

/** A folder for the socket that only we can enter: in the data folder, or, where that is too deep, in the temporary one. */
async function socketFolder(home: string, runner: Runner): Promise<string> {
  const inside = join(home, "socket");
  const fits = `${inside}/.s.PGSQL.${PORT}`.length <= MAX_SOCKET_PATH;
  const name = createHash("sha256").update(home).digest("hex").slice(0, 16);
  const folder = fits ? inside : join(tmpdir(), `foyer-${name}`);
  await mkdir(folder, { mode: 0o700 }).catch((error) => {
    if (codeOf(error) !== "EEXIST") throw error;
  });
  const owner = (await lstat(folder)).isDirectory() ? (await stat(folder)).uid : -1;
  // Others may write to the temporary folder: what they made there under this name is not ours to trust.
  if (![process.getuid?.(), runner.uid].includes(owner))
    throw new Error(`${folder} belongs to somebody else; remove it.`);
  await chmod(folder, 0o700);
  if (runner.uid !== owner && runner.uid !== undefined) await chown(folder, runner.uid, runner.gid ?? 0);
  return folder;
}

async function launch(
  cluster: string,
  host: string,
  logFile: string,
  { postgres, environment }: Binaries,
  runner: Runner,
): Promise<{ exitCode: number | null }> {
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  if (size > MAX_LOG) await rename(logFile, `${logFile}.old`);
  const settings = Object.entries({ ...SETTINGS, unix_socket_directories: host, port: PORT });
  const [command, ...args] = runner.command([
    postgres,
    "-D",
    cluster,
    ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]);
  const output = openSync(logFile, "a", 0o600);
  try {
    // A session of its own: Ctrl-C in our terminal is for us, who first drain and then stop it.
    const child = spawn(command as string, args, {
      detached: true,
      stdio: ["ignore", output, output],
      env: environment,
    });
    const { promise, reject } = Promise.withResolvers<never>();
    child.once("error", reject);
    child.unref();
    await Promise.race([promise, new Promise((resolve) => child.once("spawn", resolve))]);
    return child;
  } finally {
    closeSync(output);
  }
}

/** Whether something answers on the socket: it does, it is on its way up (or down), or nothing is there. */
async function ask(connection: EmbeddedPostgres["connection"]): Promise<"ready" | "starting" | "away"> {
  const sql = open(
    { ...connection, database: "postgres" },
    { ...connectionOptions(5_000), max: 1, connect_timeout: 2 },
  );
  try {
    await sql`select 1`;
    return "ready";
  } catch (error) {
    return codeOf(error) === "57P03" ? "starting" : "away";
  } finally {
    await sql.end({ timeout: 0 });
  }
}

/** Makes our database. @returns the server's version */
async function prepare(connection: EmbeddedPostgres["connection"]): Promise<string> {
  const sql = open({ ...connection, database: "postgres" }, { ...connectionOptions(0), max: 1 });
  try {
    const [there] = await sql`select from pg_database where datname = ${DATABASE}`;
    if (!there) {
      await sql.unsafe(`create database ${DATABASE}`).catch((error) => {
        // 42P04, 23505: another one was quicker
        if (!["42P04", "23505"].includes(codeOf(error))) throw error;
      });
    }
    const [row] = await sql`select current_setting('server_version') as version`;
    return row?.version;
  } finally {
    await sql.end();
  }
}

/** The process id of the postmaster that runs this cluster; null if none does, whatever its lock file says. */
async function postmasterOf(cluster: string): Promise<number | null> {
  const file = await readFile(join(cluster, "postmaster.pid"), "utf8").catch(() => "");
  const pid = Number.parseInt(file, 10);
  if (!(pid > 0) || !isAlive(pid)) return null;
  // The number may have gone to another process since: a postmaster works in its cluster's folder.
  if (process.platform !== "linux") return pid;
  const folder = await realpath(`/proc/${pid}/cwd`).catch(() => null);
  return folder === cluster ? pid : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

async function stop(cluster: string, connection: EmbeddedPostgres["connection"], log: Log): Promise<void> {
  const pid = await postmasterOf(cluster);
  if (pid === null) return;
  const sql = open(connection, { ...connectionOptions(5_000), max: 1 });
  try {
    const [others] = await sql`
      select count(*) as connections from pg_stat_activity
       where application_name like 'foyer%' and pid <> pg_backend_pid()`;
    if (others?.connections > 0) {
      log.info(others ?? {}, "the embedded Postgres stays: another server is connected to it");
      return;
    }
  } finally {
    await sql.end({ timeout: 1 });
  }
  process.kill(pid, "SIGINT"); // "fast": ends the sessions, writes a checkpoint
  for (const deadline = performance.now() + STOP_MS; (await postmasterOf(cluster)) === pid; ) {
    if (performance.now() > deadline) {
      log.warn({ pid }, "the embedded Postgres takes long to stop; leaving it to finish");
      return;
    }
    await Bun.sleep(POLL_MS);
  }
}

async function failure(logFile: string, what: string): Promise<Error> {
  const tail = (await readFile(logFile, "utf8").catch(() => "")).trim().split("\n").slice(-5).join("\n  ");
  return new Error(`the embedded Postgres ${what}; its log (${logFile}) ends:\n  ${tail}`);
}
