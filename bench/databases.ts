import { mkdir } from "node:fs/promises";
import { hashSecret, newToken } from "../src/auth/secrets.ts";
import { arrayLiteral, connect, type Database } from "../src/db/client.ts";
import { type EmbeddedPostgres, startEmbedded } from "../src/db/embedded.ts";
import { readPostmaster } from "../src/db/postmaster.ts";
import { createLog } from "../src/log.ts";
import { cpuOfTree } from "./programs.ts";

const POOL = 4;

/** A database of the benchmarks' own Postgres. */
export interface BenchDatabase {
  name: string;
  /** For Foyer, libpq, psycopg2 and `pg` alike. */
  url: string;
  /** What libpq's programs want in the environment. */
  env: { PGHOST: string; PGPORT: string; PGUSER: string; PGDATABASE: string };
  /** A pool of ours, for preparing and looking. */
  db: Database;
}

/** Somebody with a token. */
export interface Person {
  id: number;
  /** How many rooms they are in. */
  rooms: number;
  token: string;
}

/** People and rooms of every filled database. */
export const PEOPLE = { users: 10_000, rooms: 5_000 };

/**
 * The Postgres that all contestants share: the one Foyer brings along, as it brings it along, on a Unix socket, fsync on.
 * Databases filled before in the same folder are used again.
 */
export class Databases {
  readonly #open = new Map<string, BenchDatabase>();

  private constructor(
    readonly folder: string,
    private readonly postgres: EmbeddedPostgres,
    private readonly filling: (label: string, args: string[], env: Record<string, string>) => Promise<void>,
  ) {}

  static async start(
    folder: string,
    filling: (label: string, args: string[], env: Record<string, string>) => Promise<void>,
  ): Promise<Databases> {
    await mkdir(folder, { recursive: true });
    return new Databases(folder, await startEmbedded(folder, createLog("warn")), filling);
  }

  get version(): string {
    return this.postgres.version;
  }

  /** Milliseconds of CPU that Postgres has used so far, in those of its processes that live. */
  async cpu(): Promise<number> {
    const postmaster = await readPostmaster(this.postgres.dataDir);
    if (!postmaster) throw new Error("Postgres has ended");
    return cpuOfTree(postmaster.pid);
  }

  /**
   * A database with so many messages, distributed over rooms by Zipf's law, by the demonstration's fill: read markers
   * 60 % at the end, 20 % a few behind, 10 % up to 1,000 behind, 10 % never read; 1 % deleted, 1 % system; mentions.
   * The person of 500 rooms is the demonstration's own.
   */
  async filled(messages: number): Promise<BenchDatabase> {
    const name = `filled_${messages}`;
    const known = this.#open.get(name);
    if (known) return known;
    const database = await this.empty(name, { keep: true });
    const [row] = await database.db.sql<{ filled: boolean }[]>`
      select to_regclass('foyer.demo_fills') is not null as filled`;
    const [done] = row?.filled
      ? await database.db
          .sql`select 1 from demo_fills where finished_at is not null and messages = ${messages}`
      : [];
    if (!done) {
      const { users, rooms } = PEOPLE;
      const args = ["src/demo/main.ts", "--users", users, "--rooms", rooms, "--messages", messages].map(
        String,
      );
      await this.filling(`fill: ${messages.toLocaleString("en")} messages`, args, {
        DATABASE_URL: database.url,
      });
    }
    return database;
  }

  /**
   * An empty database; one of that name is dropped first, unless it is to be kept.
   * @param name letters, digits and underscores
   */
  async empty(name: string, { keep = false } = {}): Promise<BenchDatabase> {
    const { host, port, user } = this.postgres.connection;
    const admin = connect(this.postgres.connection, { pool: 1, statementTimeout: 60 });
    try {
      await this.#open.get(name)?.db.close();
      if (!keep) await admin.sql.unsafe(`drop database if exists ${name} with (force)`);
      const [there] = await admin.sql`select 1 from pg_database where datname = ${name}`;
      if (!there) await admin.sql.unsafe(`create database ${name}`);
    } finally {
      await admin.close();
    }
    const url = `postgres://${user}@localhost:${port}/${name}?host=${encodeURIComponent(host)}`;
    const opened = {
      name,
      url,
      env: { PGHOST: host, PGPORT: String(port), PGUSER: user, PGDATABASE: name },
      db: connect({ host, port, user, database: name }, { pool: POOL, statementTimeout: 300 }),
    };
    this.#open.set(name, opened);
    return opened;
  }

  /** Somebody who is in about so many rooms, with a token. */
  async person({ db }: BenchDatabase, rooms: number): Promise<Person> {
    const [found] = await db.sql<{ id: number; rooms: number }[]>`
      select user_id as id, count(*) as rooms from memberships where left_at is null
       group by user_id order by abs(count(*) - ${rooms}), user_id limit 1`;
    if (!found) throw new Error("there is nobody in any room");
    const [token = ""] = await this.tokens(db, [found.id]);
    return { ...found, token };
  }

  /** A token for each. */
  async tokens(db: Database, userIds: number[]): Promise<string[]> {
    const tokens = userIds.map(() => newToken());
    const hashes = tokens.map((token) => `\\x${hashSecret(token).toString("hex")}`);
    await db.sql`
      insert into tokens (user_id, name, secret_hash)
      select user_id, 'bench', hash
        from unnest(${arrayLiteral(userIds)}::bigint[], ${arrayLiteral(hashes)}::bytea[]) as t (user_id, hash)`;
    return tokens;
  }

  /** Stops Postgres. */
  async stop(): Promise<void> {
    for (const { db } of this.#open.values()) await db.close();
    await this.postgres.stop();
  }
}
