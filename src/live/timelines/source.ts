import type { Position } from "./subscription.ts";

/** One question of a batch: what a client that stands there does not hold yet; null: it holds nothing. */
export interface TimelineAsk {
  roomId: number;
  position: Position | null;
}

/** A person in a room. */
export interface Pair {
  roomId: number;
  userId: number;
}

/** What is asked of a person in a room, as of one moment; there is none for who is not a member. */
export interface Membership extends Pair {
  lastReadSeq: number;
  /** The User as JSON. */
  userJson: string;
}

/** What a client that stood somewhere does not hold: new and changed messages, or the newest where that is too much. */
export interface Stretch {
  /** The room is removed. */
  gone: boolean;
  reset: boolean;
  /** Up to where it leads. */
  position: Position;
  /** Whether there is more behind it: one stretch has only so many bytes. */
  more: boolean;
  /** The room's newest message. */
  lastSeq: number;
  /** How many have left the room so far, or were taken out of it. */
  removals: number;
  /** Ascending. */
  messages: { seq: number; senderId: number; isText: boolean; json: string }[];
}

/** Where the truth about timelines is. One call at a time. */
export interface TimelineSource {
  /**
   * All of it as of one moment: ask by ask what is to be told, of the pairs those who are members, and how many
   * revocations there had been.
   */
  timelines(
    asks: TimelineAsk[],
    pairs: Pair[],
  ): Promise<{ stretches: Stretch[]; members: Membership[]; revocations: number }>;
  members(pairs: Pair[]): Promise<Membership[]>;
}
