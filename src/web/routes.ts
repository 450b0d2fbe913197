import { Elysia } from "elysia";
import type { Config } from "../config.ts";
import { pagePolicy } from "../headers.ts";
import { faultOf, type Log } from "../log.ts";
import { notFound } from "../problem.ts";
import { type PageFile, pageFiles } from "./bundle.ts";
import { chooseEncoding } from "./encoding.ts";

const HEADERS = {
  "content-security-policy": [
    pagePolicy("style-src 'self'", "img-src 'self'"),
    "require-trusted-types-for 'script'", // no string becomes HTML or script
    "trusted-types 'none'",
  ].join("; "),
  vary: "accept-encoding",
};
const ASKED_ANEW = "no-cache";
const KEPT = `public, max-age=${365 * 24 * 3600}, immutable`; // the names have hashes of what they name

/**
 * When the page is bundled if nobody has asked for it yet. Not at once: that takes a small machine's processors for some
 * tenths of a second, and after a restart the clients that come back are first. Nor only when asked: the log
 * should tell soon that it cannot be, and the first visitor should not wait.
 */
const WARM_UP_MS = 1000;

/** `GET /`: the chat page, and what it loads. */
export function webRoutes({ config, log }: { config: Config; log: Log }) {
  const web = new Elysia({ detail: { hide: true } });
  if (config.page === "off") return web;
  return web
    .onStart(() => {
      setTimeout(
        () => pageFiles().catch((error) => log.error(faultOf(error), "no page")),
        WARM_UP_MS,
      ).unref();
    })
    .get("/", async ({ request }) => {
      const files = await pageFiles(config.page === "fresh");
      return respond(files.get("/"), request, ASKED_ANEW);
    })
    .get("/assets/:name", async ({ request, params: { name } }) => {
      const files = await pageFiles();
      return respond(files.get(`/assets/${name}`), request, KEPT);
    });
}

/** @throws 404 without a file */
function respond(file: PageFile | undefined, request: Request, caching: string): Response {
  if (!file) throw notFound("path");
  const encoding = chooseEncoding(request.headers.get("accept-encoding"), file.bodies);
  const etag = `"${file.hash}-${encoding}"`;
  const headers: Record<string, string> = { ...HEADERS, "cache-control": caching, etag };
  if (isHeld(etag, request.headers.get("if-none-match"))) return new Response(null, { status: 304, headers });
  headers["content-type"] = file.type;
  if (encoding !== "identity") headers["content-encoding"] = encoding;
  return new Response(file.bodies[encoding], { headers });
}

/** Whether If-None-Match names what would be sent; weakly: a proxy that compresses weakens our tags (RFC 9110, 13.1.2). */
const isHeld = (etag: string, held: string | null): boolean =>
  (held ?? "").split(",").some((tag) => ["*", etag].includes(tag.trim().replace(/^W\//, "")));
