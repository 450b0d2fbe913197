import type { TSchema } from "@sinclair/typebox";
import fc from "fast-check";
import { createApp, type Parts } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { withoutSlash } from "../../src/docs/document.ts";

/** Requests that nobody means well, as fast-check makes them up. */

export interface Route {
  method: string;
  /** Without the base path: `/rooms/:id`. */
  path: string;
  body: TSchema | undefined;
  query: TSchema | undefined;
}

/** The API's own routes. Composed, not running: nothing here is called. */
export const ROUTES: Route[] = createApp({ config: readConfig({}), db: {} } as Parts)
  .routes.filter((route) => route.path.startsWith("/chat/api/") && !route.hooks.detail?.hide)
  .map(({ method, path, hooks }) => ({
    method: method as string,
    path: withoutSlash(path).slice("/chat/api".length),
    body: hooks.body as TSchema | undefined,
    query: hooks.query as TSchema | undefined,
  }));

/** Texts that have broken servers: of SQL, paths, prototypes, formats, Unicode. */
const hostileText = fc.oneof(
  fc.constantFrom(
    ...["", " ", "\0", "a\0b", "\ud800", "\u202e", "\ufeff", "me", "0", "-1", "1e3", "null", "NaN", "true"],
    ...["' or 1=1 --", "'; drop table messages; --", "$1", "\\", "%", "%s%n", "_", "{}", "[]", "{{7*7}}"],
    ...["__proto__", "constructor", "toString", "../../etc/passwd", "C:\\con", "file:///etc/passwd"],
    ...["<script>alert(1)</script>", "\r\nx: y", "data: x\n\nevent: bye", "id: 1", "@ada", "@".repeat(50)],
    ...[
      "e\u0301".repeat(100),
      "👩‍👩‍👧‍👦",
      "x".repeat(300),
      "x".repeat(11_000),
      "((((",
      '"',
      '"a b" or -c',
      "🦤",
    ],
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
);

export const junk: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom<unknown>(0, 1, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e300, -0),
  fc.constantFrom<unknown>(null, true, false, [], {}, [null], [[1]], { id: 1 }, { toString: 1 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** What fits a field of a name, where its schema alone does not tell. */
export type Fitting = Record<string, fc.Arbitrary<unknown>>;

/** A value for a field: one that fits, or junk. */
function anyValue(name: string, schema: TSchema, fitting: Fitting): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((part: TSchema) => anyValue(name, part, fitting)));
  const fits =
    fitting[name] ??
    (schema.enum
      ? fc.constantFrom(...schema.enum)
      : schema.type === "integer"
        ? fc.integer({ min: 0, max: 5 })
        : schema.type === "array"
          ? fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 3 })
          : schema.type === "boolean"
            ? fc.boolean()
            : fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }));
  return fc.oneof({ weight: 5, arbitrary: fits }, { weight: 1, arbitrary: junk });
}

type Bytes = string | Uint8Array<ArrayBuffer>;

function anyBody(schema: TSchema | undefined, fitting: Fitting): fc.Arbitrary<Bytes | undefined> {
  const whole = fc.oneof(
    fc.constant(undefined),
    junk.map((value) => JSON.stringify(value)),
    fc.uint8Array({ maxLength: 40 }).map((array) => new Uint8Array(array)),
    fc
      .oneof(fc.integer({ min: 1, max: 100 }), fc.constant(30_000))
      .map((levels) => `{"more":${"[".repeat(levels)}${"]".repeat(levels)}}`),
    fc.constant(`{"body":"${"x".repeat(70_000)}"}`),
  );
  if (!schema)
    return fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: whole });
  const fields = Object.fromEntries(
    Object.entries<TSchema>(schema.properties).map(([name, field]) => [name, anyValue(name, field, fitting)]),
  );
  const object = fc.record(
    { ...fields, more: junk, ["__proto__"]: junk },
    { requiredKeys: schema.required ?? [] },
  );
  return fc.oneof(
    { weight: 7, arbitrary: object.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: whole },
  );
}

/** An id, or what is none; `~1` stands for that of the newest room that there is, and so on. */
const anyId = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 5 }).map((nth) => `~${nth}`) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 60 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...["me", "0", "-1", "1.5", "+1", "01", "1e1", "9007199254740991", "9007199254740992", "9".repeat(40)],
      ...["%00", "%zz", "%", "%ff", "%2e%2e", "1%2f2", "%0d%0a", "1;x", "1'", "٣", "..", "x".repeat(3000)],
    ),
  },
  { weight: 1, arbitrary: hostileText.map(encoded) },
);

const anyEmoji = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("👍", "🏳️‍🌈", "#️⃣").map(encodeURIComponent) },
  { weight: 1, arbitrary: anyId },
  { weight: 1, arbitrary: fc.constantFrom("%ff", "%F0%9F%91", "%F0%9F%91%8D%00") },
);

/** Percent-encoded, half a character of UTF-16 included. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).slice(0, 4000);
}

/** A word to ask for that must be told to none of those who ask. */
export const CANARY = "zqcanarybody";

const anyQueryValue = fc.oneof(
  fc.constant(CANARY),
  fc.constantFrom("1", "2", "50", "true", "false", "", "0", "-1", "x", "1.2", "%ff", "%00", "%"),
  hostileText.map(encoded),
);

function anyQuery(schema: TSchema | undefined): fc.Arbitrary<string> {
  const names = Object.keys(schema?.properties ?? {});
  const pair = fc.tuple(fc.constantFrom(...names, ...names, "other", "__proto__", "%00"), anyQueryValue);
  // What is needed is there, most of the time.
  const needed = fc.tuple(
    ...((schema?.required ?? []) as string[])
      .filter((name) => schema?.properties[name].default === undefined)
      .map((name) => fc.tuple(fc.constant(name), anyQueryValue)),
  );
  return fc
    .tuple(needed, fc.array(pair, { maxLength: 2 }))
    .map(([first, more]) => [...first, ...more].map((pair) => pair.join("=")).join("&"))
    .map((query) => (query === "" ? "" : `?${query}`));
}

/** What may be in a header's value: no line's end, and nothing outside of Latin-1. */
const headerText = fc.oneof(
  fc.constantFrom(
    ...[
      "",
      "*",
      ",",
      "null",
      "a=b;",
      "=",
      ";;;",
      "close",
      "gzip",
      "127.0.0.1",
      "https",
      "evil.example",
      "-1",
    ],
    ...[
      "http://evil.example",
      "https://127.0.0.1",
      "application/json",
      "text/plain",
      "application/json; charset=x",
    ],
    ...[
      "cross-site",
      "same-origin",
      "none",
      "0.0",
      "1.1",
      "999999.999999",
      'W/"x"',
      "bytes=0-",
      "x".repeat(5000),
    ],
  ),
  fc
    .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0xa0, max: 0xff })), {
      maxLength: 40,
    })
    .map((codes) => String.fromCharCode(...codes).trim()),
);

const anyHeaders = fc.dictionary(
  fc.constantFrom(
    ...["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "x-http-method-override"],
    ...["origin", "sec-fetch-site", "referer", "last-event-id", "if-none-match", "range", "user-agent"],
    ...["accept", "accept-language", "accept-encoding", "content-type", "x-request-id"],
    ...["access-control-request-method", "access-control-request-headers", "sec-websocket-protocol"],
  ),
  headerText,
  { maxKeys: 2 },
);

/** Who asks: one of the cast by one of the ways, or what no server has given. */
export type Credential =
  | { who: string; by: "cookie" | "token" | "jwt" }
  | { headers: Record<string, string> };

const anyCredential = (cast: string[]): fc.Arbitrary<Credential> =>
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ who: fc.constantFrom(...cast), by: fc.constantFrom("cookie", "token", "jwt") }),
    },
    {
      weight: 1,
      arbitrary: fc.oneof(
        fc.constant({ headers: {} }),
        headerText.map((text) => ({ headers: { cookie: `foyer_session=${text}` } })),
        headerText.map((text) => ({ headers: { cookie: text } })),
        headerText.map((text) => ({ headers: { authorization: `Bearer ${text}` } })),
        headerText.map((text) => ({ headers: { authorization: text } })),
        headerText.map((text) => ({ headers: { authorization: `Bearer e30.${btoa(text)}.x` } })),
      ),
    },
  );

/** Methods that Bun's fetch sends as what they are. */
const FETCHED = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export interface AnyRequest {
  /** Which route was meant; null: none. */
  route: Route | null;
  method: string;
  /** From the root on, with its query. */
  target: string;
  body: Bytes | undefined;
  headers: Record<string, string>;
  credential: Credential;
  /** Over a socket of its own, byte by byte: a client of HTTP would set right what is odd about the target. */
  raw: boolean;
}

/**
 * Any request: most are near to what a route takes, some are near to nothing.
 * @param cast names of those who ask
 * @param often how often a route is meant, 1 if not said otherwise
 */
export function anyRequest(
  cast: string[],
  fitting: Fitting,
  often: (route: Route) => number,
): fc.Arbitrary<AnyRequest> {
  const credential = anyCredential(cast);
  const raw = fc.oneof(
    { weight: 19, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  );
  const few = fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: anyHeaders });
  const near = ROUTES.map((route) => ({
    weight: Math.round(10 * often(route)),
    arbitrary: fc
      .record({
        segments: fc.tuple(anyId, anyId, anyEmoji),
        query: anyQuery(route.query),
        body: route.method === "GET" ? fc.constant(undefined) : anyBody(route.body, fitting),
        headers: few,
        credential,
        raw,
      })
      .map(({ segments, query, ...rest }) => {
        let i = 0;
        const path = route.path.replace(/:(\w+)/g, (_, name, at) => {
          const id = segments[name === "emoji" ? 2 : i++] as string;
          if (/rooms\/$/.test(route.path.slice(0, at))) return id;
          // Of people only the first few, who ask for nothing themselves.
          return /^~?\d{1,2}$/.test(id) ? String((Number(id.replace("~", "")) % 5) + 1) : id;
        });
        return { route, method: route.method, target: `/chat/api${path}${query}`, ...rest };
      }),
  }));
  const part = fc.oneof(
    anyId,
    fc.constantFrom(
      "",
      ".",
      "rooms",
      "users",
      "messages",
      "admin",
      "stream",
      "ws",
      "session",
      "ROOMS",
      "tokens",
    ),
  );
  const far = fc
    .record({
      method: fc.constantFrom(
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "PROPFIND",
        "QUERY",
        "X",
      ),
      start: fc.constantFrom(
        "/chat/api",
        "/chat/api",
        "/chat/api/",
        "/chat",
        "",
        "/docs",
        "/health",
        "/assets",
        "/metrics",
      ),
      parts: fc.array(part, { maxLength: 5 }),
      query: anyQuery(undefined),
      body: anyBody(undefined, fitting),
      headers: anyHeaders,
      credential,
      raw,
    })
    .map(({ start, parts, query, method, body, ...rest }) => ({
      route: null,
      method,
      target: [start, ...parts].join("/").replace(/^(?!\/)/, "/") + query,
      body: method === "GET" || method === "HEAD" ? undefined : body,
      ...rest,
      raw: rest.raw || !FETCHED.has(method),
    }));
  const nearWeight = near.reduce((sum, { weight }) => sum + weight, 0);
  return fc.oneof(...near, { weight: Math.ceil(nearWeight / 8), arbitrary: far });
}
