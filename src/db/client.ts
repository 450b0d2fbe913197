import postgres from "postgres";
import { BusyDatabase, codeOf, DEADLOCK, isBroken, SilentDatabase, StartOver } from "./errors.ts";

/** The tagged template that is the whole data layer; inside a transaction it is the transaction's own. */
export type Sql = postgres.ISql<Record<never, never>>;

/** Where the database is: a URL, or the options of the embedded one. */
export type Target = string | { host: string; port: number; user: string; database: string };

export interface Database {
  readonly sql: Sql;
  /** Runs `work` in one transaction; starts it again after a deadlock, or a StartOver. */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
  /** Lets what is under way finish for so many seconds, then closes every connection. */
  close(seconds?: number): Promise<void>;
}

/** Everything lives in a schema of its own, so that Foyer can share a database with the application it serves. */
export const SCHEMA = "foyer";

/** How long after the server's own deadline (seconds) a silent connection is given up. */
const SILENCE_GRACE = 1;
/** Of a transaction, before it is given up. */
const MOST_TRIES = 4;
const CONNECT_TIMEOUT = 5; // seconds

/** Options that every connection shares, the migrating and the listening one included. */
export function connectionOptions(statementTimeoutMs: number): postgres.Options<Record<never, never>> {
  return {
    connect_timeout: CONNECT_TIMEOUT,
    // Types are fixed below: no round trip to ask for them, so a first request costs one statement, not two.
    fetch_types: false,
    // Ids, counters and sequence numbers stay below 2^53 (the contract), so a JSON number holds them.
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
    connection: {
      application_name: "foyer",
      search_path: SCHEMA,
      // No statement of ours runs for long enough to be worth compiling; some are expected to, and would be first.
      jit: "off",
      statement_timeout: statementTimeoutMs,
      // A process that stalls inside a transaction must not hold its locks.
      idle_in_transaction_session_timeout: statementTimeoutMs,
    },
    onnotice: () => {},
  };
}

/**
 * A client for `target`. A URL may name a folder of a Unix socket as libpq's do: `postgres://user@localhost/db?host=/run/postgresql`.
 */
export function open(target: Target, options: postgres.Options<Record<never, never>>) {
  if (typeof target !== "string") return postgres({ ...target, ...options });
  const url = new URL(target);
  const folder = url.searchParams.get("host");
  if (!folder?.startsWith("/")) return postgres(target, options);
  url.searchParams.delete("host");
  return postgres(url.href, { ...options, host: folder, port: Number(url.port || 5432) });
}

/**
 * Connects to the database with a pool. Every statement and every transaction has a deadline twice over: the
 * database's own (`statement_timeout`), and ours for a connection that has gone silent, which no answer of the
 * database can end.
 *
 * When a connection breaks or goes silent the whole pool is replaced, once: the others are broken too, as a rule,
 * and postgres.js 3.4 gives a connection's last error to the first statement after its reconnect, or waits there for ever.
 * @param pool the most connections
 * @param statementTimeout seconds
 * @param onRenewal told when the pool is replaced
 */
export function connect(
  target: Target,
  options: { pool: number; statementTimeout: number; onRenewal?: (error: unknown) => void },
): Database {
  const deadlineMs = (options.statementTimeout + SILENCE_GRACE) * 1000;
  const openPool = () =>
    open(target, {
      ...connectionOptions(options.statementTimeout * 1000),
      max: options.pool,
      idle_timeout: 300,
      max_lifetime: 3600,
      backoff: () => 0.1 + Math.random() * 0.3, // seconds
    });

  let current = openPool();

  /** Replaces the pool that this error came from, unless that is done already; what is under way there may finish. */
  function renew(pool: typeof current, error: unknown): void {
    if (pool !== current || !isBroken(error)) return;
    current = openPool();
    const seconds = error instanceof SilentDatabase ? 0 : options.statementTimeout;
    pool.end({ timeout: seconds }).catch(() => {}); // it is broken: nothing more to learn from it
    options.onRenewal?.(error);
  }

  /** When each connection last answered (performance.now()), by what postgres.js calls a statement's state. */
  const answered = new WeakMap<object, number>();

  /**
   * The clock of a statement runs from when it is first awaited. When it runs out, one that still waits in line is taken
   * out of it, and one whose connection answers others is only too slow; a connection that says nothing is dead.
   * @param onSilence told before the statement is rejected for that
   */
  function timed(statement: Statement, onSilence: (error: SilentDatabase) => void): Statement {
    const { handle, resolve, reject } = statement;
    let clock: Timer | undefined;
    const runOut = () => {
      if (statement.state === null) return statement.cancel();
      const alive = performance.now() - (answered.get(statement.state) ?? 0) < deadlineMs;
      if (alive) return reject(new BusyDatabase("no answer within the deadline"));
      const error = new SilentDatabase("the connection says nothing");
      onSilence(error);
      reject(error);
    };
    const settled = () => {
      clearTimeout(clock);
      if (statement.state) answered.set(statement.state, performance.now());
    };
    statement.handle = () => {
      clock ??= setTimeout(runOut, deadlineMs);
      return handle.call(statement);
    };
    statement.resolve = (rows) => {
      settled();
      resolve(rows);
    };
    statement.reject = (error) => {
      settled();
      reject(error);
    };
    return statement;
  }

  /** The template of a pool or a transaction, with a clock on every statement. */
  function withClocks<T extends Sql>(of: () => T, watch: (owner: T, statement: Statement) => Statement): T {
    return new Proxy(of(), {
      // A template is a statement once it is awaited, a fragment if it is put into another one before.
      apply(_target, _self, args: Parameters<T>) {
        const owner = of();
        const query = (owner as Sql)(...(args as unknown as Parameters<Sql>)) as unknown as Statement;
        return typeof query.handle === "function" ? watch(owner, query) : query;
      },
      get(_target, name) {
        const owner = of();
        if (name !== "unsafe") return Reflect.get(owner, name);
        return (...args: Parameters<Sql["unsafe"]>) =>
          watch(owner, owner.unsafe(...args) as unknown as Statement);
      },
    });
  }

  const sql = withClocks(
    () => current,
    (pool, statement) => {
      const { reject } = statement;
      statement.reject = (error) => {
        reject(error);
        renew(pool, error);
      };
      return timed(statement, (error) => renew(pool, error));
    },
  );

  return {
    sql,
    async transaction(work) {
      for (let attempt = 1; ; attempt++) {
        const pool = current;
        // After a silence no rollback comes back either: nobody waits for it.
        const { promise: silence, reject } = Promise.withResolvers<never>();
        let refused = false;
        const waiting = setTimeout(() => {
          refused = true; // and does not begin later
          reject(new BusyDatabase("no connection within the deadline"));
        }, deadlineMs);
        try {
          const done = pool.begin((tx) => {
            clearTimeout(waiting);
            if (refused) throw new BusyDatabase("nobody waits for it any more");
            return work(
              withClocks<Sql>(
                () => tx,
                (_tx, statement) => timed(statement, reject),
              ),
            );
          });
          return (await Promise.race([done, silence])) as Awaited<ReturnType<typeof work>>;
        } catch (error) {
          renew(pool, error);
          const again = codeOf(error) === DEADLOCK || error instanceof StartOver;
          if (attempt === MOST_TRIES || !again) throw error;
        } finally {
          clearTimeout(waiting);
        }
      }
    },
    async close(seconds = 0) {
      await current.end({ timeout: seconds });
    },
  };
}

/** What a statement of postgres.js is underneath (its src/query.js). */
interface Statement {
  /** The connection that it was sent on; null: it waits for one. */
  readonly state: object | null;
  cancel(): void;
  handle(): Promise<void>;
  resolve(rows: unknown): void;
  reject(error: unknown): void;
}

/**
 * An array as the text of a Postgres array literal, for a parameter with a cast (`$1::bigint[]`).
 * @param values null stands for null; text is quoted
 */
export const arrayLiteral = (values: Iterable<number | string | null>): string =>
  `{${Array.from(values, (value) =>
    typeof value === "string" ? `"${value.replace(/["\\]/g, "\\$&")}"` : String(value),
  ).join(",")}}`;
