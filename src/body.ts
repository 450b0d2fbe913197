import { Problem } from "./problem.ts";

/** The largest body of a request, in bytes: four bytes for each of the 10,000 characters of a message, and room for JSON's escapes. */
export const MAX_BODY = 64 * 1024;

const tooLarge = () => new Problem(413, "body-too-large", `A body may have ${MAX_BODY} bytes at most.`);

/**
 * Refuses what is too large or of another type, before anything is read.
 * @throws Problem 413 or 415
 */
export function checkBody(request: Request): void {
  if (request.method === "GET" || request.method === "HEAD" || !request.body) return;
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY) throw tooLarge();
  const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new Problem(415, "unsupported-media-type", "A body must be application/json.");
  }
}

/**
 * Reads a JSON body, at most MAX_BODY bytes of it.
 * @returns undefined for an empty body: the route's schema then says what is missing
 * @throws Problem 400 or 413
 */
export async function readBody(request: Request): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BODY) throw tooLarge();
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new Problem(400, "bad-json", "The body is not JSON in UTF-8.");
  }
}
