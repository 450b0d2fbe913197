import { deferred } from "./deferred.ts";
/** 128 random bits as text; crypto.randomUUID is missing where there is no secure context. */
export const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );

/** A Web Lock that a tab holds for as long as it lives, so that the others can tell. */
export class TabLock {
  readonly id = randomId();
  readonly #stop = new AbortController();
  readonly #held = deferred<void>();

  private readonly prefix: string;

  /** @param prefix of the names of all these locks */
  constructor(prefix: string) {
    this.prefix = prefix;
    this.#request(this.id, () => this.#held.promise);
  }

  /** Whether it can be told which tabs live. */
  get canTell(): boolean {
    return globalThis.navigator?.locks !== undefined;
  }

  /** @param then called when the tab of this id is no more; at once if it is not there, or cannot be told */
  whenGone(id: string, then: () => void): void {
    this.#request(id, async () => then());
  }

  close(): void {
    this.#stop.abort();
    this.#held.resolve();
  }

  #request(id: string, granted: () => Promise<void>): void {
    const { signal } = this.#stop;
    const isMine = id === this.id;
    if (!this.canTell) {
      if (!isMine) void granted();
      return;
    }
    navigator.locks.request(this.prefix + id, { signal }, granted).catch((error: unknown) => {
      if (!signal.aborted) reportError(error);
    });
  }
}
