import { createApp } from "./app.ts";
import { Callers } from "./auth/guard.ts";
import { JwtVerifier } from "./auth/jwt.ts";
import { sweepExpiredSessions } from "./auth/sweep.ts";
import type { Config } from "./config.ts";
import { connect, type Target } from "./db/client.ts";
import { migrate } from "./db/migrate.ts";
import { knowByJwt } from "./identities/people.ts";
import { Limits } from "./limits/limits.ts";
import { connectBus } from "./live/bus/postgres.ts";
import { type Announce, credentialEnded, type Hint } from "./live/hints.ts";
import { Hub } from "./live/hub.ts";
import type { Log } from "./log.ts";
import { Outgoing } from "./messages/outgoing.ts";
import { Metrics } from "./metrics/metrics.ts";
import { serveMetrics } from "./metrics/routes.ts";
import { type Pace, Presence } from "./presence/presence.ts";
import { readCursors } from "./rooms/cursor.ts";
import { purgeRemovedRooms } from "./rooms/purge.ts";
import { liveSource } from "./source.ts";
import { Typists } from "./typing/typists.ts";

/** How much of DRAIN_TIMEOUT requests may take to finish; the rest is for closing what they used. */
const DRAIN_SHARE = 0.8;
/** How much of it a statement may still take when the connections are closed. */
const CLOSE_SHARE = 0.1;
const DRAIN_CHECK_MS = 20;

export interface Server {
  readonly url: string;
  /** The hub's streams and counts, for tests and logs. */
  readonly hub: Hub;
  /** How many streams are open, for tests and metrics. */
  readonly limits: Limits;
  readonly postgres: string;
  /** Where the metrics are, if they have a port of their own. */
  readonly metricsUrl: string | null;
  /** Drains: no new work, bye to the streams, what is under way finishes; then everything is closed. */
  stop(): Promise<void>;
}

/**
 * Starts everything but the database: migrates, connects, listens.
 * @param pace as Presence's own, for tests
 * @throws whatever keeps the server from serving: MigrationError, a port in use, a database that is not there
 */
export async function startServer(config: Config, target: Target, log: Log, pace?: Pace): Promise<Server> {
  const { postgres, ran } = await migrate(target);
  if (ran.length > 0) log.info({ migrations: ran }, "database migrated");

  // What is opened is closed in the opposite order: on the way down, or when something after it cannot be opened.
  await using opened = new AsyncDisposableStack();
  const db = connect(target, {
    pool: config.databasePool,
    statementTimeout: config.statementTimeout,
    onRenewal: (error) =>
      log.warn({ message: String(error) }, "a database connection broke; opening new ones"),
  });
  opened.defer(() => db.close(config.drainTimeout * CLOSE_SHARE));
  const cursors = await readCursors(db.sql);
  const limits = new Limits(config);
  const callers = new Callers(
    db.sql,
    config,
    limits,
    config.jwt
      ? knowByJwt(new JwtVerifier(config.jwt, log), db, (...hints) => announce(...hints))
      : undefined,
  );
  const presence = new Presence(
    db,
    (...hints) => announce(...hints),
    (error) => log.warn({ message: String(error) }, "who is online is told late"),
    pace,
  );
  opened.defer(() => void presence.close()); // db.close waits for its last word, and not for too long
  const metrics = new Metrics();
  const hub = new Hub(
    liveSource(db.sql, cursors, (credential) => callers.hear(credentialEnded(credential))),
    { pingMs: config.pingInterval * 1000, idleMs: config.idleTimeout * 1000 },
    (error, retryMs) =>
      log.warn({ message: String(error), retryMs: Math.round(retryMs) }, "live query failed; trying again"),
    presence,
    (pairs) => metrics.asked(pairs),
  );
  metrics.watch(hub);
  opened.defer(() => hub.shutDown());

  const hear = (hint: Hint) => {
    callers.hear(hint);
    hub.hear(hint);
  };
  const bus = await connectBus(db.sql, target, {
    hear,
    onGap: () => hub.sweep(),
    onTrouble: (error) => log.warn({ message: String(error) }, "hints between servers are late"),
  });
  opened.defer(() => bus.close());
  const announce: Announce = (...hints) => {
    for (const hint of hints) hear(hint);
    bus.publish(hints);
  };
  const outgoing = new Outgoing(db.sql, announce);
  const typists = new Typists(db.sql, announce);
  const purging = purgeRemovedRooms(db.sql, log);
  opened.defer(() => purging.stop());
  const sweeping = sweepExpiredSessions(db.sql, log);
  opened.defer(() => sweeping.stop());

  const { metricsPort } = config;
  const scraped = metricsPort === null ? null : serveMetrics(metrics, { ...config, metricsPort });
  opened.defer(() => scraped?.stop(true));

  let draining = false;
  const app = createApp({
    config,
    log,
    db,
    cursors,
    callers,
    hub,
    outgoing,
    typists,
    announce,
    metrics,
    draining: () => draining,
  });
  app.listen({ hostname: config.host, port: config.port });
  const { server } = app;
  if (!server) throw new Error("the server does not listen");

  const address = `http://${config.host.includes(":") ? `[${config.host}]` : config.host}`;
  const closing = opened.move();
  return {
    url: `${address}:${server.port}`,
    metricsUrl: scraped && `${address}:${scraped.port}/metrics`,
    hub,
    limits,
    postgres,
    async stop() {
      draining = true;
      const deadline = performance.now() + config.drainTimeout * 1000 * DRAIN_SHARE;
      const stopped = server.stop(); // no new connections
      void presence.close(); // before the streams are, or it would see everybody leave
      hub.shutDown();
      while (server.pendingRequests + server.pendingWebSockets > 0 && performance.now() < deadline)
        await Bun.sleep(DRAIN_CHECK_MS);
      const { pendingRequests, pendingWebSockets } = server;
      if (pendingRequests + pendingWebSockets > 0)
        log.warn(
          { pendingRequests, pendingWebSockets },
          "the drain took too long; what is still open is cut",
        );
      // Connections on which a request has only begun to arrive would hold `stop` up.
      await server.stop(true);
      await stopped;
      await closing.disposeAsync();
    },
  };
}
