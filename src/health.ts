import { Elysia } from "elysia";
import type { Sql } from "./db/client.ts";
import { unavailable } from "./problem.ts";

/** For the orchestrator: whether the process lives, and whether it should be sent requests. */
export const healthRoutes = ({ sql, draining }: { sql: Sql; draining: () => boolean }) =>
  new Elysia({ prefix: "/health", tags: ["Operations"] })
    .get("/live", () => ({ status: "live" }), { detail: { summary: "The process is up" } })
    .get(
      "/ready",
      async () => {
        if (draining()) throw unavailable("The server is on its way down.");
        await sql`select 1 from installation`;
        return { status: "ready" };
      },
      { detail: { summary: "The database answers, migrations are done, not draining" } },
    );
