import type { Client } from "../../client/index.ts";

/** Milliseconds that sightings are gathered for: scrolling brings many. */
const GATHER_MS = 250;
const RETRY_MS = 4_000;

/** Moves the person's read marker in one room, as messages are seen. */
export class ReadMarker {
  #seen = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #held = false;
  #closed = false;

  constructor(
    private readonly client: Client,
    private readonly roomId: number,
  ) {}

  /** Nothing is read any more by being on screen: for a room that was marked as unread while it is open. */
  hold(): void {
    this.#held = true;
    this.#seen = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  release(): void {
    this.#held = false;
  }

  /** @param seq of the last message that was really on screen, in a tab that is visible */
  saw(seq: number): void {
    const room = this.client.rooms.get(this.roomId);
    if (this.#held || !room) return;
    const isNews = seq > Math.max(room.lastReadSeq, this.#seen) || (room.markedUnread && seq > this.#seen);
    if (!isNews) return;
    this.#seen = seq;
    this.#timer ??= setTimeout(() => void this.#send(), GATHER_MS);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#timer !== undefined && this.#seen > 0) void this.#send(); // what was seen was seen
  }

  async #send(): Promise<void> {
    const seq = this.#seen;
    try {
      this.client.rooms.put(await this.client.api.markRead(this.roomId, seq));
      this.#timer = undefined;
      if (this.#seen > seq && !this.#closed) this.#timer = setTimeout(() => void this.#send(), GATHER_MS);
    } catch {
      // Shown by the status line, if it lasts; the count stays until a later try has moved the marker.
      if (!this.#closed && !this.#held && this.client.rooms.get(this.roomId))
        this.#timer = setTimeout(() => void this.#send(), RETRY_MS * (1 + Math.random()));
    }
  }
}
