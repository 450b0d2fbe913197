import type { Connection, Subscription } from "../connection.ts";
import { Frame } from "../frame.ts";

/** Where a client stands in a room: the newest message that it holds, and the room's count of changes as of then. */
export interface Position {
  seq: number;
  changes: number;
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
 * it stands, once the wire has drained. Of the read markers that wait, the newest of each person is kept.
 */
export class TimelineSubscription implements Subscription {
  /** What its client holds. */
  cursor: string;
  /** Whether the first answer is there. */
  started = false;
  #waiting = false;
  readonly #reads = new Map<number, Frame>();

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

  /** Keeps read markers for later: each person's newest. */
  keep(reads: ReadonlyMap<number, Frame>): void {
    for (const [userId, frame] of reads) this.#reads.set(userId, frame);
  }

  /**
   * Sends what brings the client to a cursor, if the wire takes it; if not, the client stays where it is.
   * @param frame null: there is nothing to say
   * @param reads the read markers in it, to keep if it cannot be sent
   * @returns how many events went out
   */
  advance(cursor: string, frame: Frame | null, reads: ReadonlyMap<number, Frame>, now: number): number {
    if (frame !== null || this.#reads.size > 0) {
      if (!this.connection.ready(now)) {
        this.#waiting = true;
        this.keep(reads);
        return 0;
      }
      frame =
        this.#reads.size === 0 ? frame : Frame.together([...this.#reads.values(), ...(frame ? [frame] : [])]);
      this.#reads.clear();
    }
    this.cursor = cursor;
    this.started = true;
    if (frame) this.connection.send(frame, now);
    return frame?.events ?? 0;
  }

  /** Asks for what it has missed once the wire takes something again. */
  flush(now: number): number {
    if (this.#waiting && this.connection.ready(now)) {
      this.#waiting = false;
      this.onDrained(this);
    }
    return 0;
  }
}
