import { type AnyElysia, Elysia } from "elysia";
import type { Config } from "../config.ts";
import { pagePolicy } from "../headers.ts";
import { describe } from "./document.ts";

const HEADERS = {
  // Swagger UI draws with inline styles and images out of `data:`.
  "content-security-policy": pagePolicy("style-src 'self' 'unsafe-inline'", "img-src 'self' data:"),
};
const DAY = 24 * 3600; // seconds

const here = (name: string) => new URL(name, import.meta.url);
const vendored = (name: string) => new URL(import.meta.resolve(`swagger-ui-dist/${name}`));

/** What the page consists of, by its path under /docs, and for how long (s) it is kept without asking again. */
const FILES: Record<string, { file: URL; maxAge: number }> = {
  "": { file: here("page.html"), maxAge: 0 },
  "/page.js": { file: here("page.js"), maxAge: 0 },
  "/index.css": { file: vendored("index.css"), maxAge: DAY },
  "/swagger-ui.css": { file: vendored("swagger-ui.css"), maxAge: DAY },
  "/swagger-ui-bundle.js": { file: vendored("swagger-ui-bundle.js"), maxAge: DAY },
  "/favicon-32x32.png": { file: vendored("favicon-32x32.png"), maxAge: DAY },
};

/** Unless `DOCS` is off: `GET /docs`: the API, for people; `GET /docs/json`: the same as an OpenAPI document, for programs. */
export function docsRoutes(app: AnyElysia, config: Config) {
  if (!config.docs) return new Elysia();
  let document: string | undefined;
  const docs = new Elysia({ prefix: "/docs", detail: { hide: true } }).get("/json", () => {
    document ??= JSON.stringify(describe(app));
    return new Response(document, {
      headers: { ...HEADERS, "content-type": "application/json", "cache-control": "no-cache" },
    });
  });
  for (const [path, { file, maxAge }] of Object.entries(FILES)) {
    let etag: string | undefined;
    docs.get(path, async ({ request }) => {
      etag ??= `"${Bun.hash(await Bun.file(file).bytes()).toString(36)}"`;
      const headers = { ...HEADERS, etag, "cache-control": `public, max-age=${maxAge}` };
      return request.headers.get("if-none-match") === etag
        ? new Response(null, { status: 304, headers })
        : new Response(Bun.file(file), { headers });
    });
  }
  return docs;
}
