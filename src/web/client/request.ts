import { noteAsked, tick } from "./asked.ts";
import { ApiError, NetworkError } from "./errors.ts";

/**
 * One request and its answer, parsed.
 * @param limitMs within which all of the answer must be there
 * @param body sent as JSON; left out: none
 * @throws ApiError for every status but 2xx, NetworkError where there was no whole answer in time
 */
export async function request<T>(method: string, url: string, limitMs: number, body?: unknown): Promise<T> {
  const sent = tick();
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: "include", // the API may be of another origin of this site
      cache: "no-store", // else Chromium lets a tab wait until another one's same request is answered
      signal: AbortSignal.timeout(limitMs),
    });
    text = await response.text();
  } catch (cause) {
    throw new NetworkError(`${method} ${url}: no answer`, { cause });
  }
  if (!response.ok) throw errorOf(response, text);
  if (response.status === 204) return undefined as T;
  const parsed = parse(text);
  if (parsed === undefined) throw new ApiError(response.status, "not-json", "The answer is not JSON.");
  noteAsked(parsed, sent);
  return parsed as T;
}

function errorOf(response: Response, text: string): ApiError {
  const { status, headers } = response;
  const problem = (parse(text) ?? {}) as { code?: unknown; detail?: unknown; errors?: unknown };
  return new ApiError(
    status,
    typeof problem.code === "string" ? problem.code : `http-${status}`,
    typeof problem.detail === "string" ? problem.detail : response.statusText || `HTTP ${status}`,
    Array.isArray(problem.errors) ? problem.errors : [],
    retryAfterMs(headers.get("retry-after")),
  );
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function retryAfterMs(value: string | null): number | null {
  if (value === null) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(ms, 0) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
