import { cpus } from "node:os";
import { join } from "node:path";
import type { BenchDatabase, Person } from "./databases.ts";
import { freePort, type Program, type Programs } from "./programs.ts";

const PEERS = join(import.meta.dir, "peers");

/** Foyer's room list with Fastify and `pg` on Node, by the same query. */
export async function startFastify(programs: Programs, database: BenchDatabase): Promise<Program> {
  const port = freePort();
  return programs.start({
    name: "Fastify + pg",
    command: ["node", join(PEERS, "fastify/server.mjs")],
    env: {
      NODE_ENV: "production",
      DATABASE_URL: database.url,
      PORT: String(port),
      LIST_SQL: join(import.meta.dir, "../src/rooms/list.sql"),
    },
    readyPath: "/health/ready",
    port,
  });
}

/** A bare `Bun.serve` that answers a file. */
export async function startConstant(programs: Programs, body: string): Promise<Program> {
  const port = freePort();
  return programs.start({
    name: "bare Bun.serve",
    command: [process.execPath, join(PEERS, "constant.ts")],
    env: { NODE_ENV: "production", BODY: body, PORT: String(port) },
    readyPath: "/health/ready",
    port,
  });
}

/** Seconds. After gunicorn's own 30 a worker is killed: here each may answer, however long it takes. */
const FLASK_TIMEOUT = 300;
const FLASK_GRACE = 3;
/** As gunicorn recommends. */
export const FLASK_WORKERS = 2 * cpus().length + 1;
const POLL_MS = 100;
const WARM_TIMES = 2;

/** Flask + SQLAlchemy + psycopg2 under gunicorn, with one of two room lists. */
export class Flask {
  #program: Program | undefined;

  constructor(
    private readonly programs: Programs,
    private readonly database: BenchDatabase,
    private readonly list: "before" | "after",
  ) {}

  get url(): string {
    return this.#program?.url ?? "";
  }

  async start(): Promise<void> {
    const port = freePort();
    this.#program = await this.programs.start({
      name: `Flask, ${this.list}`,
      command: [
        "gunicorn",
        ...["--workers", String(FLASK_WORKERS), "--bind", `127.0.0.1:${port}`],
        ...["--timeout", String(FLASK_TIMEOUT), "--graceful-timeout", String(FLASK_GRACE)],
        ...["--pythonpath", join(PEERS, "flask"), "--log-level", "warning", `${this.list}:app`],
      ],
      env: {
        DATABASE_URL: this.database.url,
        APPLICATION_NAME: this.#applicationName,
        PYTHONDONTWRITEBYTECODE: "1",
      },
      readyPath: "/health/ready",
      port,
    });
  }

  /** Ends it, and what it still asks the database for people who do not wait any more. */
  async stop(): Promise<void> {
    let stopped = false;
    const stopping = this.#program?.stop().then(() => {
      stopped = true;
    });
    for (; !stopped && stopping; await Promise.race([stopping, Bun.sleep(POLL_MS)]))
      await this.#endStatements();
    await this.#endStatements();
  }

  /**
   * Asks for the list of somebody in few rooms, until each worker has connected and compiled its queries: an answer of a
   * worker that has just started is no measurement.
   */
  async warm({ token }: Person): Promise<void> {
    const headers = { authorization: `Bearer ${token}` };
    for (let time = 0; time < WARM_TIMES; time++) {
      const asked = Array.from({ length: 2 * FLASK_WORKERS }, () =>
        fetch(`${this.url}/chat/api/rooms`, { headers }),
      );
      for (const response of await Promise.all(asked)) await response.arrayBuffer();
    }
  }

  /** Waits until it has nothing left to answer: its workers take what comes in turn. */
  async settle(): Promise<void> {
    const asked = Array.from({ length: FLASK_WORKERS }, () => fetch(`${this.url}/health/ready`));
    for (const response of await Promise.all(asked)) await response.arrayBuffer();
  }

  get #applicationName(): string {
    return `flask_${this.list}`;
  }

  async #endStatements(): Promise<void> {
    await this.database.db.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = ${this.#applicationName} and datname = current_database()`;
  }
}
