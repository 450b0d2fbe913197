/** Streams of rooms in one browser: HTTP/1.1 has six connections to a host; the list takes one, and requests need some. */
const SLOTS = 3;

/** The right to open a stream of a room. */
export interface Slot {
  release(): void;
}

/**
 * Who may open a stream of a room, over all tabs of a browser: a Web Lock each. Whoever has just turned to a room takes
 * one away from who has had it for longest, if need be. Without locks everybody may.
 */
export class Slots {
  /** @param name of the person's locks */
  constructor(private readonly name: string) {}

  /**
   * @param onLost called when another tab has taken it away
   * @param isUrgent whether to take one away where none is free
   * @returns null: none is free
   */
  async take(onLost: () => void, isUrgent: boolean): Promise<Slot | null> {
    if (!globalThis.navigator?.locks) return { release() {} };
    for (let i = 0; i < SLOTS; i++) {
      const slot = await this.#request(i, { ifAvailable: true }, onLost);
      if (slot) return slot;
    }
    return isUrgent ? this.#request(this.#oldest(), { steal: true }, onLost) : null;
  }

  #request(i: number, options: LockOptions, onLost: () => void): Promise<Slot | null> {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const { promise, resolve } = Promise.withResolvers<Slot | null>();
    let isGranted = false;
    let isReleased = false;
    navigator.locks
      .request(`${this.name}:room:${i}`, options, (lock) => {
        if (!lock) return resolve(null);
        isGranted = true;
        note(`${this.name}:room:${i}`);
        resolve({
          release() {
            isReleased = true;
            release();
          },
        });
        return held;
      })
      .catch((error: unknown) => {
        if (isGranted && !isReleased) onLost();
        if (isGranted) return;
        reportError(error); // locks that are there and cannot be had: as if there were none
        resolve({ release() {} });
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
