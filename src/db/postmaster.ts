import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync } from "node:fs";
import { copyFile, lchown, lstat, mkdir, readFile, realpath, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterIn, prepareCluster, readIfThere } from "./cluster.ts";
import type { Account } from "./programs.ts";

const PORT = 5432; // no port: a part of the socket's name
const SOCKET_PATH = 103; // bytes, by macOS's sockaddr_un; Linux's is longer
const LOG_BYTES = 8 * 1024 * 1024; // twice: the log and the one before
const WORDS = 2_000; // characters of the log, in an error

/** On the command line, where they outrank the cluster's own postgresql.conf. */
const SETTINGS = {
  listen_addresses: "", // the Unix socket only
  unix_socket_permissions: "0700",
  max_connections: 100,
  shared_buffers: "128MB", // the rest of a small container is page cache
  jit: "off", // our queries take milliseconds; compiling one takes a hundred
  max_parallel_workers_per_gather: 0, // short queries again, and Docker's /dev/shm of 64 MB
  timezone: "UTC",
  log_timezone: "UTC",
  log_statement: "none",
  log_min_duration_statement: "1s", // statements as they were sent, so with $1 in place of the values:
  log_parameter_max_length: 0, // they hold what people wrote
  log_parameter_max_length_on_error: 0,
  log_min_error_statement: "panic",
  log_error_verbosity: "terse", // without DETAIL, which quotes the row
};

/** What a postmaster says of itself in its lock file. */
export interface Postmaster {
  pid: number;
  /** The socket's folder and "port". */
  host: string;
  port: number;
  /** "starting", "ready", "stopping" */
  status: string;
}

/** @returns null if there is none, or if the cluster was copied from beneath a living one */
export async function readPostmaster(home: string): Promise<Postmaster | null> {
  const [pid, cluster, , port, host, , , status] = (await readPidFile(home)).split("\n");
  if (cluster !== clusterIn(home) || !host || !status) return null;
  return { pid: Number(pid), host, port: Number(port), status: status.trim() };
}

const readPidFile = (home: string): Promise<string> => readIfThere(join(clusterIn(home), "postmaster.pid"));

/** Whether the process is the postmaster of this cluster; its children go by other titles. */
export async function isPostmaster(pid: number, home: string): Promise<boolean> {
  const command = await (process.platform === "linux"
    ? readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")
    : Bun.$`ps -ww -o command= -p ${pid}`.nothrow().text());
  return command.replaceAll("\0", " ").includes(`/postgres -D ${clusterIn(home)} `);
}

/** A postmaster that we started. */
export interface Started {
  child: Bun.Subprocess;
  /** What it has said so far, from the end. */
  lastWords(): Promise<string>;
}

/** Starts the postmaster, on a new cluster if there is none. @param lock handed on to it and to its children */
export async function startPostmaster(home: string, lock: number): Promise<Started> {
  const { account, spawn } = await prepareCluster(home, lock);
  const host = await socketFolder(home, account);
  await boundLog(home);
  const output = openSync(logIn(home), "a", 0o600);
  try {
    const { size } = fstatSync(output);
    // A killed postmaster leaves its process id behind, which may be another process's by now. We hold the lock, so it
    // is no postmaster's, and this is how pg_ctl says so; whether its shared memory is in use Postgres sees for itself.
    const stale = Number.parseInt(await readPidFile(home), 10) || 0;
    const settings = Object.entries(SETTINGS).map(([name, value]) => `--${name}=${value}`);
    const child = spawn("postgres", ["-D", clusterIn(home), "-k", host, "-p", `${PORT}`, ...settings], {
      stdio: ["ignore", output, output, lock],
      env: { PG_GRANDPARENT_PID: `${stale}` },
    });
    child.unref();
    return {
      child,
      lastWords: async () => (await Bun.file(logIn(home)).slice(size).text()).slice(-WORDS).trim(),
    };
  } finally {
    closeSync(output);
  }
}

/** The socket's folder: beneath the data folder, which may be all that can be written, unless its path does not fit. */
async function socketFolder(home: string, account: Account | null): Promise<string> {
  const wanted = join(home, "socket");
  const fits = Buffer.byteLength(`${wanted}/.s.PGSQL.${PORT}`) <= SOCKET_PATH;
  const name = createHash("sha256").update(home).digest("hex").slice(0, 16);
  // Postgres and postgres.js both read a list there, by commas and quotes.
  const folder = fits && !/[,"]/.test(wanted) ? wanted : join(await realpath(tmpdir()), `foyer-${name}`);

  await mkdir(folder, { mode: 0o700 }).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
  const found = await lstat(folder);
  const owners = [process.geteuid?.(), account?.uid];
  // Where everyone can write, anyone may have been before us.
  if (!found.isDirectory() || !owners.includes(found.uid) || (found.mode & 0o077) !== 0) {
    throw new Error(`${folder} must be a folder of our own that is closed to others (0700). Remove it.`);
  }
  if (account) await lchown(folder, account.uid, account.gid);
  return folder;
}

const logIn = (home: string): string => join(home, "postgres.log");

/** Keeps Postgres's log below its bound. It goes on writing to the same file: it appends, so the file may be cut. */
export async function boundLog(home: string): Promise<void> {
  const file = logIn(home);
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= LOG_BYTES) return;
  await copyFile(file, `${file}.old`);
  await truncate(file);
}
