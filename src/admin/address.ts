import type { Config } from "../config.ts";

/**
 * The address that a request came from: the connection's own, or what the outermost proxy that is trusted saw
 * (`TRUST_PROXY`); never what a client could have made up.
 */
export function addressOf(
  request: Request,
  server: Bun.Server<unknown> | null,
  { trustProxy }: Pick<Config, "trustProxy">,
): string | null {
  const hops = trustProxy > 0 ? request.headers.get("x-forwarded-for")?.split(",") : undefined;
  const forwarded = (hops?.at(-trustProxy) ?? hops?.[0])?.trim();
  return (forwarded || server?.requestIP(request)?.address)?.slice(0, 100) ?? null;
}
