/**
 * One part of a request that does not fit: `path` is a JSON pointer into the body, the query or the path's parameters;
 * "" is all of the body.
 */
export interface FieldError {
  path: string;
  message: string;
}

/**
 * An error that a client is told of, as an RFC 9457 problem document. Thrown where it is known, turned into a
 * response in one place (src/app.ts). `code` is the stable word that programs test for.
 */
export class Problem extends Error {
  override name = "Problem";
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly extra: {
      errors?: FieldError[];
      /** Seconds. */
      retryAfter?: number;
      headers?: Record<string, string>;
    } = {},
  ) {
    super(detail);
  }
}

/** Seconds a client should wait after 503: a database that restarts is usually back by then. */
export const RETRY_AFTER = 2;

const TITLES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

const NOT_FOUND = {
  room: "There is no such room, or you are not in it.",
  message: "There is no such message in this room.",
  user: "There is no such user.",
  path: "There is nothing at this path.",
} as const;

/** 404. The same words for what does not exist and for what the caller may not know of. */
export const notFound = (what: keyof typeof NOT_FOUND): Problem =>
  new Problem(404, what === "path" ? "not-found" : `${what}-not-found`, NOT_FOUND[what]);

/** 403: a member without the right. */
export const forbidden = (detail: string): Problem => new Problem(403, "forbidden", detail);

/** 401: no session and no token, or one that has ended. */
export const unauthenticated = (): Problem =>
  new Problem(401, "unauthenticated", "Sign in, or send a bearer token that is valid.");

/** 422: a part of the request that has the wrong form; `path` is as in FieldError. */
export const invalid = (path: string, message: string): Problem =>
  new Problem(422, "invalid", `${path.slice(1) || "The body"}: ${message}`, {
    errors: [{ path, message }],
  });

/** 400: what is no HTTP request that makes sense. */
export const badRequest = (detail: string): Problem => new Problem(400, "bad-request", detail);

/** 426: a plain request for what is a WebSocket. */
export const upgradeRequired = (): Problem =>
  new Problem(426, "upgrade-required", "This is a WebSocket: connect with one.");

/** 400 for what is not JSON. */
export const badJson = (what: string): Problem =>
  new Problem(400, "bad-json", `${what} is not JSON in UTF-8.`);

/** 503: the database does not answer, or the server is on its way down. */
export const unavailable = (
  detail = "The database does not answer. Try again.",
  retryAfter = RETRY_AFTER,
): Problem => new Problem(503, "unavailable", detail, { retryAfter });

/** The response for a problem: `application/problem+json`, never cached. */
export function problemResponse(problem: Problem): Response {
  const headers: Record<string, string> = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...problem.extra.headers,
  };
  if (problem.extra.retryAfter !== undefined) headers["retry-after"] = String(problem.extra.retryAfter);
  // RFC 9110, 15.5.2: a 401 says how to do better. No browser asks its user for a bearer token.
  if (problem.status === 401) headers["www-authenticate"] = "Bearer";
  if (problem.status === 426) headers.upgrade = "websocket"; // RFC 9110, 15.5.22
  return new Response(JSON.stringify(problemDocument(problem)), {
    status: problem.status,
    headers,
  });
}

/** The problem document itself. */
export function problemDocument(problem: Problem) {
  return {
    type: "about:blank",
    title: TITLES[problem.status] ?? "Error",
    status: problem.status,
    detail: problem.detail,
    code: problem.code,
    ...(problem.extra.errors ? { errors: problem.extra.errors } : {}),
  };
}
