import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectionOptions, open, type Target } from "../../src/db/client.ts";
import { migrate } from "../../src/db/migrate.ts";

/**
 * The Postgres that all tests share: TEST_DATABASE_URL, or an embedded one of this run. Each test file takes
 * databases of its own, copied from a migrated template.
 */
interface Shared {
  target: (database: string) => Target;
  template: string;
  stop(): Promise<void>;
}

// Set by preload.ts once a run, before any test file.
let shared: Promise<Shared> | undefined;
let databases = 0;

async function start(): Promise<Shared> {
  const external = process.env.TEST_DATABASE_URL;
  const folder = external ? undefined : await mkdtemp(join(tmpdir(), "foyer-test-"));
  const embedded = folder ? await startOwn(folder) : undefined;
  const target = (database: string): Target => {
    if (embedded) return { ...embedded.connection, database };
    const url = new URL(external as string);
    url.pathname = `/${database}`;
    return url.href;
  };
  const template = `foyer_test_${process.pid}`;
  await maintain(external ?? target("foyer"), `create database ${template}`);
  await migrate(target(template));
  return {
    target,
    template,
    async stop() {
      await maintain(external ?? target("foyer"), `drop database if exists ${template} with (force)`);
      await embedded?.stop();
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startOwn(folder: string) {
  const { startEmbedded } = await import("../../src/db/embedded.ts");
  return startEmbedded(folder, { info() {}, warn() {} });
}

async function maintain(target: Target, statement: string): Promise<void> {
  const sql = open(target, { ...connectionOptions(0), max: 1 });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

export interface TestDatabase {
  readonly target: Target;
  /** The same as a URL, for a process that is started with DATABASE_URL. */
  readonly url: string;
  readonly sql: ReturnType<typeof open>;
  drop(): Promise<void>;
}

/** An empty, migrated database. */
export async function freshDatabase(): Promise<TestDatabase> {
  shared ??= start();
  const { target, template } = await shared;
  const name = `${template}_${++databases}`;
  await maintain(target("postgres"), `create database ${name} template ${template}`);
  const mine = target(name);
  const sql = open(mine, { ...connectionOptions(0), max: 4 });
  return {
    target: mine,
    url: asUrl(mine),
    sql,
    async drop() {
      await sql.end({ timeout: 1 });
      await maintain(target("postgres"), `drop database ${name} with (force)`);
    },
  };
}

const asUrl = (target: Target): string =>
  typeof target === "string"
    ? target
    : `postgres://${target.user}@localhost:${target.port}/${target.database}?host=${encodeURIComponent(target.host)}`;

export const stopSharedDatabase = async (): Promise<void> => (await shared)?.stop();
