import type { Api } from "./api.ts";
import type { RoomsPage } from "./contract.ts";
import { ApiError, NetworkError, retryAfterOf } from "./errors.ts";
import { Feed } from "./feed.ts";
import { about, type Pace, retryDelay } from "./pace.ts";
import { whoIsThere } from "./session.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Status } from "./tabs.ts";

export interface ListStreamHooks {
  /** @returns whether all of it was taken, so that the cursor of an answer may be followed from */
  page(page: RoomsPage, cursor: string): boolean;
  /** Something was heard that tells of no room, or the status changed. */
  sign(): void;
  signedOut(): void;
}

/**
 * The room list, live: by its stream, and by polling while streams do not get through.
 */
export class ListStream {
  readonly #feed: Feed;
  #isPolled = false;
  /** Another number, another time of polling: what was asked for in the one before is not wanted any more. */
  #spell = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  private readonly api: Api;
  private readonly hooks: ListStreamHooks;
  private readonly surroundings: Surroundings;
  private readonly pace: Pace;

  constructor(
    api: Api,
    userId: number,
    cursor: string,
    hooks: ListStreamHooks,
    surroundings: Surroundings,
    pace: Pace,
  ) {
    this.api = api;
    this.hooks = hooks;
    this.surroundings = surroundings;
    this.pace = pace;
    this.#feed = new Feed(
      { url: `${api.base}/stream/rooms`, events: ["rooms"], check: () => whoIsThere(api, userId) },
      cursor,
      {
        event: (name, data, at) => {
          if (name === "rooms") this.hooks.page(data as RoomsPage, at);
          else this.hooks.sign();
        },
        state: (state) => {
          clearTimeout(this.#timer);
          this.#isPolled = false;
          this.#spell++;
          if (state === "failing") this.#poll(this.#spell);
          this.hooks.sign();
        },
        ended: () => this.hooks.signedOut(),
      },
      surroundings,
      pace,
    );
    if (this.#feed.state === "failing") this.#poll(this.#spell); // there are no streams here at all
  }

  get cursor(): string {
    return this.#feed.cursor;
  }

  get status(): Status {
    if (this.#feed.state === "live") return "live";
    return this.#isPolled ? "polling" : "connecting";
  }

  close(): void {
    this.#spell++;
    clearTimeout(this.#timer);
    this.#feed.close();
  }

  /** @param spell in which it is asked: it ends when the stream comes through, or nobody wants it any more */
  async #poll(spell: number): Promise<void> {
    let delay = about(this.pace.pollMs);
    try {
      const page = await this.api.rooms(this.#feed.cursor || undefined);
      if (spell !== this.#spell) return;
      this.#failures = 0;
      this.#isPolled = true;
      this.surroundings.reached();
      if (this.hooks.page(page, page.cursor)) this.#feed.cursor = page.cursor;
      this.hooks.sign();
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof NetworkError)) throw error;
      if (spell !== this.#spell) return;
      if (error instanceof ApiError && error.status === 401) return this.hooks.signedOut();
      this.#isPolled = false;
      const atLeast = retryAfterOf(error);
      delay = Math.max(delay, retryDelay(this.pace.retryMs, this.#failures++, atLeast));
      this.hooks.sign();
    }
    if (spell === this.#spell) this.#timer = setTimeout(() => this.#poll(spell), delay);
  }
}
