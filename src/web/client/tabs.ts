import type { RoomsPage } from "./contract.ts";
import { deferred } from "./deferred.ts";
import { about, type Pace } from "./pace.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * `live`: events come as they happen; `connecting`: they do not yet, or not now; `polling`: something holds streams
 * back, and the list is asked for every few seconds; `offline`: the browser has no network.
 */
export type Status = "live" | "connecting" | "polling" | "offline";

/** What the leading tab tells the others. */
export interface Told {
  status: Status;
  /** Where the leader stands. */
  cursor: string;
  /** What the list's stream brought; null: a sign of life. */
  page: RoomsPage | null;
}

/**
 * Who tells, against who told before: the same; the same, something of which was missed; nobody; or another one: then
 * something may have been missed in between.
 */
export type Leader = "same" | "missed" | "first" | "another";

/** What tabs say to each other, also those with an older or newer page: what is to mean something else needs another kind. */
type Note = { kind: "hello" } | { kind: "signed-out" } | Numbered;

/** `count`: 1, 2, 3… in each term, so that one who has missed something can tell. */
type Numbered = { kind: "told"; term: number; count: number } & Told;

export interface TabHooks {
  /** This tab leads now. */
  lead(): void;
  /** It does no longer. */
  follow(): void;
  told(told: Told, leader: Leader): void;
  /** A leader's answer to who asks whether it is there. */
  sign(): Told;
  signedOut(): void;
}

/**
 * The tabs of one person in one browser: one of them leads, which is who holds a Web Lock; it tells the others what it
 * hears over a BroadcastChannel. Each lead has a term, later ones a greater: what a leader still says after it was robbed
 * of the lock (it slept) is not listened to. Without locks or channels (no secure context) every tab leads, alone.
 */
export class Tabs {
  #isLeading = false;
  /** Of the leader last heard: milliseconds since the epoch at which its lead began, or just above the one before. */
  #term = 0;
  /** How much was told in it, by this tab or to it. */
  #count = 0;
  #channel: BroadcastChannel | null = null;
  /** Gives the lock back, or the wish for it up. */
  #leave = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  readonly #forget: () => void;

  private readonly name: string;
  private readonly hooks: TabHooks;
  private readonly surroundings: Surroundings;
  private readonly pace: Pace;

  /** @param name of the lock and of the channel: the person's */
  constructor(name: string, hooks: TabHooks, surroundings: Surroundings, pace: Pace) {
    this.name = name;
    this.hooks = hooks;
    this.surroundings = surroundings;
    this.pace = pace;
    if (canShare()) {
      this.#channel = new BroadcastChannel(name);
      this.#channel.onmessage = ({ data }: MessageEvent<Note | null>) => this.#hear(data);
    }
    this.#forget = surroundings.onVisible.add(() => this.#watch(0));
  }

  get isLeading(): boolean {
    return this.#isLeading;
  }

  get term(): number {
    return this.#term;
  }

  /** Runs for the lead. */
  run(): void {
    if (!this.#channel) {
      this.#goAlone();
      return;
    }
    this.#seek({});
    this.#watch(0);
  }

  tell(told: Told): void {
    if (this.#isLeading) this.#post({ kind: "told", term: this.#term, count: ++this.#count, ...told });
  }

  announceSignOut(): void {
    this.#post({ kind: "signed-out" });
  }

  close(): void {
    this.#isClosed = true;
    this.#isLeading = false;
    clearTimeout(this.#timer);
    this.#forget();
    this.#leave();
    this.#channel?.close();
    this.#channel = null;
  }

  /** Asks for the lock: in the queue, or by taking it away from who holds it. */
  #seek(how: { steal?: true }): void {
    const { promise: held, resolve: release } = deferred<void>();
    const abort = new AbortController();
    const leave = () => {
      release();
      abort.abort();
    };
    this.#leave = leave;
    // The two do not go together; a theft is granted at once anyway.
    const options = how.steal ? how : { signal: abort.signal };
    navigator.locks
      .request(this.name, options, () => {
        if (this.#leave !== leave || this.#isClosed) return;
        this.#lead();
        return held;
      })
      .catch((error: unknown) => {
        if (this.#isClosed || this.#leave !== leave) return; // given up
        if (error instanceof DOMException && error.name === "AbortError") return this.#stepDown();
        reportError(error); // locks that are there and cannot be had: a frame without storage
        this.#goAlone();
      });
  }

  #goAlone(): void {
    this.#channel?.close();
    this.#channel = null;
    clearTimeout(this.#timer);
    this.#isLeading = true;
    this.hooks.lead();
  }

  #lead(): void {
    clearTimeout(this.#timer);
    this.#term = Math.max(this.#term + 1, Date.now());
    this.#count = 0;
    this.#isLeading = true;
    this.hooks.lead();
    this.tell(this.hooks.sign());
  }

  #stepDown(): void {
    if (!this.#isLeading) return;
    this.#isLeading = false;
    this.#leave(); // of a lock that was stolen it gives nothing back
    this.hooks.follow();
    this.#seek({});
    this.#watch(this.pace.silenceMs);
  }

  #hear(note: Note | null): void {
    if (note?.kind === "signed-out") this.hooks.signedOut();
    else if (note?.kind === "hello") this.tell(this.hooks.sign());
    else if (note?.kind === "told" && Number.isFinite(note.term)) this.#follow(note);
  }

  #follow(note: Numbered): void {
    if (note.term < this.#term) return; // of one who was robbed and does not know it yet
    const hasMissed = Number.isFinite(note.count) && note.count !== this.#count + 1; // it slept, and its browser dropped what came
    const isSame = note.term === this.#term;
    const leader = isSame ? (hasMissed ? "missed" : "same") : this.#term === 0 ? "first" : "another";
    this.#term = note.term;
    this.#count = note.count;
    if (!isSame) this.#stepDown();
    this.#watch(this.pace.silenceMs);
    this.hooks.told(note, leader);
  }

  /** A visible tab does not wait for a leader that sleeps: after so much silence it asks, and without an answer it takes over. */
  #watch(silenceMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isLeading || this.#isClosed || !this.#channel) return;
    this.#timer = setTimeout(() => {
      this.#post({ kind: "hello" });
      if (!this.surroundings.visible) return; // asked again once it is
      this.#timer = setTimeout(() => {
        this.#leave();
        this.#seek({ steal: true });
      }, about(this.pace.answerMs));
    }, silenceMs);
  }

  #post(note: Note): void {
    this.#channel?.postMessage(note);
  }
}

const canShare = (): boolean =>
  typeof BroadcastChannel !== "undefined" && globalThis.navigator?.locks !== undefined;
