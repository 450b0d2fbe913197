import { unavailable } from "../problem.ts";

// OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, 2 iterations, 1 lane.
const ARGON2ID = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;

/** Hashes under way at once: each holds 19 MiB and a core for some 30 ms, and the rooms must not wait for them. */
const CONCURRENT_HASHES = 2;
/** Who would wait longer than for so many (some 1.5 s) is sent away: a flood must not make everybody wait for ever. */
const MOST_WAITING = 100;

/** Lets so much work be under way at once, and so much more wait in line. */
export class Turns {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(
    private readonly atOnce: number,
    private readonly mostWaiting: number,
  ) {}

  /** Does the work when its turn comes. @throws Problem 503 if too many wait already */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.atOnce) this.#running++;
    else if (this.#waiting.length >= this.mostWaiting) {
      throw unavailable("Too many people sign in or up right now. Try again in a moment.");
    } else await new Promise<void>((resolve) => this.#waiting.push(resolve)); // takes over the place of who wakes it
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

const turns = new Turns(CONCURRENT_HASHES, MOST_WAITING);

/** The argon2id hash of a password, in PHC form. */
export const hashPassword = (password: string): Promise<string> =>
  turns.take(() => Bun.password.hash(password, ARGON2ID));

const ZEROS = "A".repeat(43); // 32 bytes in base64
/**
 * Compared with when nobody has the handle that was asked for, so that the answer takes as long. In the form of
 * `hashPassword`, but made up: no password fits it, and nothing has to be computed first.
 */
const NOBODY = `$argon2id$v=19$m=${ARGON2ID.memoryCost},t=${ARGON2ID.timeCost},p=1$${ZEROS}$${ZEROS}`;

/**
 * Whether the password is right; takes as long for a user who does not exist.
 * @param hash null: there is no such user, or the user has no password
 */
export async function verifyPassword(password: string, hash: string | null): Promise<boolean> {
  const right = await turns.take(() => Bun.password.verify(password, hash ?? NOBODY));
  return right && hash !== null;
}
