import { badJson, badRequest, invalid, Problem } from "./problem.ts";

/** The largest body of a request, in bytes: four bytes for each of the 10,000 characters of a message, and room for JSON's escapes. */
export const MAX_BODY = 64 * 1024;

const tooSlow = () =>
  new Problem(408, "request-timeout", "The body took too long to arrive.", {
    headers: { connection: "close" }, // what follows of it would be taken for another request
  });

/**
 * Objects and lists within each other in a body; the API's own have two. Elysia describes what does not fit in indented
 * JSON: some 30,000 levels, which a body has room for, become a gigabyte of blanks and take the server for 20 s.
 */
const MAX_DEPTH = 32;

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
 * Reads a JSON body, at most MAX_BODY bytes of it. Every body of the API is an object: an Elysia schema whose fields
 * are all optional would take a list, text or a number for an empty one.
 * @param limitMs within which all of it must be there, however it drips
 * @returns undefined for an empty body: the route's schema then says what is missing
 * @throws Problem 400, 408, 413 or 422
 */
export async function readBody(request: Request, limitMs: number): Promise<unknown> {
  const bytes = await readAll(request, limitMs);
  if (bytes.length === 0) return undefined;
  const body = parse(bytes);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid("", "takes a JSON object");
  }
  if (isDeeper(body, MAX_DEPTH)) throw invalid("", `takes JSON of at most ${MAX_DEPTH} levels`);
  return body;
}

/** Whether a body's length is known, and small enough. Bun lets a header through that is there twice: it is `5, 5` then. */
const isAnnounced = ({ headers }: Request): boolean => {
  const length = headers.get("content-length") ?? "";
  return /^\d+$/.test(length) && Number(length) <= MAX_BODY;
};

async function readAll(request: Request, limitMs: number): Promise<Uint8Array> {
  if (!request.body) return Buffer.alloc(0);
  try {
    return await (isAnnounced(request) ? inOnePiece(request, limitMs) : inPieces(request.body, limitMs));
  } catch (error) {
    if (request.signal.aborted) throw badRequest("The body did not arrive."); // the client has gone
    throw error;
  }
}

async function inPieces(body: ReadableStream<Uint8Array>, limitMs: number): Promise<Uint8Array> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  let isLate = false;
  const clock = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {}); // ends the read under way
  }, limitMs);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw tooSlow();
      if (done) return Buffer.concat(chunks);
      size += value.byteLength;
      if (size > MAX_BODY) throw tooLarge();
      chunks.push(value);
    }
  } finally {
    clearTimeout(clock);
  }
}

/** In a third of the time; of a body that is announced. */
async function inOnePiece(request: Request, limitMs: number): Promise<Uint8Array> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const clock = setTimeout(() => reject(tooSlow()), limitMs);
  try {
    return await Promise.race([request.bytes(), late]);
  } finally {
    clearTimeout(clock);
  }
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1)));

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw badJson("The body");
  }
}
