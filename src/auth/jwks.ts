import { type CryptoKey, createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import { isUsable, parsedKeys } from "./jwt-settings.ts";

/** Milliseconds for which fetched keys are believed without another look: a key that was withdrawn counts for so long. */
const BELIEVED_MS = 5 * 60_000;
/** Milliseconds between two fetches at the least, and more than one may take: tokens that name keys which nobody has cost no more than that. */
const PAUSE_MS = 60_000;
/** The same while there are no keys at all: then nobody can come in. */
const FIRST_PAUSE_MS = 5_000;
/** Milliseconds within which all of the answer must be there. */
const TIME_LIMIT_MS = 3_000;
/** Bytes of an answer; large providers have some 20 KB. */
const MOST_BYTES = 256 * 1024;

/** Whether a token is good cannot be told: its key could not be had. */
export class KeysUnavailable extends Error {
  override name = "KeysUnavailable";
}

type Find = (...asked: Parameters<JWTVerifyGetKey>) => Promise<CryptoKey>;

/**
 * The keys at an address. They are fetched when they are first needed, when they are old, and when a token names one
 * that is not there; what was fetched before is kept while its host fails.
 */
export class RemoteKeys {
  #keys: Find | undefined;
  #fetching: Promise<void> | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  /** Whether the last fetch failed. */
  #failed = false;

  /**
   * @param onFailure told of every fetch that failed
   * @param now milliseconds
   */
  constructor(
    private readonly url: URL,
    private readonly onFailure: (error: unknown) => void,
    private readonly now: () => number = performance.now.bind(performance),
  ) {}

  /** The key that a token names. @throws KeysUnavailable, or jose's errors where there is none */
  readonly find: Find = async (header, token) => {
    if (this.now() - this.#fetchedAt >= BELIEVED_MS) await this.#refresh();
    try {
      return await this.#known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    await this.#refresh();
    try {
      return await this.#known(header, token);
    } catch (error) {
      // A host that fails may have it by now.
      throw this.#failed ? new KeysUnavailable() : error;
    }
  };

  #known: Find = async (header, token) => {
    if (!this.#keys) throw new KeysUnavailable();
    return this.#keys(header, token);
  };

  /** Fetches the keys anew, unless that was tried just now. Whoever comes meanwhile waits for the same answer. */
  async #refresh(): Promise<void> {
    const pause = this.#keys ? PAUSE_MS : FIRST_PAUSE_MS;
    if (this.now() - this.#triedAt >= pause) {
      this.#triedAt = this.now();
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
    }
    await this.#fetching;
  }

  async #fetch(): Promise<void> {
    try {
      this.#keys = createLocalJWKSet({ keys: await fetchKeys(this.url) });
      this.#fetchedAt = this.#triedAt;
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      this.onFailure(error);
    }
  }
}

/** The public keys at an address that signatures can be checked by. @throws if there are none to be had in time */
async function fetchKeys(url: URL) {
  const response = await fetch(url, {
    redirect: "error",
    signal: AbortSignal.timeout(TIME_LIMIT_MS),
    headers: { accept: "application/json, application/jwk-set+json" },
  });
  const keys = response.ok ? parsedKeys(await textOf(response))?.filter(isUsable) : undefined;
  // A set without keys is a host's mishap: taking it would keep everybody out.
  if (!keys?.length) throw new Error(`no usable keys in the answer (${response.status})`);
  return keys;
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
