import { Elysia } from "elysia";
import { type Callers, callerOf } from "../auth/guard.ts";
import type { Caller } from "../auth/queries.ts";
import type { Config } from "../config.ts";
import { notFound, Problem } from "../problem.ts";
import type { Actor } from "./audit.ts";

const ADMIN = /^\/chat\/api\/+admin(\/|$)/;

/**
 * For whoever is no administrator there is nothing under /admin, byte for byte. To be asked before a request is looked at
 * in any other way: what is wrong with its body, say, would tell that there is something.
 * @param path the request's
 * @throws Problem 404 `not-found`
 */
export async function hideAdmin(
  request: Request,
  path: string,
  callers: Callers,
  config: Config,
): Promise<void> {
  if (ADMIN.test(path)) await administrator(request, callers, config);
}

async function administrator(request: Request, callers: Callers, config: Config): Promise<Caller> {
  try {
    const caller = await callerOf(request, callers, config);
    if (caller.administrator) return caller;
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
  }
  throw notFound("path");
}

/** The plugin behind which the administrators' routes live, by whatever path they were reached: it yields `actor`. */
export const adminGuard = (callers: Callers, config: Config) =>
  new Elysia().derive({ as: "scoped" }, async ({ request, route, server }) => {
    const { id } = await administrator(request, callers, config);
    callers.limits.calls(id, request.method, route);
    return { actor: { userId: id, address: callers.limits.sourceOf(request, server) } satisfies Actor };
  });
