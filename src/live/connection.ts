import { type ByeReason, byeFrame, type Frame, PING } from "./frame.ts";

/** What carries frames to a client. */
export interface Wire {
  /** False while what was sent before has not left yet: then nothing may be sent. */
  writable(): boolean;
  /** How many bytes have not left yet, where that can be told. */
  pending?(): number;
  send(frame: Frame): void;
  /** Ends the connection once what was sent has left. */
  close(reason: ByeReason): void;
  /** Drops the connection, whatever has not left yet. */
  drop(reason: ByeReason): void;
  /** Called twice a second: to see that there is still somebody at the other end, where there is a way. */
  beat?(now: number): void;
}

/** What a connection is: a stream of the list, one of a room, or a socket. */
export type StreamKind = "rooms" | "room" | "ws";

/** Something that a client listens to over a connection. */
export interface Subscription {
  readonly connection: Connection;
  /** Whether something could not be sent, for the wire was full. */
  readonly waiting: boolean;
  /** Sends what waits, if the wire takes it. @returns how many events went out */
  flush(now: number): number;
}

/** One person's open stream or socket: what it brings, and whether its client still reads. Times are milliseconds. */
export class Connection {
  readonly subscriptions = new Set<Subscription>();
  /** Since when the wire has been full and nothing has left it, or 0. */
  #fullSince = 0;
  #pending = 0;
  #lastSent: number;
  #ended = false;

  constructor(
    readonly userId: number,
    /** What gives it the right: `s12`, `t7` or `j3`. */
    readonly credential: string,
    private readonly wire: Wire,
    now: number,
    /** Told once: why it ended, or that the client went. */
    private readonly onEnd: (reason: ByeReason | "gone") => void,
    /** As of how many revocations it is known to have the right (rights.ts). */
    public provenAt = 0,
    /** When the right ends by itself, if it does. */
    readonly until = Number.POSITIVE_INFINITY,
    readonly kind: StreamKind = "rooms",
  ) {
    this.#lastSent = now;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether something may be sent. Asked once before a frame: after it, only a later turn of the event loop knows. */
  ready(now: number): boolean {
    if (this.#ended) return false;
    const writable = this.wire.writable();
    if (writable) this.#fullSince = 0;
    else this.#fullSince ||= now;
    return writable;
  }

  send(frame: Frame, now: number): void {
    if (this.#ended) return;
    this.#lastSent = now;
    this.wire.send(frame);
  }

  /** Sends a ping if nothing else was sent for so long. */
  ping(now: number, silenceMs: number): void {
    this.wire.beat?.(now);
    if (now - this.#lastSent >= silenceMs && this.ready(now)) this.send(PING, now);
  }

  /** Whether the client has taken nothing for so long although there was something for it. */
  isSlow(now: number, limitMs: number): boolean {
    if (this.#fullSince === 0 || this.ready(now)) return false;
    const pending = this.wire.pending?.() ?? 0;
    if (pending < this.#pending) this.#fullSince = now; // it takes in a little
    this.#pending = pending;
    return now - this.#fullSince >= limitMs;
  }

  /** Says bye and ends. A wire that is full is dropped, or it would hold the connection for as long as it likes. */
  end(reason: ByeReason): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.wire.writable()) {
      this.wire.send(byeFrame(reason));
      this.wire.close(reason);
    } else {
      this.wire.drop(reason);
    }
    this.onEnd(reason);
  }

  /** The client has gone: there is nothing to say, and nobody to say it to. */
  gone(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnd("gone");
  }
}
