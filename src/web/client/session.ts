import type { Api } from "./api.ts";
import type { FeedEnd } from "./feed.ts";
import type { Surroundings } from "./surroundings.ts";

/** In localStorage: the id of who has last opened the page in this browser. */
const KEY = "foyer:signed-in";

/** Whether the session still is this person's: another one may have signed in in this browser. */
export async function whoIsThere(api: Api, userId: number): Promise<FeedEnd | null> {
  const user = await api.session();
  return user?.id === userId ? null : "signed-out";
}

/**
 * The cookie is one for all tabs of a browser: whoever signs in in one of them is who all of them ask and write as. So a
 * tab ends what it does for one person once another tab was opened for somebody else.
 */
export class Session {
  readonly #stop = new AbortController();
  readonly #forget: () => void;

  private readonly api: Api;
  private readonly userId: number;
  private readonly onEnded: () => void;

  /** @param onEnded told when it is no longer this person's */
  constructor(api: Api, userId: number, surroundings: Surroundings, onEnded: () => void) {
    this.api = api;
    this.userId = userId;
    this.onEnded = onEnded;
    this.#note();
    const look = () => {
      if (this.isInDoubt) void this.confirm();
    };
    globalThis.addEventListener?.("storage", look, { signal: this.#stop.signal });
    this.#forget = surroundings.onVisible.add(look); // a page that slept is not told of storage
  }

  /** Whether another tab says that somebody else has signed in; where storage is forbidden, none does. */
  get isInDoubt(): boolean {
    try {
      return ![null, String(this.userId)].includes(localStorage.getItem(KEY));
    } catch {
      return false;
    }
  }

  /**
   * Asks the server whose it is, where another tab says that it is not this person's any more; without an answer, that
   * one is believed.
   * @returns whether it still is
   */
  async confirm(): Promise<boolean> {
    const end = await whoIsThere(this.api, this.userId).catch(() => "signed-out");
    if (end === null) this.#note();
    else this.onEnded();
    return end === null;
  }

  close(): void {
    this.#stop.abort();
    this.#forget();
  }

  #note(): void {
    try {
      localStorage.setItem(KEY, String(this.userId));
    } catch {
      // Full or forbidden: what stands there is asked after.
    }
  }
}
