import { createLocalJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import type { Log } from "../log.ts";
import { unauthenticated, unavailable } from "../problem.ts";
import { KeysUnavailable, RemoteKeys } from "./jwks.ts";
import type { JwtSettings } from "./jwt-settings.ts";

/** Seconds by which the issuer's clock and ours may differ. */
const TOLERANCE = 5;
/** Characters of a token. */
export const LONGEST_JWT = 8 * 1024;
/** Characters of a subject, as in OpenID Connect Core, 2. */
const LONGEST_SUBJECT = 255;

// Which algorithms count is decided by the kind of key that is configured, never by the token.
const SYMMETRIC = ["HS256", "HS384", "HS512"];
const ASYMMETRIC = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
/** Kinds of JWT that say who one is. An issuer's others (of a sign-out, of an event) are signed by the same keys. */
const TYPES = new Set(["jwt", "at+jwt"]);

const isKnownType = (typ: unknown): boolean =>
  typeof typ === "string" && TYPES.has(typ.toLowerCase().replace(/^application\//, ""));

/** What a JWT says of a person. */
export interface Claims {
  issuer: string;
  subject: string;
  name: string | null;
  preferredUsername: string | null;
  /** When it was issued (ms), by its own word, and at the latest now. */
  issuedAt: number;
  /** When it ends (ms). */
  until: number;
}

/** Whether a bearer token has the form of a JWT: ours have no dot. */
export const isJwt = (token: string): boolean => token.includes(".");

/** Three parts of base64url (RFC 7515, 7.1), of which each is the only way to write its bytes. */
const isCompact = (token: string): boolean =>
  token.length <= LONGEST_JWT &&
  /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) &&
  token.split(".").every((part) => Buffer.from(part, "base64url").toString("base64url") === part);

/** Believes the JWTs of one issuer. */
export class JwtVerifier {
  readonly #key: Uint8Array | JWTVerifyGetKey;
  readonly #algorithms: string[];

  constructor(
    private readonly settings: JwtSettings,
    private readonly log: Log,
  ) {
    const { keys } = settings;
    this.#algorithms = "secret" in keys ? SYMMETRIC : ASYMMETRIC;
    if ("secret" in keys) this.#key = keys.secret;
    else if ("jwks" in keys) this.#key = createLocalJWKSet({ keys: keys.jwks });
    else {
      this.#key = new RemoteKeys(keys.url, (error) =>
        log.warn({ message: String(error) }, "the keys of AUTH_JWKS_URL could not be fetched"),
      ).find;
    }
  }

  /** @throws Problem 401 for a token that does not count, 503 where that cannot be told */
  async verify(token: string): Promise<Claims> {
    try {
      if (!isCompact(token)) throw new errors.JWSInvalid("no JWT in compact form");
      return await this.#verify(token);
    } catch (error) {
      if (error instanceof KeysUnavailable) {
        throw unavailable("The keys by which your token is checked cannot be had right now. Try again.");
      }
      // Not jose's words: they may quote a header's name, which is whatever the client wrote.
      const { name, code, claim } = Object(error) as Partial<errors.JWTClaimValidationFailed>;
      this.log.info({ code: code ?? name, claim }, "a JWT was refused");
      throw unauthenticated();
    }
  }

  async #verify(token: string): Promise<Claims> {
    const { issuer, audience } = this.settings;
    const options = {
      algorithms: this.#algorithms,
      issuer,
      audience,
      clockTolerance: TOLERANCE,
      requiredClaims: ["exp", "sub"],
    };
    const { payload, protectedHeader } =
      this.#key instanceof Uint8Array
        ? await jwtVerify(token, this.#key, options)
        : await jwtVerify(token, this.#key, options);
    const { crit, typ } = protectedHeader;
    if (crit !== undefined) throw refusal("crit");
    if (typ !== undefined && !isKnownType(typ)) throw refusal("typ");
    return claimsOf(payload, issuer);
  }
}

/** @param claim of ours, or a header's name */
const refusal = (claim: string) => new errors.JWTClaimValidationFailed(claim, {}, claim, "invalid");

function claimsOf({ sub, exp, iat, name, preferred_username }: JWTPayload, issuer: string): Claims {
  if (!isText(sub) || sub === "" || Array.from(sub).length > LONGEST_SUBJECT || sub.includes("\0")) {
    throw refusal("sub");
  }
  const until = ((exp as number) + TOLERANCE) * 1000;
  if (!Number.isFinite(until)) throw refusal("exp");
  const now = Date.now();
  return {
    issuer,
    subject: sub,
    name: isText(name) ? name : null,
    preferredUsername: isText(preferred_username) ? preferred_username : null,
    issuedAt: iat === undefined ? now : Math.min(Math.max(iat * 1000, 0), now),
    until,
  };
}

/** Whether it is text that a database takes; of any other a claim is as if it were not there. */
const isText = (value: unknown): value is string => typeof value === "string" && value.isWellFormed();
