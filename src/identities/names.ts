import { VISIBLE } from "../schema.ts";

/** Characters of a handle, as the table takes them. */
const SHORTEST = 2;
const LONGEST = 32;
/** Characters of a name, as in a sign-up. */
const LONGEST_NAME = 80;
/** Characters of a claim that are looked at. */
const LOOKED_AT = 200;
/** Of a person of whom nothing is told that a handle could be made of. */
const NOBODY = "user";

/** A claim as a person's name: one line, with something to be seen; null if there is nothing. */
export function cleanName(claim: string | null): string | null {
  const line = (claim ?? "").replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();
  const name = Array.from(line).slice(0, LONGEST_NAME).join("").trim();
  return new RegExp(VISIBLE, "u").test(name) ? name : null;
}

/**
 * A handle out of what the issuer tells: its letters without their accents, in a-z0-9._-; of an e-mail address only
 * what is before the @.
 * @param wishes the best one first
 */
export function handleOf(...wishes: (string | null)[]): string {
  for (const wish of wishes) {
    const handle = (wish ?? "")
      .slice(0, LOOKED_AT)
      .replace(/^@+/, "")
      .replace(/@.*$/s, "")
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .toLowerCase()
      .replace(/[^a-z0-9._-]+/g, "-")
      .replace(/^[._-]+/, "")
      .slice(0, LONGEST)
      .replace(/[._-]+$/, "");
    if (handle.length >= SHORTEST) return handle;
  }
  return NOBODY;
}

/** Another handle for the same wish: the first few are counted, then chance decides. */
export function nextHandle(handle: string, attempt: number): string {
  if (attempt === 1) return handle;
  const suffix = attempt <= 4 ? `-${attempt}` : `-${crypto.randomUUID().slice(0, 8)}`;
  return handle.slice(0, LONGEST - suffix.length) + suffix;
}
