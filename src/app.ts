import { Elysia } from "elysia";
import { hideAdmin } from "./admin/gate.ts";
import { adminRoutes } from "./admin/routes.ts";
import type { Callers } from "./auth/guard.ts";
import { checkOrigin, publicOrigin } from "./auth/origin.ts";
import { authRoutes } from "./auth/routes.ts";
import { checkBody, readBody } from "./body.ts";
import type { Config } from "./config.ts";
import { corsHeaders, preflightRoutes } from "./cors.ts";
import type { Database } from "./db/client.ts";
import { withoutSlash } from "./docs/document.ts";
import { docsRoutes } from "./docs/routes.ts";
import { problemOf } from "./faults.ts";
import { securityHeaders } from "./headers.ts";
import { HEALTH_CHECKS, healthRoutes } from "./health.ts";
import { inviteRoutes } from "./invites/routes.ts";
import type { Announce } from "./live/hints.ts";
import type { Hub } from "./live/hub.ts";
import { type Log, pathOf } from "./log.ts";
import { memberRoutes } from "./members/routes.ts";
import type { Outgoing } from "./messages/outgoing.ts";
import { messageRoutes } from "./messages/routes.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import { isMisread } from "./path.ts";
import { badRequest, notFound, Problem, problemResponse } from "./problem.ts";
import type { Cursors } from "./rooms/cursor.ts";
import { roomRoutes } from "./rooms/routes.ts";
import { invalidRequest, type ValidationError } from "./schema.ts";
import { searchRoutes } from "./search/routes.ts";
import { streamRoutes } from "./streams/routes.ts";
import { MOST_PAYLOAD } from "./streams/socket.ts";
import { typingRoutes } from "./typing/routes.ts";
import type { Typists } from "./typing/typists.ts";
import { userRoutes } from "./users/routes.ts";
import { webRoutes } from "./web/routes.ts";

export interface Parts {
  config: Config;
  log: Log;
  db: Database;
  cursors: Cursors;
  callers: Callers;
  hub: Hub;
  outgoing: Outgoing;
  typists: Typists;
  announce: Announce;
  metrics: Metrics;
  /** Whether the server is on its way down. */
  draining: () => boolean;
}

/** What an operator wants to know the sender of: no right, a wrong password, another site, too much at once. */
const ATTEMPTS = new Set([401, 403, 429]);

/** Composes the app from its parts; it listens nowhere yet. */
export function createApp(parts: Parts) {
  const { config, log, db, metrics } = parts;
  const { sql } = db;
  const started = new WeakMap<Request, number>();
  const refusals = new WeakMap<Request, { code: string; address: string }>(); // Bun knows the address until it has answered
  let isProxySeen = config.trustProxy > 0;

  return new Elysia({
    handler: { standardHostname: false }, // or the path of http://dev/… would be looked for behind its first slash
    serve: {
      idleTimeout: connectionIdleTimeout(config),
      maxRequestBodySize: Number.MAX_SAFE_INTEGER, // Bun's own refusal is no problem document; body.ts bounds what is read
      development: false,
      reusePort: false, // Elysia's default would let a second server share the port unnoticed
    },
    websocket: {
      // Ours comes first (socket.ts), and says why where it can: Bun's clock begins anew with whatever is sent.
      idleTimeout: Math.min(960, 2 * config.idleTimeout + 16),
      maxPayloadLength: MOST_PAYLOAD,
      backpressureLimit: 0, // none: socket.ts sends nothing more to who is full, and Bun would drop what is above it
    },
  })
    .onRequest(async ({ request, server, set }) => {
      started.set(request, performance.now());
      const readable = URL.canParse(request.url); // Bun gives the path alone where Host names none
      Object.assign(set.headers, securityHeaders(readable && publicOrigin(request, config).https));
      if (!readable) throw badRequest("The Host header names no host.");
      const path = pathOf(request);
      Object.assign(set.headers, corsHeaders(request, path, config));
      if (!isProxySeen && request.headers.has("x-forwarded-for")) {
        isProxySeen = true;
        log.warn(
          "a request has X-Forwarded-For, but TRUST_PROXY is 0: all who come by a proxy count as one address",
        );
      }
      const misread = isMisread(request);
      if (misread || !HEALTH_CHECKS.has(path)) parts.callers.limits.arrives(request, server);
      if (misread) throw notFound("path");
      await hideAdmin(request, path, parts.callers, config);
    })
    .onParse({ as: "global" }, ({ request }) => {
      checkBody(request);
      return readBody(request, config.bodyTimeout * 1000);
    })
    .onError({ as: "global" }, ({ error, code, request, server, set }) => {
      const problem = asProblem(error, code, request, log);
      set.status = problem.status; // for the log line
      if (ATTEMPTS.has(problem.status)) {
        refusals.set(request, {
          code: problem.code,
          address: parts.callers.limits.addressOf(request, server),
        });
      }
      return problemResponse(problem);
    })
    .onAfterResponse({ as: "global" }, ({ request, route, set, responseValue }) => {
      const own = responseValue instanceof Response && responseValue.status !== 200;
      const status = Number(own ? responseValue.status : (set.status ?? 200));
      const ms = performance.now() - (started.get(request) ?? Number.NaN);
      metrics.answered(request.method, route && withoutSlash(route), status, ms / 1000);
      log.info(
        {
          method: request.method,
          path: pathOf(request),
          status,
          ms: Math.round(ms * 10) / 10,
          ...refusals.get(request),
        },
        "request",
      );
    })
    .use(healthRoutes({ sql, draining: parts.draining }))
    .group("/chat/api", (api) =>
      api
        .onTransform(({ request }) => checkOrigin(request, config))
        .use(authRoutes(parts))
        .use(inviteRoutes(parts))
        .use(userRoutes(parts))
        .use(roomRoutes(parts))
        .use(memberRoutes(parts))
        .use(messageRoutes(parts))
        .use(typingRoutes(parts))
        .use(searchRoutes(parts))
        .use(streamRoutes(parts))
        .use(adminRoutes(parts)),
    )
    .use(metricsRoutes(parts))
    .use((app) => app.use(preflightRoutes(app, config)).use(docsRoutes(app, config)))
    .use(webRoutes(parts));
}

/**
 * Seconds without traffic after which Bun closes a connection; finite, so that a client that stalls is reaped.
 * uSockets looks every four seconds only (LIBUS_TIMEOUT_GRANULARITY) and may fire that much early: a short timeout must
 * leave room for a ping even so, and for the answer to a statement that uses up its deadline. A reader whose buffers
 * are full is cut at IDLE_TIMEOUT by the hub, exactly.
 */
const connectionIdleTimeout = ({ idleTimeout, pingInterval, statementTimeout }: Config): number =>
  Math.min(255, Math.max(idleTimeout, pingInterval + 5, statementTimeout + 6));

/** What a client is told of an error; what it is not told goes into the log. */
function asProblem(error: unknown, code: string | number, request: Request, log: Log): Problem {
  if (error instanceof Problem) return error;
  switch (code) {
    case "NOT_FOUND":
      return notFound("path");
    case "PARSE": // Elysia's wrapping of what body.ts throws
      return asProblem((error as Error).cause, "UNKNOWN", request, log);
    case "VALIDATION":
      return invalidRequest(error as ValidationError, request);
  }
  return problemOf(error, { method: request.method, path: pathOf(request) }, log);
}
