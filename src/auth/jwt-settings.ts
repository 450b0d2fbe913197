import { createPublicKey } from "node:crypto";
import type { JWK } from "jose";

/** Whose JWTs are believed, and by which keys. */
export interface JwtSettings {
  /** The `iss` and the `aud` that a token must have, exactly. */
  issuer: string;
  audience: string;
  keys: { secret: Uint8Array } | { jwks: JWK[] } | { url: URL };
}

/** RFC 7518, 3.2: a key of HMAC with SHA-256 has 256 bits or more. Below that one could be guessed, offline. */
export const SHORTEST_SECRET = 32; // bytes
/** RFC 7518, 3.3. */
const SHORTEST_RSA = 2048; // bits
const CURVES = new Set(["prime256v1", "secp384r1", "secp521r1"]);
/** With a subject of 255 characters it must fit into an entry of an index (2,704 bytes). */
const LONGEST_ISSUER = 400;

/** Settings of which one at most says where the keys are. */
const SOURCES = ["AUTH_JWT_SECRET", "AUTH_JWKS", "AUTH_JWKS_URL"] as const;

/**
 * Reads the settings of external identity.
 * @param given the text of a setting, "" if it is not set
 * @param refuse told what is wrong, a line each; secrets and keys are never repeated
 * @returns null: there is none, or it is wrong
 */
export function readJwtSettings(
  given: (name: string) => string,
  refuse: (line: string) => void,
): JwtSettings | null {
  let wrong = false;
  const refused = (line: string) => {
    wrong = true;
    refuse(line);
    return null;
  };
  const [issuer, audience] = [given("AUTH_ISSUER"), given("AUTH_AUDIENCE")];
  const [source, ...others] = SOURCES.filter((name) => given(name) !== "");
  if (!source) {
    const named = [issuer && "AUTH_ISSUER", audience && "AUTH_AUDIENCE"].filter(Boolean);
    if (named.length > 0) refused(`${named.join(", ")}: needs keys as well: one of ${SOURCES.join(", ")}`);
    return null;
  }
  if (others.length > 0) {
    return refused(`${[source, ...others].join(", ")}: takes only one of ${SOURCES.join(", ")}`);
  }
  if (issuer === "") refused(`AUTH_ISSUER: is needed with ${source}: takes the tokens' "iss", exactly`);
  if (issuer.length > LONGEST_ISSUER) refused(`AUTH_ISSUER: takes at most ${LONGEST_ISSUER} characters`);
  if (audience === "") refused(`AUTH_AUDIENCE: is needed with ${source}: takes an "aud" of the tokens`);
  const keys = READERS[source](given(source), (requirement) => refused(`${source}: ${requirement}`));
  return wrong || keys === null ? null : { issuer, audience, keys };
}

type Refuse = (requirement: string) => null;

const READERS: Record<
  (typeof SOURCES)[number],
  (text: string, refuse: Refuse) => JwtSettings["keys"] | null
> = {
  AUTH_JWT_SECRET(text, refuse) {
    // A public key as the secret would let everybody sign who knows it: that is, everybody.
    if (/^-----BEGIN |^\s*\{/.test(text))
      return refuse("is a key, not a secret; public keys go into AUTH_JWKS");
    const secret = new TextEncoder().encode(text);
    return secret.length < SHORTEST_SECRET
      ? refuse(
          `takes a secret of at least ${SHORTEST_SECRET} bytes, such as \`openssl rand -base64 48\` gives`,
        )
      : { secret };
  },
  AUTH_JWKS(text, refuse) {
    const keys = parsedKeys(text);
    if (!keys) return refuse('takes a JSON Web Key Set: { "keys": [ … ] }');
    if (keys.some((key) => "d" in Object(key) || "k" in Object(key))) {
      return refuse("holds a private or secret key; takes public ones only");
    }
    if (keys.length === 0 || !keys.every(isUsable)) {
      return refuse(
        `takes public keys: RSA of ${SHORTEST_RSA} bits or more, EC P-256, P-384 or P-521, or Ed25519`,
      );
    }
    return { jwks: keys };
  },
  AUTH_JWKS_URL(text, refuse) {
    const url = URL.parse(text);
    if (!url || url.username + url.password !== "" || !isSafe(url)) {
      return refuse(
        "takes an https:// address without a password in it; http:// for this machine's own only",
      );
    }
    return { url };
  },
};

/** Whoever can change what comes over the network could sign as anybody. */
const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname));

/** The keys of a set, whatever they are; undefined for what is no set. */
export function parsedKeys(text: string): unknown[] | undefined {
  try {
    const { keys } = Object(JSON.parse(text));
    return Array.isArray(keys) ? keys : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it is a public key of a kind and strength that signatures are checked by. */
export function isUsable(key: unknown): key is JWK {
  if ("d" in Object(key)) return false;
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({
      key: key as JWK & { kty: string },
      format: "jwk",
    });
    if (type === "rsa") return (details?.modulusLength ?? 0) >= SHORTEST_RSA;
    return type === "ed25519" || (type === "ec" && CURVES.has(details?.namedCurve ?? ""));
  } catch {
    return false;
  }
}
