import { Problem, unavailable } from "../problem.ts";

/** Seconds after which who was refused may try again: the streams of a page that was closed are gone by then. */
const RETRY_AFTER = 5;

/** Room for open streams and sockets: so many for each person, and so many in all. */
export class Seats {
  readonly #byUser = new Map<number, number>();
  #taken = 0;

  constructor(
    private readonly mostEach: number,
    private readonly mostInAll: number,
  ) {}

  /** How many are taken. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes one.
   * @returns what leaves it, once or many times
   * @throws Problem 429 if the person has as many as one may have, 503 if all are taken
   */
  take(userId: number): () => void {
    const mine = this.#byUser.get(userId) ?? 0;
    if (mine >= this.mostEach) {
      throw new Problem(429, "rate-limited", `A person may have ${this.mostEach} streams and sockets open.`, {
        retryAfter: RETRY_AFTER,
        headers: {
          "ratelimit-policy": `"streams";q=${this.mostEach};qu="concurrent-requests"`,
          ratelimit: '"streams";r=0',
        },
      });
    }
    if (this.#taken >= this.mostInAll)
      throw unavailable("As many streams are open as this server takes.", RETRY_AFTER);
    this.#taken++;
    this.#byUser.set(userId, mine + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#taken--;
      const others = (this.#byUser.get(userId) ?? 1) - 1;
      if (others === 0) this.#byUser.delete(userId);
      else this.#byUser.set(userId, others);
    };
  }
}
