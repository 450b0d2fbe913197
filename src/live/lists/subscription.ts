import type { Connection, Subscription } from "../connection.ts";
import { cursorFrame, eventFrame, type Frame, roomsJson } from "../frame.ts";

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

/** One person's open room list. What it could not send yet is merged by room: the newest state wins. */
export class ListSubscription implements Subscription {
  /** Up to where this client is known to have been told everything. */
  cursor: string;
  #pending = new Map<number, Change>();
  #reset = false;
  /** The first event goes out even where it has nothing to tell: it confirms the cursor. */
  #owesEvent = false;
  /** Whether the cursor has moved since the last event that carried it. */
  #cursorMoved = false;
  /** Whether events went out since the client last got a new cursor. */
  #eventsSinceCursor = false;
  #started = false;

  constructor(
    readonly connection: Connection,
    /** What the client last held: its cursor, or "" for nothing. */
    readonly resumeFrom: string,
  ) {
    this.cursor = resumeFrom;
  }

  get userId(): number {
    return this.connection.userId;
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

  get waiting(): boolean {
    return this.#pending.size > 0 || this.#owesEvent || (this.#cursorMoved && this.#eventsSinceCursor);
  }

  /**
   * Sends what waits, as one event, if the wire takes it.
   * @param made frames made in this round, for the other lists of the same person
   * @returns how many events went out
   */
  flush(now: number, made?: Map<string, Frame>): number {
    if (!this.waiting || !this.connection.ready(now)) return 0;
    if (this.#pending.size === 0 && !this.#owesEvent) {
      this.connection.send(cursorFrame(this.cursor), now);
      this.#cursorMoved = this.#eventsSinceCursor = false;
      return 0;
    }
    const changes = [...this.#pending.values()];
    const key = `${this.#reset} ${this.cursor} ${changes.map((c) => `${c.roomId}=${c.version}`).join()}`;
    const frame = made?.get(key) ?? roomsFrame(changes, this.#reset, this.cursor);
    made?.set(key, frame);
    this.connection.send(frame, now);
    this.#pending.clear();
    this.#eventsSinceCursor = !this.#cursorMoved && !this.#owesEvent;
    this.#reset = this.#owesEvent = this.#cursorMoved = false;
    return 1;
  }
}

/** The event `rooms`: newest activity first. */
function roomsFrame(changes: Change[], reset: boolean, cursor: string): Frame {
  changes.sort((a, b) => b.activeAt - a.activeAt || b.roomId - a.roomId);
  return eventFrame("rooms", roomsJson(cursor, changes, reset), cursor);
}
