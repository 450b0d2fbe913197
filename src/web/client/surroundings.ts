import { Listeners } from "./listeners.ts";

/** Milliseconds in which what arrives was on its way before the network went. */
const ON_ITS_WAY_MS = 1_000;

/** What the browser says about network and visibility; outside of one: online and visible. */
export class Surroundings {
  readonly onNetwork = new Listeners();
  /** Told when the page is shown, wakes up, or is hidden. */
  readonly onVisible = new Listeners();
  readonly #stop = new AbortController();
  #offline = globalThis.navigator?.onLine === false;
  #offlineSince = 0;

  constructor() {
    const { signal } = this.#stop;
    const network = (offline: boolean) => () => {
      this.#offline = offline;
      this.#offlineSince = Date.now();
      this.onNetwork.tell();
    };
    const visible = () => this.onVisible.tell();
    globalThis.addEventListener?.("offline", network(true), { signal });
    globalThis.addEventListener?.("online", network(false), { signal });
    const restored = (event: Event) => (event as PageTransitionEvent).persisted && visible();
    globalThis.addEventListener?.("pageshow", restored, { signal }); // out of the back/forward cache
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
    if (!this.#offline || Date.now() - this.#offlineSince < ON_ITS_WAY_MS) return;
    this.#offline = false;
    this.onNetwork.tell();
  }

  close(): void {
    this.#stop.abort();
    this.onNetwork.clear();
    this.onVisible.clear();
  }
}
