import { deferred } from "./deferred.ts";

/** Streams of rooms in one browser: HTTP/1.1 has six connections to a host; the list takes one, and requests need some. */
const SLOTS = 3;

/** The right to open a stream of a room. */
export interface Slot {
  /** Gives it back. @returns once it is free for others */
  release(): Promise<void>;
}

const FREE_FOR_ALL: Slot = { release: () => Promise.resolve() };

/**
 * Who may open a stream of a room, over all tabs of a browser: a Web Lock each. Whoever has just turned to a room takes
 * one away from who has had it for longest, if need be; that one waits for the next. Without locks everybody may.
 */
export class Slots {
  private readonly name: string;

  /** @param name of the person's locks */
  constructor(name: string) {
    this.name = name;
  }

  /** One that is free, or else another tab's. @param onLost called when another tab has taken it away */
  async take(onLost: () => void): Promise<Slot> {
    for (let i = 0; i < SLOTS; i++) {
      const slot = await this.#request(i, { ifAvailable: true }, onLost);
      if (slot) return slot;
    }
    return (await this.#request(this.#oldest(), { steal: true }, onLost)) ?? FREE_FOR_ALL;
  }

  /** The next one that is free. @param wait aborted: no longer wanted @returns null: aborted */
  async next(onLost: () => void, wait: AbortController): Promise<Slot | null> {
    const { signal } = wait;
    const { promise, resolve } = deferred<Slot | null>();
    let isFound = false;
    const requests = Array.from({ length: SLOTS }, async (_, i) => {
      const slot = await this.#request(i, { signal }, onLost);
      if (!slot) return;
      if (isFound) return slot.release(); // two were free at once
      isFound = true;
      resolve(slot);
      wait.abort();
    });
    void Promise.all(requests).then(() => resolve(null));
    return promise;
  }

  /** @returns null: not available, or no longer wanted */
  #request(i: number, options: LockOptions, onLost: () => void): Promise<Slot | null> {
    if (!globalThis.navigator?.locks) return Promise.resolve(FREE_FOR_ALL);
    const { promise: held, resolve: free } = deferred<void>();
    const { promise, resolve } = deferred<Slot | null>();
    let state: "asked" | "held" | "released" = "asked";
    const over = navigator.locks
      .request(`${this.name}:room:${i}`, options, (lock) => {
        if (!lock) return resolve(null);
        note(`${this.name}:room:${i}`);
        state = "held";
        resolve({
          release() {
            state = "released";
            free();
            return over;
          },
        });
        return held;
      })
      .catch((error: unknown) => {
        if (state === "held") onLost();
        if (state !== "asked") return;
        if (options.signal?.aborted) return resolve(null);
        reportError(error); // locks that are there and cannot be had: as if there were none
        resolve(FREE_FOR_ALL);
      });
    return promise;
  }

  #oldest(): number {
    const since = Array.from({ length: SLOTS }, (_, i) => noted(`${this.name}:room:${i}`));
    return since.indexOf(Math.min(...since));
  }
}

/** When each was taken, for the other tabs; where storage is forbidden, all are as old. */
function note(key: string): void {
  try {
    localStorage.setItem(key, String(Date.now()));
  } catch {
    // Then another one goes than the oldest.
  }
}

function noted(key: string): number {
  try {
    return Number(localStorage.getItem(key)) || 0; // whatever else is there
  } catch {
    return 0;
  }
}
