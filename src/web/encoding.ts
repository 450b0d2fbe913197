import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";

const ENCODINGS = ["br", "gzip", "identity"] as const; // of those a client likes equally, the first
export type Encoding = (typeof ENCODINGS)[number];

/** A file's content in each encoding that makes it smaller. */
export type Bodies = { identity: Uint8Array<ArrayBuffer> } & Partial<
  Record<Encoding, Uint8Array<ArrayBuffer>>
>;

/** Whether compressing a file of a media type is worth it: text is, what is compressed already is not. */
export const isCompressible = (type: string): boolean => /^text\/|json|javascript|\+xml/.test(type);

const compressors = { br: promisify(brotliCompress), gzip: promisify(gzip) };

/** Compresses as well as can be (brotli's own default is 11, its most), on the thread pool. */
export async function encode(content: Uint8Array<ArrayBuffer>): Promise<Bodies> {
  const [br, gzipped] = await Promise.all([compressors.br(content), compressors.gzip(content, { level: 9 })]);
  return {
    identity: content,
    ...(br.length < content.length ? { br: new Uint8Array(br) } : {}),
    ...(gzipped.length < content.length ? { gzip: new Uint8Array(gzipped) } : {}),
  };
}

/**
 * The encoding that a client likes most (RFC 9110, 12.5.3) of those that there are. One that takes none of them gets
 * `identity` nevertheless: it can do more with that than with a refusal.
 * @param accepted the value of Accept-Encoding
 */
export function chooseEncoding(accepted: string | null, bodies: Bodies): Encoding {
  const weights = new Map<string, number>();
  for (const part of (accepted ?? "").toLowerCase().split(",")) {
    const [, name, weight = "1"] = /^\s*([^\s;]+)\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?$/.exec(part) ?? [];
    if (name) weights.set(name === "x-gzip" ? "gzip" : name, Number(weight));
  }
  // Unnamed, identity is acceptable, but what is named was named because it is liked better.
  const weightOf = (name: Encoding) =>
    weights.get(name) ?? weights.get("*") ?? (name === "identity" ? Number.MIN_VALUE : 0);
  let best: Encoding = "identity";
  let most = 0;
  for (const name of ENCODINGS) {
    if (bodies[name] && weightOf(name) > most) {
      best = name;
      most = weightOf(name);
    }
  }
  return best;
}
