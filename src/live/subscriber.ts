import { type ByeReason, byeFrame, cursorFrame, eventFrame, PING } from "./sse.ts";

/** The connection under a stream. */
export interface Wire {
  /** False while what was sent before has not left yet: then nothing may be sent. */
  writable(): boolean;
  send(frame: Uint8Array): void;
  /** Ends the stream once what was sent has left. */
  close(): void;
  /** Drops the connection, whatever has not left yet. */
  drop(): void;
}

/** The state of one room for one person, at one moment. */
export interface Change {
  roomId: number;
  /** Another version, another state. */
  version: string;
  /** Milliseconds since the epoch; the list's order. */
  activeAt: number;
  /** The Room as JSON; null: no longer theirs. */
  json: string | null;
}

/** One person's open room-list stream. What it could not send yet is merged by room: the newest state wins. */
export class Subscriber {
  /** Up to where this stream is known to have been told everything. */
  cursor: string;
  #pending = new Map<number, Change>();
  #reset = false;
  /** The first event goes out even where it has nothing to tell: it confirms the cursor. */
  #owesEvent = false;
  /** Since when (ms) the wire has been full, or 0. */
  #fullSince = 0;
  #lastSent: number;
  /** Whether the cursor has moved since the last event that carried it. */
  #cursorMoved = false;
  /** Whether events went out since the client last got a new cursor. */
  #eventsSinceCursor = false;
  #started = false;
  #ended = false;

  constructor(
    readonly userId: number,
    readonly credential: string,
    /** What the client last held: its cursor, or "" for nothing. */
    readonly resumeFrom: string,
    private readonly wire: Wire,
    now: number,
    /** Told once: why it ended, or that the client went. */
    private readonly onEnd: (reason: ByeReason | "gone") => void,
  ) {
    this.cursor = resumeFrom;
    this.#lastSent = now;
  }

  /** The first answer: all that the client does not hold yet. */
  start(changes: Change[], reset: boolean): void {
    this.#reset = reset;
    this.#pending = new Map(changes.map((change) => [change.roomId, change]));
    this.#owesEvent = true;
    this.#started = true;
  }

  /** Whether the first answer is there. */
  get started(): boolean {
    return this.#started;
  }

  /** Takes a newer state of a room; nothing is sent before `flush`. */
  put(change: Change): void {
    this.#pending.set(change.roomId, change);
  }

  /** Everything up to here has been put. */
  moveCursor(cursor: string): void {
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    this.#cursorMoved = true;
  }

  /** Whether something waits for the wire. */
  get waiting(): boolean {
    return this.#pending.size > 0 || this.#owesEvent || (this.#cursorMoved && this.#eventsSinceCursor);
  }

  /**
   * Sends what waits, as one event, if the wire takes it.
   * @param encoded frames made in this round, for the other streams of the same person
   * @returns whether an event went out
   */
  flush(now: number, encoded?: Map<string, Uint8Array>): boolean {
    if (this.#ended || !this.waiting || !this.#ready(now)) return false;
    if (this.#pending.size === 0 && !this.#owesEvent) {
      this.#send(cursorFrame(this.cursor), now);
      this.#cursorMoved = this.#eventsSinceCursor = false;
      return false;
    }
    const changes = [...this.#pending.values()];
    const key = `${this.#reset} ${this.cursor} ${changes.map((c) => `${c.roomId}=${c.version}`).join()}`;
    let frame = encoded?.get(key);
    if (!frame) {
      frame = roomsFrame(changes, this.#reset, this.cursor);
      encoded?.set(key, frame);
    }
    this.#send(frame, now);
    this.#pending.clear();
    this.#eventsSinceCursor = !this.#cursorMoved && !this.#owesEvent;
    this.#reset = this.#owesEvent = this.#cursorMoved = false;
    return true;
  }

  /** Sends a ping if nothing else was sent for so many milliseconds. */
  ping(now: number, silenceMs: number): void {
    if (!this.#ended && now - this.#lastSent >= silenceMs && this.#ready(now)) this.#send(PING, now);
  }

  /** Whether the client has taken nothing for so many milliseconds although there was something for it. */
  isSlow(now: number, limitMs: number): boolean {
    return this.#fullSince > 0 && !this.#ready(now) && now - this.#fullSince >= limitMs;
  }

  /** Says bye and ends. A wire that is full is dropped, or it would hold the connection for as long as it likes. */
  end(reason: ByeReason): void {
    if (!this.#stop(reason)) return;
    if (this.wire.writable()) {
      this.wire.send(byeFrame(reason));
      this.wire.close();
    } else {
      this.wire.drop();
    }
  }

  /** The client has gone: there is nothing to say, and nobody to say it to. */
  gone(): void {
    this.#stop("gone");
  }

  #stop(reason: ByeReason | "gone"): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#pending.clear();
    this.onEnd(reason);
    return true;
  }

  #ready(now: number): boolean {
    const writable = this.wire.writable();
    if (writable) this.#fullSince = 0;
    else this.#fullSince ||= now;
    return writable;
  }

  #send(frame: Uint8Array, now: number): void {
    this.#lastSent = now;
    this.wire.send(frame);
  }
}

/** The event `rooms`: the body of `GET /rooms`, newest activity first. */
function roomsFrame(changes: Change[], reset: boolean, cursor: string): Uint8Array {
  changes.sort((a, b) => b.activeAt - a.activeAt || b.roomId - a.roomId);
  const rooms = changes.flatMap((change) => change.json ?? []).join();
  const left = changes.flatMap((change) => (change.json === null ? change.roomId : [])).join();
  return eventFrame(
    "rooms",
    `{"cursor":${JSON.stringify(cursor)},"rooms":[${rooms}],"left":[${reset ? "" : left}],"reset":${reset}}`,
    cursor,
  );
}
