import type { Config } from "../config.ts";
import { Problem } from "../problem.ts";

type Trust = Pick<Config, "trustProxy" | "allowedOrigins">;

/**
 * The scheme and host by which the client reached this server: the connection's own, or what a proxy says if
 * one is trusted (`TRUST_PROXY`); never what a client could have made up.
 */
export function publicOrigin(request: Request, { trustProxy }: Trust): { https: boolean; host: string } {
  const forwarded = (name: string) => {
    const hops = trustProxy > 0 ? request.headers.get(name)?.split(",") : undefined;
    return (hops?.at(-trustProxy) ?? hops?.[0])?.trim();
  };
  return {
    https: (forwarded("x-forwarded-proto") ?? new URL(request.url).protocol.slice(0, -1)) === "https",
    host: forwarded("x-forwarded-host") ?? request.headers.get("host") ?? "",
  };
}

/**
 * What follows `Bearer` in the request's `Authorization`; "" if nothing does. Null for another scheme: a proxy's own
 * password question (`Basic`) is none of ours.
 */
export function bearerOf(request: Request): string | null {
  const match = /^Bearer(?: +(.*))?$/i.exec(request.headers.get("authorization") ?? "");
  return match && (match[1] ?? "");
}

/**
 * Refuses requests that another site made a browser send with the user's cookie. Bearer requests carry no cookie.
 * @throws Problem 403 `bad-origin`
 */
export function checkOrigin(request: Request, trust: Trust): void {
  if (bearerOf(request) !== null) return;
  const origin = request.headers.get("origin");
  if (origin === null) {
    // Absent: a program, or a browser's request to its own site, which says so.
    const site = request.headers.get("sec-fetch-site") ?? "none";
    if (site === "same-origin" || site === "none") return;
  } else if (trust.allowedOrigins.includes(origin) || isOwn(origin, publicOrigin(request, trust))) {
    return;
  }
  throw new Problem(
    403,
    "bad-origin",
    "The request comes from a page of another origin than the one by which this server was reached. A proxy in front must " +
      "pass Host on, with its port; other origins stand in ALLOWED_ORIGINS.",
  );
}

/** Whether an `Origin` is the address by which this server was reached. */
function isOwn(origin: string, { https, host }: { https: boolean; host: string }): boolean {
  const given = URL.parse(origin);
  if (!given) return false;
  // Without a trusted proxy's word, https may end in front of us: then only the host can be compared.
  if (given.protocol !== "https:" && (given.protocol !== "http:" || https)) return false;
  return given.host === URL.parse(`${given.protocol}//${host}`)?.host; // without a port that is the scheme's own
}
