// OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, 2 iterations, 1 lane.
const ARGON2ID = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;

/** Hashes under way at once: each holds 19 MiB and a core for some 30 ms, and the rooms must not wait for them. */
const CONCURRENT_HASHES = 2;

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running < CONCURRENT_HASHES) running++;
  else await new Promise<void>((resolve) => waiting.push(resolve)); // takes over the place of who wakes it
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

/** The argon2id hash of a password, in PHC form. */
export const hashPassword = (password: string): Promise<string> =>
  inTurn(() => Bun.password.hash(password, ARGON2ID));

/** Hashed when nobody has the handle that was asked for, so that the answer takes as long. */
let nobody: Promise<string> | undefined;

/**
 * Whether the password is right; takes as long for a user who does not exist.
 * @param hash null: there is no such user, or the user has no password
 */
export async function verifyPassword(password: string, hash: string | null): Promise<boolean> {
  nobody ??= hashPassword("nobody");
  const against = hash ?? (await nobody);
  const right = await inTurn(() => Bun.password.verify(password, against));
  return right && hash !== null;
}
