import { Elysia } from "elysia";
import type { Sql } from "./db/client.ts";
import { unavailable } from "./problem.ts";

/** What costs a client none of its limits (src/app.ts): an orchestrator is always answered, whoever else is at its address. */
export const HEALTH_CHECKS = new Set(["/health/live", "/health/ready"]);

/** For the orchestrator: whether the process lives, and whether it should be sent requests. */
export function healthRoutes({ sql, draining }: { sql: Sql; draining: () => boolean }) {
  let asking: Promise<unknown> | undefined;
  /** One statement at a time, however many ask: nothing limits them. */
  const databaseAnswers = () => {
    asking ??= sql`select 1 from installation`.finally(() => {
      asking = undefined;
    });
    return asking;
  };

  return new Elysia({ prefix: "/health", tags: ["Operations"] })
    .get("/live", () => ({ status: "live" }), { detail: { summary: "The process is up" } })
    .get(
      "/ready",
      async () => {
        if (draining()) throw unavailable("The server is on its way down.");
        await databaseAnswers();
        return { status: "ready" };
      },
      { detail: { summary: "The database answers, migrations are done, not draining" } },
    );
}
