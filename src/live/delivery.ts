import type { Audience, Person } from "./audience.ts";
import type { Subscriber } from "./subscriber.ts";

/** Milliseconds between two looks for pings that are due, and for readers that stopped reading. */
const BEAT_MS = 500;
/** Milliseconds between two tries at a wire that was full: the stream under it tells nobody when it drains. */
const DRAIN_CHECK_MS = 50;

/** Writes to the streams: what was put on them, later what a full wire had to leave, and pings in between. */
export class Delivery {
  /** Events that went out. */
  events = 0;
  readonly #full = new Set<Subscriber>();
  readonly #beat: Timer;
  #drainCheck: Timer | undefined;

  /**
   * @param limits milliseconds: a ping after so much silence; a reader that takes nothing for so long is slow
   * @param onSlow what to do with such a reader
   */
  constructor(
    private readonly audience: Audience,
    private readonly limits: { pingMs: number; idleMs: number },
    private readonly onSlow: (stream: Subscriber) => void,
  ) {
    this.#beat = setInterval(() => this.#pingAll(), BEAT_MS);
  }

  /** Sends what waits on a person's streams; what several of them get is encoded once. */
  flush(person: Person): void {
    const now = Date.now();
    const encoded = person.streams.size > 1 ? new Map<string, Uint8Array>() : undefined;
    for (const stream of person.streams) {
      if (stream.flush(now, encoded)) this.events++;
      if (stream.waiting) this.#full.add(stream);
    }
    if (this.#full.size > 0) this.#drainCheck ??= setInterval(() => this.#drain(), DRAIN_CHECK_MS);
  }

  /** Nothing waits for this stream any more. */
  forget(stream: Subscriber): void {
    this.#full.delete(stream);
  }

  close(): void {
    clearInterval(this.#beat);
    clearInterval(this.#drainCheck);
  }

  #drain(): void {
    const now = Date.now();
    for (const stream of this.#full) {
      if (stream.flush(now)) this.events++;
      if (!stream.waiting) this.#full.delete(stream);
    }
    if (this.#full.size > 0) return;
    clearInterval(this.#drainCheck);
    this.#drainCheck = undefined;
  }

  #pingAll(): void {
    const now = Date.now();
    for (const person of this.audience.people()) {
      for (const stream of [...person.streams]) {
        stream.ping(now, this.limits.pingMs - BEAT_MS);
        if (stream.isSlow(now, this.limits.idleMs)) this.onSlow(stream);
      }
    }
  }
}
