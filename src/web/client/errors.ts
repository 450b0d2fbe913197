/** What the server refused, or failed at. */
export class ApiError extends Error {
  override name = "ApiError";

  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors: { path: string; message: string }[];
  readonly retryAfterMs: number | null;

  /**
   * @param status of HTTP
   * @param code a stable word; `http-502` where the answer was no problem document (a proxy's page)
   * @param detail for people, in English
   * @param errors which parts of a body did not fit: JSON pointers
   * @param retryAfterMs how long the server asks to wait
   */
  constructor(
    status: number,
    code: string,
    detail: string,
    errors: { path: string; message: string }[] = [],
    retryAfterMs: number | null = null,
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.errors = errors;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer at all: no network, no server, or none in time. */
export class NetworkError extends Error {
  override name = "NetworkError";
}

/** How long the server asks to wait before the next try (ms). */
export const retryAfterOf = (error: unknown): number =>
  error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
