import { retryAfterOf } from "./errors.ts";
import { about, type Pace, retryDelay } from "./pace.ts";
import type { Surroundings } from "./surroundings.ts";

/** `failing`: streams do not get through, be it that they break at once or that something holds them back. */
export type FeedState = "connecting" | "live" | "failing" | "ended";
export type FeedEnd = "signed-out" | "gone";

/** What a feed is of. */
export interface FeedSource {
  url: string;
  /** Names of its events, besides `ping` and `bye`. */
  events: readonly string[];
  /** Why a stream is refused, by a plain request: EventSource hides the status. null: for no reason that lasts. */
  check(): Promise<FeedEnd | null>;
}

export interface FeedHooks {
  /** @param data parsed @param first whether it is the first one since the stream was opened */
  event(name: string, data: unknown, cursor: string, first: boolean): void;
  state(state: FeedState): void;
  ended(why: FeedEnd): void;
}

/** Failures in a row from which on streams do not seem to get through. */
const FAILING = 2;

/**
 * One EventSource that a browser can live with. Its own reconnection is not relied on: after an answer that is no
 * stream there is none, and browsers differ in the rest. It is closed at every error, and opened again from the newest
 * cursor seen.
 */
export class Feed {
  #state: FeedState = "connecting";
  #source: EventSource | null = null;
  /** The one thing waited for: an opening, an event, or the time of the next try. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #opened = 0;
  #heard = Date.now();
  /** Whether nothing was heard since the network went. */
  #isSuspect = false;
  /** The check under way. */
  #asking: symbol | undefined;
  /** Events since the stream was opened. */
  #events = 0;
  readonly #forget: (() => void)[];

  private readonly what: FeedSource;
  cursor: string;
  private readonly hooks: FeedHooks;
  private readonly surroundings: Surroundings;
  private readonly pace: Pace;

  /** @param cursor where to begin, and then where it stands; "": at the beginning */
  constructor(what: FeedSource, cursor: string, hooks: FeedHooks, surroundings: Surroundings, pace: Pace) {
    this.what = what;
    this.cursor = cursor;
    this.hooks = hooks;
    this.surroundings = surroundings;
    this.pace = pace;
    this.#forget = [
      surroundings.onNetwork.add(() => this.#networkChanged()),
      surroundings.onVisible.add(() => this.#woken()),
    ];
    this.#open();
  }

  get state(): FeedState {
    return this.#state;
  }

  close(): void {
    this.#drop();
    for (const forget of this.#forget) forget();
    this.#state = "ended";
  }

  #open(): void {
    this.#drop();
    if (typeof EventSource === "undefined") {
      this.#state = "failing"; // and stays so
      return;
    }
    const { url, events } = this.what;
    const address = this.cursor ? `${url}?cursor=${encodeURIComponent(this.cursor)}` : url;
    const source = new EventSource(address, { withCredentials: true }); // as in request.ts
    this.#source = source;
    this.#opened = Date.now();
    this.#events = 0;
    this.#wait(this.pace.openMs, () => this.#heldBack());
    source.onopen = () => this.#wait(this.pace.deliverMs, () => this.#heldBack());
    source.onerror = () => this.#failed(source.readyState === EventSource.CLOSED);
    for (const name of ["ping", "bye", ...events]) {
      source.addEventListener(name, (event) => this.#hear(name, event as MessageEvent<string>));
    }
  }

  #hear(name: string, { data, lastEventId }: MessageEvent<string>): void {
    const parsed: unknown = JSON.parse(data);
    this.#heard = Date.now();
    this.#isSuspect = false;
    if (name === "bye") {
      this.#bye((parsed as { reason: string }).reason);
      return;
    }
    // The server also moves the cursor by an id without an event: every event tells the newest.
    if (lastEventId) this.cursor = lastEventId;
    this.#wait(this.pace.watchdogMs, () => this.#failed(false));
    const first = this.#events++ === 0;
    this.#enter("live");
    this.surroundings.reached();
    if (!this.#isEnded) this.hooks.event(name, parsed, this.cursor, first);
  }

  #bye(reason: string): void {
    // Of a session that ended: the browser may have another one by now, from another tab.
    if (reason === "signed-out") this.#failed(true);
    else if (reason === "removed") this.#end("gone");
    else this.#failed(false);
  }

  /** @param refused whether the browser has given up: the answer was no stream */
  #failed(refused: boolean): void {
    const wasGood = this.#events > 0 && Date.now() - this.#opened >= this.pace.settleMs;
    if (wasGood) this.#failures = 0;
    const delay = retryDelay(this.pace.retryMs, this.#failures++);
    this.#drop();
    this.#enter(this.#failures >= FAILING ? "failing" : "connecting");
    if (!refused) {
      this.#wait(delay, () => this.#open());
      return;
    }
    const asking = Symbol();
    this.#asking = asking;
    this.what.check().then(
      (end) => {
        if (this.#asking !== asking) return;
        if (end) this.#end(end);
        else this.#wait(delay, () => this.#open());
      },
      (error) => {
        const atLeast = retryAfterOf(error);
        if (this.#asking === asking) this.#wait(atLeast + delay, () => this.#open());
      },
    );
  }

  /** What something holds back may come late and all at once, behind what polling has brought: it is not waited for. */
  #heldBack(): void {
    this.#drop();
    this.#failures++;
    this.#enter("failing");
    this.#wait(about(this.pace.trialMs), () => this.#open());
  }

  /** Back in a network: at once, and also where nothing was heard since it went, for a dead connection says nothing. */
  #networkChanged(): void {
    if (this.surroundings.offline) {
      this.#isSuspect = true;
      if (this.#state === "live") this.#enter("connecting"); // until something is heard all the same
    } else if (this.#state !== "live" || this.#isSuspect) this.#retry();
  }

  /** A page that slept: its connection may be dead without anybody having said so. */
  #woken(): void {
    if (!this.surroundings.visible) return;
    const isWaiting = this.#state !== "live" && !this.#source;
    const isStale = this.#state === "live" && Date.now() - this.#heard > this.pace.watchdogMs;
    if (isWaiting || isStale) this.#retry();
  }

  #retry(): void {
    this.#failures = Math.min(this.#failures, FAILING); // streams that do not get through still do not
    this.#open();
  }

  #end(why: FeedEnd): void {
    this.close();
    this.hooks.ended(why);
  }

  get #isEnded(): boolean {
    return this.#state === "ended";
  }

  #enter(state: FeedState): void {
    if (state === this.#state || this.#isEnded) return;
    this.#state = state;
    this.hooks.state(state);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#asking = undefined;
    if (!this.#source) return;
    this.#source.onopen = this.#source.onerror = null;
    this.#source.close(); // it dispatches nothing any more
    this.#source = null;
  }

  /** One who listens may have closed it meanwhile. */
  #wait(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#isEnded) this.#timer = setTimeout(then, ms);
  }
}
