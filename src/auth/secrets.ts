import { createHash, randomBytes } from "node:crypto";

/** Bytes of randomness in a session's or a token's secret. */
const SECRET_BYTES = 32;

/** A session's secret, as the cookie carries it: 43 characters of base64url. */
export const newSessionSecret = (): string => randomBytes(SECRET_BYTES).toString("base64url");

/** A bearer token; the prefix lets secret scanners recognise one that leaked. */
export const newToken = (): string => `foyer_${newSessionSecret()}`;

/** Bytes of an invite's: it is in a link, which people may have to copy by hand, and does not live for long. */
const INVITE_BYTES = 18;

/** An invite's secret, as its link carries it: 24 characters of base64url. */
export const newInviteCode = (): string => randomBytes(INVITE_BYTES).toString("base64url");

/** What the database keeps of a secret. It is random, so a fast hash without salt is enough. */
export const hashSecret = (secret: string): Buffer => createHash("sha256").update(secret).digest();

/** A password that is made up for somebody: 16 characters, 96 bits. */
export const newPassword = (): string => randomBytes(12).toString("base64url");
