import { toOpenAPISchema } from "@elysiajs/openapi";
import { OptionalKind, type TSchema, Type } from "@sinclair/typebox";
import type { AnyElysia } from "elysia";
import packageJson from "../../package.json" with { type: "json" };
import { SECURE_COOKIE } from "../auth/guard.ts";
import { ROUTE_RATES } from "../limits/rates.ts";
import { ANSWERS, type Answers } from "./answers.ts";
import { NAMED, nameOf, problem, ref } from "./schemas.ts";

const TAGS = [
  ["Identity", "Who one is: by cookie (browsers) or bearer token (programs); sign-up, tokens, people."],
  ["Rooms", "The room list with its unread counts, rooms, and read markers."],
  ["Members", "Who is in a room, and as what."],
  ["Messages", "The messages of a room; `seq` counts 1, 2, 3… in each room, without gaps."],
  ["Streams", "What changes, as Server-Sent Events for a plain `EventSource`, or over one WebSocket."],
  ["Administration", "For administrators; for everybody else there is nothing at these paths."],
  ["Operations", "For the orchestrator."],
] as const;

const ID = Type.Integer({ minimum: 1 });
const PATH_PARAMETERS: Record<string, { schema: TSchema; description: string }> = {
  id: { schema: ID, description: "The room's id" },
  tokenId: { schema: ID, description: "The token's id" },
  sessionId: { schema: ID, description: "The session's id" },
  seq: { schema: ID, description: "The message's number in the room" },
  emoji: { schema: Type.String(), description: "One emoji of Unicode's RGI set, percent-encoded" },
  userId: { schema: Type.Union([ID, Type.Literal("me")]), description: "A user's id, or `me`" },
};

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: TSchema;
}
interface Operation {
  parameters?: Parameter[];
  [key: string]: unknown;
}
type Route = AnyElysia["routes"][number];

/**
 * The OpenAPI document: parameters and bodies from the routes' own schemas, answers from ANSWERS.
 * @throws for a route that ANSWERS does not know: it would be a hole in the document
 */
export function describe(app: AnyElysia) {
  // Paths, tags, summaries and parameters; what it makes of bodies and answers is replaced below.
  const base = toOpenAPISchema(app).paths as unknown as Record<string, Record<string, Operation>>;
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of app.routes) {
    const operation = base[bracketed(route.path)]?.[route.method.toLowerCase()];
    if (!operation) continue; // hidden
    const path = withoutSlash(route.path);
    const answers = ANSWERS[`${route.method} ${path}`];
    if (!answers) throw new Error(`src/docs/answers.ts does not say what ${route.method} ${path} answers`);
    paths[bracketed(path)] = {
      ...paths[bracketed(path)],
      [route.method.toLowerCase()]: {
        ...operation,
        operationId: operationId(route.method, path),
        parameters: [...(operation.parameters ?? []).map(tidy(path)), ...streamParameters(answers)],
        requestBody: bodyOf(route),
        responses: responsesOf(route, answers),
        ...(answers.open ? { security: [] } : {}),
      },
    };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Foyer",
      version: packageJson.version,
      description:
        "An open chat back end: rooms, messages, and the room list, live. Errors are RFC 9457 problem documents.",
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    servers: [{ url: "/" }],
    tags: TAGS.map(([name, description]) => ({ name, description })),
    security: [{ cookie: [] }, { bearer: [] }],
    paths,
    components: {
      schemas: Object.fromEntries(NAMED.map((schema) => [nameOf(schema), { ...schema, $id: undefined }])),
      securitySchemes: {
        cookie: {
          type: "apiKey",
          in: "cookie",
          name: SECURE_COOKIE,
          description:
            "By `POST /users`, `POST /session` or `POST /session/jwt`; over plain http without the prefix `__Host-`.",
        },
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "A token of `POST /tokens`, or a JWT where the server takes them (`AUTH_ISSUER`).",
        },
      },
    },
  };
}

const bracketed = (path: string): string => path.replace(/:([^/]+)/g, "{$1}");
export const withoutSlash = (path: string): string => path.replace(/(?<=.)\/$/, "");

/** `GET /chat/api/rooms/:id/members` -> `getRoomsIdMembers`. */
const operationId = (method: string, path: string): string =>
  method.toLowerCase() +
  path
    .replace(/^\/chat\/api/, "")
    .replace(/[^a-zA-Z]+([a-zA-Z])/g, (_, letter: string) => letter.toUpperCase());

const tidy =
  (path: string) =>
  (parameter: Parameter): Parameter => {
    if (parameter.in === "path") {
      const [, owner] = /\/(token|session|user)s\/:id/.exec(path) ?? [];
      return { ...parameter, ...PATH_PARAMETERS[owner ? `${owner}Id` : parameter.name] };
    }
    // Elysia reads a number or a boolean out of a query as "text of that format, or the thing itself".
    const { anyOf, ...rest } = parameter.schema;
    const schema = anyOf ? { ...rest, ...anyOf.find((part: TSchema) => part.format === undefined) } : rest;
    const { description, ...plain } = schema;
    // What has a default may be left out.
    const required = parameter.required === true && plain.default === undefined;
    return { ...parameter, required, ...(description ? { description } : {}), schema: plain };
  };

const streamParameters = ({ stream }: Answers): Parameter[] =>
  stream === undefined
    ? []
    : [
        {
          name: "Last-Event-ID",
          in: "header",
          description: "The cursor of the last event, as an EventSource sends it; wins over `cursor`",
          schema: Type.String(),
        },
      ];

function bodyOf({ hooks }: Route) {
  const body = hooks.body as TSchema | undefined;
  // Elysia adds that there be no other fields; there may be, and they are ignored.
  const schema = body && { ...body, additionalProperties: undefined };
  return body && { required: !(OptionalKind in body), content: { "application/json": { schema } } };
}

const WORDS: Record<string, string> = { 200: "OK", 201: "Made", 204: "Done" };
const RETRY_AFTER = { "Retry-After": { schema: { type: "integer" }, description: "Seconds" } };
const RATE_LIMIT = {
  "RateLimit-Policy": {
    schema: { type: "string" },
    description: 'How many at once, and in how many seconds that much comes back: `"send";q=30;w=6`',
  },
  RateLimit: {
    schema: { type: "string" },
    description: 'How many are left, and in how many seconds all of them are: `"send";r=29;t=1`',
  },
};
const HEADERS: Record<number, object> = { 429: { ...RETRY_AFTER, ...RATE_LIMIT }, 503: RETRY_AFTER };
const REPEATED = "It was there already; nothing new was made";

function responsesOf(
  { method, path, hooks }: Route,
  { success, problems = {}, open, admin, stream, about }: Answers,
) {
  const codes = new Map<number, string[]>();
  const add = (status: number, ...more: string[]) =>
    codes.set(status, [...new Set([...(codes.get(status) ?? []), ...more])]);
  for (const [status, more] of Object.entries(problems)) add(Number(status), ...more);
  if (path.startsWith("/chat/api")) {
    if (admin) add(404, "not-found");
    else if (!open) add(401, "unauthenticated");
    add(403, "bad-origin");
    add(429, "rate-limited");
    add(503, "unavailable");
  }
  if (method !== "GET") {
    add(400, "bad-json");
    add(408, "request-timeout");
    add(413, "body-too-large");
    add(415, "unsupported-media-type");
  }
  if (method !== "GET" || hooks.query) add(422, "invalid");

  const headers = {
    ...(open && method === "POST" ? { "Set-Cookie": { schema: { type: "string" } } } : {}),
    ...(ROUTE_RATES[`${method} ${withoutSlash(path)}`] ? RATE_LIMIT : {}),
  };
  const well = Object.entries(success).map(([status, schema]) => [
    status,
    {
      description: stream ?? about ?? (status === "200" && 201 in success ? REPEATED : WORDS[status]),
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
      ...(schema === null
        ? {}
        : { content: { [stream === undefined ? "application/json" : "text/event-stream"]: { schema } } }),
    },
  ]);
  const badly = [...codes].map(([status, words]) => [
    status,
    {
      description: words.map((word) => `\`${word}\``).join(", "),
      ...(HEADERS[status] ? { headers: HEADERS[status] } : {}),
      content: { "application/problem+json": { schema: ref(problem) } },
    },
  ]);
  return Object.fromEntries([...well, ...badly]);
}
