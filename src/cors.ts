import { type AnyElysia, Elysia } from "elysia";
import type { Config } from "./config.ts";
import { withoutSlash } from "./docs/document.ts";
import { notFound } from "./problem.ts";

const API = "/chat/api";
/** What scripts of another origin may read besides the body: the rest of the API's answers is in it. */
const EXPOSED = "Retry-After, RateLimit, RateLimit-Policy, Server-Timing";
/** What they may send: an EventSource sends Last-Event-ID unasked, others who read streams have to ask. */
const ACCEPTED = "Authorization, Content-Type, Last-Event-ID";
/** Seconds for which a browser believes a preflight. A change of ALLOWED_ORIGINS is a restart, and `checkOrigin` holds at once. */
const BELIEVED_S = 600;

/**
 * The headers that let pages of ALLOWED_ORIGINS, and no others, read the API's answers, with the cookie. The origin that is
 * told is that of the setting, never what the request says; a wildcard is none (config.ts).
 */
export function corsHeaders(
  request: Request,
  path: string,
  { allowedOrigins }: Config,
): Record<string, string> {
  if (!path.startsWith(`${API}/`)) return {};
  const origin = allowedFor(request, allowedOrigins);
  // Also for who is refused, or sends no origin: a cache must not hand that answer to somebody else's page.
  if (origin === undefined) return { vary: "Origin" };
  return {
    vary: "Origin",
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": EXPOSED,
  };
}

const allowedFor = (request: Request, allowedOrigins: string[]): string | undefined => {
  const origin = request.headers.get("origin");
  return allowedOrigins.find((allowed) => allowed === origin);
};

/**
 * `OPTIONS` of each of the API's paths, for pages of ALLOWED_ORIGINS: what a browser asks before it sends what a form
 * could not. For everybody else it is what it was: a method that is not there.
 */
export function preflightRoutes(app: AnyElysia, { allowedOrigins }: Config) {
  const preflight = new Elysia({ detail: { hide: true } });
  if (allowedOrigins.length === 0) return preflight;
  const routes = app.routes.filter(({ path }) => path.startsWith(`${API}/`));
  // Spelled as there, the slash at the end of some included: else Elysia does not find them without it.
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.flatMap((route) => (covers(route.path, path) ? (route.method as string) : []));
    const headers = {
      "access-control-allow-methods": [...new Set(methods)].sort().join(", "),
      "access-control-allow-headers": ACCEPTED,
      "access-control-max-age": String(BELIEVED_S),
    };
    preflight.options(path, ({ request, set }) => {
      if (allowedFor(request, allowedOrigins) === undefined) throw notFound("path");
      set.status = 204;
      Object.assign(set.headers, headers);
    });
  }
  return preflight;
}

/** Whether what has the form of `path` has that of `pattern` too: `/rooms/:id/members/me` is also `…/members/:userId`. */
function covers(pattern: string, path: string): boolean {
  const [wanted, given] = [withoutSlash(pattern).split("/"), withoutSlash(path).split("/")];
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => part === given[i] || (part.startsWith(":") && given[i] !== ""))
  );
}
