import type { Sql } from "../db/client.ts";
import { type Announce, typing } from "../live/hints.ts";
import { mustBeMember } from "../members/queries.ts";

/** Milliseconds between two hints of one person. */
const PAUSE_MS = 1_000;
/** How often (ms) those who have not typed for a while are forgotten. */
const SWEEP_MS = 10_000;

interface Typist {
  roomId: number;
  /** When their last hint went out (ms). */
  told: number;
  /** The hint that waits for the pause to end: they have gone on to another room. */
  next: Timer | undefined;
}

/**
 * Tells that people type, each at most once a second, however often they say so: the same again within that second is
 * nothing new, and of other rooms the last one is told when the second is over. Kept in memory only.
 */
export class Typists {
  readonly #typists = new Map<number, Typist>();
  readonly #sweep: Timer;

  constructor(
    private readonly sql: Sql,
    private readonly announce: Announce,
  ) {
    this.#sweep = setInterval(() => this.#forget(), SWEEP_MS);
  }

  /** @throws Problem 404 `room-not-found` unless the person is in the room */
  async type(userId: number, roomId: number): Promise<void> {
    if (this.#isTold(userId, roomId)) return;
    await mustBeMember(this.sql, userId, roomId);
    if (this.#isTold(userId, roomId)) return; // by another one meanwhile
    const typist = this.#typists.get(userId) ?? { roomId, told: 0, next: undefined };
    this.#typists.set(userId, typist);
    typist.roomId = roomId;
    const tell = () => {
      typist.told = performance.now();
      typist.next = undefined;
      this.announce(typing(userId, typist.roomId));
    };
    const wait = typist.told === 0 ? 0 : typist.told + PAUSE_MS - performance.now();
    if (wait <= 0) tell();
    else typist.next ??= setTimeout(tell, wait);
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const { next } of this.#typists.values()) clearTimeout(next);
  }

  #isTold(userId: number, roomId: number): boolean {
    const typist = this.#typists.get(userId);
    return (
      typist?.roomId === roomId && (typist.next !== undefined || performance.now() < typist.told + PAUSE_MS)
    );
  }

  #forget(): void {
    const now = performance.now();
    for (const [userId, { told, next }] of this.#typists) {
      if (next === undefined && now > told + PAUSE_MS) this.#typists.delete(userId);
    }
  }
}
