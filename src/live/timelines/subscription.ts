import type { Connection, Subscription } from "../connection.ts";
import type { Frame } from "../frame.ts";

/** Where a client stands in a room: the newest message that it holds, and the room's count of changes as of then. */
export interface Position {
  seq: number;
  changes: number;
}

/** Up to where a client has been told a room: its messages, and which version of the read markers. */
export interface Place {
  cursor: string;
  markers: number;
}

const CURSOR = /^(\d{1,16})\.(\d{1,16})$/;

/** A timeline's cursor, `seq.change_count`. @returns null for what is none: whoever comes with it gets the newest messages */
export function positionOf(cursor: string): Position | null {
  const [, seq, changes] = (CURSOR.exec(cursor) ?? []).map(Number);
  return Number.isSafeInteger(seq) && Number.isSafeInteger(changes)
    ? { seq: seq as number, changes: changes as number }
    : null;
}

export const cursorOf = ({ seq, changes }: Position): string => `${seq}.${changes}`;

/**
 * One client's open timeline of a room. It keeps no messages: what its wire does not take now is read again from where
 * it stands, once the wire has drained.
 */
export class TimelineSubscription implements Subscription {
  /** Up to where its client has been told the messages. */
  cursor: string;
  /** Up to which version it has been told the read markers. */
  markers = 0;
  /** Whether the first answer is there. */
  started = false;
  #waiting = false;

  /**
   * @param onRemoved what to do when its person is not in the room any more
   * @param onDrained told when a wire that was full takes something again
   */
  constructor(
    readonly connection: Connection,
    readonly roomId: number,
    cursor: string,
    readonly onRemoved: () => void,
    private readonly onDrained: (timeline: TimelineSubscription) => void,
  ) {
    this.cursor = cursor;
  }

  get userId(): number {
    return this.connection.userId;
  }

  get waiting(): boolean {
    return this.#waiting;
  }

  /** Whether its wire takes something now; if not, it waits until the wire has drained. */
  isReady(now: number): boolean {
    this.#waiting = !this.connection.ready(now);
    return !this.#waiting;
  }

  /**
   * Sends what brings the client to a new place, if the wire takes it; if not, the client stays where it is.
   * @param frame null: there is nothing to say
   * @returns how many events went out
   */
  advance(to: Place, frame: Frame | null, now: number): number {
    if (frame) {
      if (!this.isReady(now)) return 0;
      this.connection.send(frame, now);
    }
    this.cursor = to.cursor;
    this.markers = to.markers;
    this.started = true;
    return frame?.events ?? 0;
  }

  /** Asks for what it has missed once the wire takes something again. */
  flush(now: number): number {
    if (this.#waiting && this.isReady(now)) this.onDrained(this);
    return 0;
  }
}
