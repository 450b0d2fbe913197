import type { Sql } from "../db/client.ts";
import { type Announce, typing } from "../live/hints.ts";
import { mustBeMember } from "../members/queries.ts";

/** Milliseconds between two hints of one person. */
const PAUSE_MS = 1_000;

/** Somebody of whom it was told within the last second. */
interface Typist {
  /** Where they typed last. */
  roomId: number;
  /** Whether that is still to be told. */
  untold: boolean;
}

/**
 * Tells that people type, each at most once a second, however often they say so: the same again within that second is
 * nothing new, and of other rooms the last one is told when the second is over. Kept in memory only.
 */
export class Typists {
  readonly #typists = new Map<number, Typist>();

  /** @param pause what lies between two hints of one person */
  constructor(
    private readonly sql: Sql,
    private readonly announce: Announce,
    private readonly pause: () => Promise<unknown> = () => Bun.sleep(PAUSE_MS),
  ) {}

  /** @throws Problem 404 `room-not-found` unless the person is in the room */
  async type(userId: number, roomId: number): Promise<void> {
    if (this.#knows(userId, roomId)) return;
    await mustBeMember(this.sql, userId, roomId);
    if (this.#knows(userId, roomId)) return; // by another request meanwhile
    const typist = this.#typists.get(userId);
    if (!typist) void this.#tell(userId, roomId);
    else {
      typist.roomId = roomId;
      typist.untold = true;
    }
  }

  /** How many people it remembers. */
  get size(): number {
    return this.#typists.size;
  }

  #knows(userId: number, roomId: number): boolean {
    return this.#typists.get(userId)?.roomId === roomId;
  }

  async #tell(userId: number, roomId: number): Promise<void> {
    const typist: Typist = { roomId, untold: true };
    this.#typists.set(userId, typist);
    while (typist.untold) {
      typist.untold = false;
      this.announce(typing(userId, typist.roomId));
      await this.pause();
    }
    this.#typists.delete(userId);
  }
}
