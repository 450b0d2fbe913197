import { Listeners } from "./listeners.ts";

/** What the browser says about network and visibility; outside of one: online and visible. */
export class Surroundings {
  readonly onNetwork = new Listeners();
  /** Told when the page is shown, wakes up, or is hidden. */
  readonly onVisible = new Listeners();
  readonly #stop = new AbortController();
  #offline = globalThis.navigator?.onLine === false;

  constructor() {
    const { signal } = this.#stop;
    const network = (offline: boolean) => () => {
      this.#offline = offline;
      this.onNetwork.tell();
    };
    const visible = () => this.onVisible.tell();
    globalThis.addEventListener?.("offline", network(true), { signal });
    globalThis.addEventListener?.("online", network(false), { signal });
    globalThis.addEventListener?.("pageshow", visible, { signal }); // out of the back/forward cache
    globalThis.document?.addEventListener("visibilitychange", visible, { signal });
    globalThis.document?.addEventListener("resume", visible, { signal });
  }

  get offline(): boolean {
    return this.#offline;
  }

  get visible(): boolean {
    return (globalThis.document?.visibilityState ?? "visible") === "visible";
  }

  /** Something got through: whatever the browser says, there is a network (as to a server on the same machine). */
  reached(): void {
    if (!this.#offline) return;
    this.#offline = false;
    this.onNetwork.tell();
  }

  close(): void {
    this.#stop.abort();
    this.onNetwork.clear();
    this.onVisible.clear();
  }
}
