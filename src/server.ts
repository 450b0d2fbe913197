import { createApp } from "./app.ts";
import { Callers } from "./auth/guard.ts";
import type { Config } from "./config.ts";
import { connect, type Target } from "./db/client.ts";
import { migrate } from "./db/migrate.ts";
import { connectBus } from "./live/bus/postgres.ts";
import type { Announce, Hint } from "./live/hints.ts";
import { Hub } from "./live/hub.ts";
import type { Log } from "./log.ts";
import { readCursors } from "./rooms/cursor.ts";
import { purgeSome } from "./rooms/purge.ts";
import { roomSource } from "./rooms/source.ts";

/** Milliseconds between two looks for removed rooms whose messages are still there. */
const PURGE_MS = 10_000;

export interface Server {
  readonly url: string;
  /** The hub's streams and counts, for tests and logs. */
  readonly hub: Hub;
  readonly postgres: string;
  /** Drains: no new work, bye to the streams, what is under way finishes; then everything is closed. */
  stop(): Promise<void>;
}

/**
 * Starts everything but the database: migrates, connects, listens.
 * @throws whatever keeps the server from serving: MigrationError, a port in use, a database that is not there
 */
export async function startServer(config: Config, target: Target, log: Log): Promise<Server> {
  const { postgres, ran } = await migrate(target);
  if (ran.length > 0) log.info({ migrations: ran }, "database migrated");

  const db = connect(target, {
    pool: config.databasePool,
    statementTimeout: config.statementTimeout,
    onRenewal: (error) =>
      log.warn({ message: String(error) }, "a database connection broke; opening new ones"),
  });
  const cursors = await readCursors(db.sql);
  const callers = new Callers(db.sql);
  const hub = new Hub(
    roomSource(db.sql, cursors),
    { pingMs: config.pingInterval * 1000, idleMs: config.idleTimeout * 1000 },
    (error, retryMs) =>
      log.warn({ message: String(error), retryMs: Math.round(retryMs) }, "live query failed; trying again"),
  );

  const hear = (hint: Hint) => {
    callers.hear(hint);
    hub.hear(hint);
  };
  const bus = await connectBus(db.sql, target, {
    hear,
    onGap: () => hub.sweep(),
    onTrouble: (error) => log.warn({ message: String(error) }, "hints between servers are late"),
  });
  const announce: Announce = (...hints) => {
    for (const hint of hints) hear(hint);
    bus.publish(hints);
  };

  let draining = false;
  const app = createApp({ config, log, db, cursors, callers, hub, announce, draining: () => draining });
  app.listen({ hostname: config.host, port: config.port });
  const server = app.server;
  if (!server) throw new Error("the server does not listen");

  let purging = Promise.resolve();
  const purge = async () => {
    try {
      for (let some = await purgeSome(db.sql); some && !draining; some = await purgeSome(db.sql)) {
        if (some.done) log.info({ room: some.roomId }, "removed room purged");
      }
    } catch (error) {
      log.warn({ message: String(error) }, "purge of removed rooms failed; trying again");
    }
  };
  const purgeTimer = setInterval(() => {
    purging = purging.then(purge);
  }, PURGE_MS);

  return {
    url: `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${server.port}`,
    hub,
    postgres,
    async stop() {
      draining = true;
      clearInterval(purgeTimer);
      const deadline = Bun.sleep(config.drainTimeout * 1000);
      const drained = (async () => {
        await hub.close();
        await server.stop();
        await purging;
        await bus.close();
        await db.close(config.statementTimeout);
      })();
      if ((await Promise.race([drained.then(() => "drained"), deadline])) === "drained") return;
      log.warn("the drain took too long; what is still open is cut");
      await server.stop(true);
      await Promise.all([bus.close(), db.close()]);
    },
  };
}
