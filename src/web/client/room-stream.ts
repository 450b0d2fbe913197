import type { Api } from "./api.ts";
import { ApiError } from "./errors.ts";
import { Feed, type FeedEnd } from "./feed.ts";
import { about, type Pace } from "./pace.ts";
import type { RoomList } from "./rooms.ts";
import { whoIsThere } from "./session.ts";
import type { Slot, Slots } from "./slots.ts";
import type { Surroundings } from "./surroundings.ts";

/** Milliseconds for which a hidden tab keeps the right to a stream. */
const LINGER_MS = 1_000;

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
 * still, and goes on from its cursor. Where there is none, it tells to ask: when the room's row in the list changes, and
 * now and then, for not everything in a room shows in its row.
 */
export class RoomStream {
  #cursor: string | null = null;
  #feed: Feed | null = null;
  #slot: Slot | null = null;
  /** The search for a slot. */
  #seeking: AbortController | null = null;
  /** Whether it waits for a slot that others have. */
  #isRobbed = false;
  #released: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  #row: unknown;
  readonly #forget: (() => void)[];

  private readonly roomId: number;
  private readonly parts: RoomParts;
  private readonly hooks: RoomStreamHooks;

  constructor(roomId: number, parts: RoomParts, hooks: RoomStreamHooks) {
    this.roomId = roomId;
    this.parts = parts;
    this.hooks = hooks;
    const { rooms, surroundings } = parts;
    this.#row = rooms.get(roomId);
    this.#forget = [
      surroundings.onVisible.add(() => {
        if (surroundings.visible) this.#go();
        else this.#hide();
      }),
      rooms.listen(() => this.#listChanged()),
    ];
  }

  /** Follows from here on, if it does not follow already. @param cursor of a page that is all that is held */
  begin(cursor: string): void {
    if (this.#feed) return; // it stands further back, and tells more
    this.#cursor = cursor;
    this.#go();
  }

  close(): void {
    this.#isClosed = true;
    for (const forget of this.#forget) forget();
    this.#pause();
  }

  /** The person has just turned to this room. */
  #go(): void {
    if (this.#feed || this.#seeking || !this.#isWanted) return;
    if (this.#slot) this.#open(this.#slot);
    else void this.#seek((onLost) => this.parts.slots.take(onLost));
  }

  /** Another tab has taken the slot away. */
  #lost(): void {
    this.#pause();
    if (!this.#isWanted) return;
    this.#isRobbed = true;
    void this.#seek((onLost, seeking) => this.parts.slots.next(onLost, seeking));
    this.#refresh();
  }

  async #seek(find: (onLost: () => void, seeking: AbortController) => Promise<Slot | null>): Promise<void> {
    const seeking = new AbortController();
    this.#seeking = seeking;
    await this.#released; // or it would rob another tab of what it has itself
    let slot: Slot | null = null;
    slot = await find(() => {
      if (slot !== null && this.#slot === slot) this.#lost();
    }, seeking);
    if (this.#seeking !== seeking) {
      void slot?.release();
      return;
    }
    this.#seeking = null;
    this.#isRobbed = false;
    if (slot) this.#open(slot);
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
        state: () => this.#stateChanged(),
        ended: (why) => this.hooks.ended(why),
      },
      surroundings,
      pace,
    );
    this.#stateChanged();
  }

  #stateChanged(): void {
    clearTimeout(this.#timer);
    if (this.#feed?.state === "failing") this.#refresh();
  }

  /** The slot is kept for a moment: whoever only looks away and back robs nobody. */
  #hide(): void {
    this.#rest();
    if (this.#slot) this.#timer = setTimeout(() => this.#pause(), LINGER_MS);
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#isRobbed = false;
    this.#seeking?.abort();
    this.#seeking = null;
    if (!this.#feed) return;
    this.#cursor = this.#feed.cursor;
    this.#feed.close();
    this.#feed = null;
  }

  #pause(): void {
    this.#rest();
    if (this.#slot) this.#released = this.#slot.release();
    this.#slot = null;
  }

  #listChanged(): void {
    const row = this.parts.rooms.get(this.roomId);
    if (row === this.#row) return;
    this.#row = row;
    // A stream that is about to open will tell.
    const isAlone = this.#feed ? this.#feed.state === "failing" : this.#isRobbed;
    if (this.#isWanted && isAlone) this.#refresh();
  }

  #refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#refresh(), about(this.parts.pace.refreshMs));
    this.hooks.refresh();
  }
}
