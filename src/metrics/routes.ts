import { timingSafeEqual } from "node:crypto";
import { Elysia } from "elysia";
import { bearerOf } from "../auth/origin.ts";
import { hashSecret } from "../auth/secrets.ts";
import type { Config } from "../config.ts";
import { securityHeaders } from "../headers.ts";
import { notFound, problemResponse } from "../problem.ts";
import type { Metrics } from "./metrics.ts";

/** `GET /metrics` beside everything else: for who has METRICS_TOKEN; for nobody else is there anything at this path. */
export function metricsRoutes({ metrics, config }: { metrics: Metrics; config: Config }) {
  const routes = new Elysia({ detail: { hide: true } });
  if (config.metricsToken === null) return routes;
  const expected = hashSecret(config.metricsToken);
  return routes.get("/metrics", ({ request }) => {
    const given = hashSecret(bearerOf(request) ?? "");
    if (!timingSafeEqual(given, expected)) throw notFound("path");
    return metrics.response();
  });
}

/** The same on a port of its own (METRICS_PORT), for everybody who reaches it, and nothing else. */
export function serveMetrics(metrics: Metrics, { host, metricsPort }: { host: string; metricsPort: number }) {
  return Bun.serve({
    hostname: host,
    port: metricsPort,
    development: false,
    reusePort: false,
    async fetch(request) {
      const isAsked = URL.parse(request.url)?.pathname === "/metrics" && /^(GET|HEAD)$/.test(request.method);
      const response = isAsked ? await metrics.response() : problemResponse(notFound("path"));
      for (const [name, value] of Object.entries(securityHeaders(false))) response.headers.set(name, value);
      return response;
    },
  });
}
