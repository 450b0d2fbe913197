import type { Api } from "./api.ts";
import { ApiError } from "./errors.ts";
import { Feed, type FeedEnd } from "./feed.ts";
import type { Pace } from "./pace.ts";
import type { RoomList } from "./rooms.ts";
import { whoIsThere } from "./session.ts";
import type { Slot, Slots } from "./slots.ts";
import type { Surroundings } from "./surroundings.ts";

/** What a timeline needs of the client. */
export interface RoomParts {
  api: Api;
  userId: number;
  rooms: RoomList;
  slots: Slots;
  surroundings: Surroundings;
  pace: Pace;
}

export interface RoomStreamHooks {
  /** @param first whether it is the first one since the stream was opened */
  event(name: string, data: unknown, first: boolean): void;
  /** Something in the room has changed, and no stream tells what. */
  refresh(): void;
  ended(why: FeedEnd): void;
}

/**
 * One room's stream, while its tab is visible and one of the browser's few streams is free for it. Hidden, it stands
 * still, and goes on from its cursor. Where there is none, the room's row in the list tells when to ask.
 */
export class RoomStream {
  #cursor: string | null = null;
  #feed: Feed | null = null;
  #slot: Slot | null = null;
  #isTaking = false;
  #isClosed = false;
  #row: unknown;
  readonly #forget: (() => void)[];

  constructor(
    private readonly roomId: number,
    private readonly parts: RoomParts,
    private readonly hooks: RoomStreamHooks,
  ) {
    const { rooms, surroundings } = parts;
    this.#row = rooms.get(roomId);
    this.#forget = [
      surroundings.onVisible.add(() => {
        if (!surroundings.visible) this.#pause();
        else void this.#go(true);
      }),
      rooms.listen(() => this.#listChanged()),
    ];
  }

  /** Follows from here on, if it does not follow already. @param cursor of a page that is all that is held */
  begin(cursor: string): void {
    if (this.#feed) return; // it stands further back, and tells more
    this.#cursor = cursor;
    void this.#go(true);
  }

  close(): void {
    this.#isClosed = true;
    for (const forget of this.#forget) forget();
    this.#pause();
  }

  /** @param isUrgent whether the person has just turned to this room */
  async #go(isUrgent: boolean): Promise<void> {
    if (this.#feed || this.#isTaking || !this.#isWanted) return;
    this.#isTaking = true;
    const slot = await this.parts.slots
      .take(() => this.#pause(), isUrgent)
      .finally(() => {
        this.#isTaking = false;
      });
    if (!this.#isWanted || this.#feed) slot?.release();
    else if (slot) this.#open(slot);
    else this.hooks.refresh();
  }

  get #isWanted(): boolean {
    return !this.#isClosed && this.#cursor !== null && this.parts.surroundings.visible;
  }

  #open(slot: Slot): void {
    const { api, userId, surroundings, pace } = this.parts;
    const { roomId } = this;
    this.#slot = slot;
    this.#feed = new Feed(
      {
        url: `${api.base}/stream/rooms/${roomId}`,
        events: ["messages", "typing", "read"],
        async check() {
          try {
            await api.room(roomId);
            return null;
          } catch (error) {
            if (error instanceof ApiError && error.status === 404) return "gone";
            if (error instanceof ApiError && error.status === 401) return whoIsThere(api, userId);
            throw error;
          }
        },
      },
      this.#cursor as string,
      {
        event: (name, data, _cursor, first) => this.hooks.event(name, data, first),
        state: (state) => {
          if (state === "failing") this.hooks.refresh();
        },
        ended: (why) => this.hooks.ended(why),
      },
      surroundings,
      pace,
    );
    if (this.#feed.state === "failing") this.hooks.refresh();
  }

  #pause(): void {
    if (this.#feed) {
      this.#cursor = this.#feed.cursor;
      this.#feed.close();
      this.#feed = null;
    }
    this.#slot?.release();
    this.#slot = null;
  }

  #listChanged(): void {
    const row = this.parts.rooms.get(this.roomId);
    if (row === this.#row) return;
    this.#row = row;
    // A stream that is about to open will tell.
    if (!this.#isWanted || this.#isTaking || (this.#feed && this.#feed.state !== "failing")) return;
    this.hooks.refresh();
    void this.#go(false); // one may have become free
  }
}
