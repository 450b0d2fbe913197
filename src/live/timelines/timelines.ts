import type { Connections } from "../connections.ts";
import { eventFrame, Frame } from "../frame.ts";
import { cursorOf, type Position, positionOf, type TimelineSubscription } from "./subscription.ts";

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
  position: Position;
  /** How many have left the room so far, or were taken out of it. */
  removals: number;
  /** Ascending. */
  messages: { seq: number; senderId: number; isText: boolean; json: string }[];
}

/** Where the truth about timelines is. One call at a time. */
export interface TimelineSource {
  /** All of it as of one moment: ask by ask what is to be told, and of the pairs those who are members. */
  timelines(asks: TimelineAsk[], pairs: Pair[]): Promise<{ stretches: Stretch[]; members: Membership[] }>;
  members(pairs: Pair[]): Promise<Membership[]>;
}

/** Messages that one query may have to bring; up to 500 for who resumes, up to 50 for who begins. */
const BATCH_MESSAGES = 2_000;
const COST = { live: 5, begin: 50, resume: 500 };

/** A room that somebody watches. */
class Watched {
  readonly timelines = new Set<TimelineSubscription>();
  /** Of them, those who are to be asked for whether or not something has changed: newcomers, and whose wire has drained. */
  readonly fresh = new Set<TimelineSubscription>();
  /** Something may have changed for all of them. */
  changed = false;
  /** Whose read marker may have moved, and who types. */
  readonly readers = new Set<number>();
  readonly typists = new Set<number>();
  /** The count of removals as of which all that have started are members. */
  removals = -1;
  /** Up to which message the senders' read markers were told; -1: nobody has been told anything. */
  lastSeq = -1;
  /** Each person's read marker as it was last told. */
  readonly markers = new Map<number, number>();

  constructor(readonly roomId: number) {}
}

interface Batch {
  /** With the timelines that stand there. */
  asks: { ask: TimelineAsk; room: Watched; timelines: TimelineSubscription[] }[];
  pairs: Pair[];
  /** As they were before. */
  rooms: {
    room: Watched;
    changed: boolean;
    fresh: TimelineSubscription[];
    readers: number[];
    typists: number[];
  }[];
}

const NONE: ReadonlyMap<number, Frame> = new Map();
const keyOf = ({ roomId, userId }: Pair): string => `${roomId}.${userId}`;

/**
 * The hub's part for timelines: who watches which room, and the rooms in which something may have happened.
 *
 * Those who watch a room stand somewhere in it, nearly always all at the same place: what follows is read from the
 * database once for each place, and encoded once for all who stand there. Whether they are still members is told by the
 * room's count of removals, read in the same moment as the messages: only where it has risen each one is looked at.
 */
export class Timelines {
  readonly #rooms = new Map<number, Watched>();
  readonly #dirty = new Set<Watched>();
  #failures = 0;

  constructor(
    private readonly source: TimelineSource,
    private readonly connections: Connections,
    /** Told of every query. */
    private readonly onQuery: () => void,
  ) {}

  get size(): number {
    return this.#rooms.size;
  }

  add(timeline: TimelineSubscription): void {
    const { roomId } = timeline;
    const room = this.#rooms.get(roomId) ?? new Watched(roomId);
    this.#rooms.set(roomId, room);
    room.timelines.add(timeline);
    this.#refresh(room, timeline);
  }

  /** Forgets a timeline, once or many times. */
  remove(timeline: TimelineSubscription): void {
    const room = this.#rooms.get(timeline.roomId);
    if (!room?.timelines.delete(timeline)) return;
    room.fresh.delete(timeline);
    if (room.timelines.size > 0) return;
    this.#rooms.delete(timeline.roomId);
    this.#dirty.delete(room);
  }

  /** A timeline whose wire was full is asked for again. */
  drained(timeline: TimelineSubscription): void {
    const room = this.#rooms.get(timeline.roomId);
    if (room?.timelines.has(timeline)) this.#refresh(room, timeline);
  }

  roomChanged(roomId: number): void {
    this.#mark(this.#rooms.get(roomId));
  }

  membershipChanged(userId: number, roomId: number): void {
    const room = this.#rooms.get(roomId);
    room?.readers.add(userId);
    this.#mark(room);
  }

  typing(userId: number, roomId: number): void {
    const room = this.#rooms.get(roomId);
    room?.typists.add(userId);
    this.#mark(room);
  }

  /** Looks for everything that changed unheard. */
  sweep(): void {
    for (const room of this.#rooms.values()) this.#mark(room);
  }

  /** Whether something is to be asked. */
  get due(): boolean {
    return this.#dirty.size > 0;
  }

  /** Asks for as much of it as one query may carry, and tells. */
  async round(): Promise<void> {
    const batch = this.#take();
    try {
      await this.#answer(batch);
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      this.#putBack(batch);
      throw error;
    }
  }

  #mark(room: Watched | undefined): void {
    if (!room) return;
    room.changed = true;
    this.#dirty.add(room);
  }

  #refresh(room: Watched, timeline: TimelineSubscription): void {
    room.fresh.add(timeline);
    this.#dirty.add(room);
  }

  #take(): Batch {
    let left = BATCH_MESSAGES / 2 ** this.#failures; // smaller after each failure, as with lists
    const batch: Batch = { asks: [], pairs: [], rooms: [] };
    for (const room of this.#dirty) {
      if (left <= 0) break;
      const { roomId, changed } = room;
      this.#dirty.delete(room);
      // One that is full is not asked for: it comes back by itself.
      const timelines = [...(changed ? room.timelines : room.fresh)].filter(({ waiting }) => !waiting);
      const [readers, typists] = [[...room.readers], [...room.typists]];
      batch.rooms.push({ room, changed, fresh: [...room.fresh], readers, typists });
      room.changed = false;
      for (const marks of [room.fresh, room.readers, room.typists]) marks.clear();

      const places = new Map<string, TimelineSubscription[]>();
      for (const timeline of timelines) {
        const there = places.get(timeline.cursor);
        if (there) there.push(timeline);
        else if (left <= 0)
          this.#refresh(room, timeline); // next time
        else {
          places.set(timeline.cursor, [timeline]);
          left -= costOf(timeline);
        }
      }
      for (const [cursor, there] of places) {
        batch.asks.push({ ask: { roomId, position: positionOf(cursor) }, room, timelines: there });
        for (const { started, userId } of there) if (!started) batch.pairs.push({ roomId, userId });
      }
      for (const userId of new Set([...readers, ...typists])) batch.pairs.push({ roomId, userId });
    }
    return batch;
  }

  #putBack({ rooms }: Batch): void {
    for (const { room, changed, fresh, readers, typists } of rooms) {
      if (this.#rooms.get(room.roomId) !== room) continue;
      this.#dirty.add(room);
      room.changed ||= changed;
      for (const timeline of fresh) if (room.timelines.has(timeline)) room.fresh.add(timeline);
      for (const userId of readers) room.readers.add(userId);
      for (const userId of typists) room.typists.add(userId);
    }
  }

  async #answer({ asks, pairs, rooms }: Batch): Promise<void> {
    this.onQuery();
    const { stretches, members } = await this.source.timelines(
      asks.map(({ ask }) => ask),
      pairs,
    );
    const answered = asks.map((asked, i) => ({ ...asked, stretch: stretches[i] as Stretch }));
    const found = new Map(members.map((member) => [keyOf(member), member]));
    await this.#endRemoved(answered);

    const now = Date.now();
    for (const { room, changed, readers, typists } of rooms) {
      const here = answered.filter((asked) => asked.room === room);
      const memberOf = (userId: number) => found.get(keyOf({ roomId: room.roomId, userId }));
      const reads = readsOf(room, here, changed, readers, memberOf);
      const typing = typists.flatMap((userId) => typingFrame(memberOf(userId)) ?? []);
      for (const timeline of room.timelines) if (timeline.waiting) timeline.keep(reads);
      for (const { stretch, timelines } of here) {
        const news = new News(room.roomId, stretch, reads, typing);
        for (const timeline of timelines) {
          if (!room.timelines.has(timeline)) continue; // gone meanwhile
          if (!timeline.started && !memberOf(timeline.userId)) timeline.onRemoved();
          else this.connections.sent(timeline, news.tell(timeline, now));
        }
      }
    }
  }

  /** Ends the timelines of those who are no longer members, before they are told what came after. */
  async #endRemoved(answered: { room: Watched; stretch: Stretch }[]): Promise<void> {
    const suspect = new Map<Watched, number>();
    for (const { room, stretch } of answered) {
      if (stretch.gone) for (const timeline of room.timelines) timeline.onRemoved();
      else if (room.removals < 0)
        room.removals = stretch.removals; // nobody has started yet
      else if (room.removals !== stretch.removals) suspect.set(room, stretch.removals);
    }
    if (suspect.size === 0) return;
    const pairs = new Map<string, Pair>();
    for (const { timelines } of suspect.keys()) {
      for (const { roomId, userId } of timelines) pairs.set(keyOf({ roomId, userId }), { roomId, userId });
    }
    this.onQuery();
    const still = new Set((await this.source.members([...pairs.values()])).map(keyOf));
    for (const [room, removals] of suspect) {
      room.removals = removals;
      for (const timeline of room.timelines) {
        const key = keyOf(timeline);
        if (pairs.has(key) && !still.has(key)) timeline.onRemoved();
      }
    }
  }
}

const costOf = ({ started, cursor }: TimelineSubscription): number =>
  started ? COST.live : positionOf(cursor) ? COST.resume : COST.begin;

/** What one place in a room brings, made once for all who stand there. */
class News {
  readonly #cursor: string;
  #opening: Frame | undefined;
  #live: Frame | null | undefined;

  constructor(
    private readonly roomId: number,
    private readonly stretch: Stretch,
    private readonly reads: ReadonlyMap<number, Frame>,
    private readonly typing: Frame[],
  ) {
    this.#cursor = cursorOf(stretch.position);
  }

  tell(timeline: TimelineSubscription, now: number): number {
    // The first event goes out even where it has nothing to tell: it confirms the cursor.
    if (!timeline.started) return timeline.advance(this.#cursor, this.#messages(), NONE, now);
    if (this.#live === undefined) {
      // All who stand here have the same cursor.
      const told = this.stretch.reset || timeline.cursor !== this.#cursor ? [this.#messages()] : [];
      const frames = [...told, ...this.reads.values(), ...this.typing];
      this.#live = frames.length > 0 ? Frame.together(frames) : null;
    }
    return timeline.advance(this.#cursor, this.#live, this.reads, now);
  }

  #messages(): Frame {
    const { reset, messages } = this.stretch;
    this.#opening ??= eventFrame(
      "messages",
      `{"reset":${reset},"messages":[${messages.map(({ json }) => json).join()}],"cursor":"${this.#cursor}"}`,
      this.#cursor,
      this.roomId,
    );
    return this.#opening;
  }
}

/**
 * The read markers to tell in a room: of those who were hinted at, and of those who sent something.
 * @param isWhole whether all who watch it are told now, not only newcomers
 */
function readsOf(
  room: Watched,
  answered: { stretch: Stretch }[],
  isWhole: boolean,
  readers: number[],
  memberOf: (userId: number) => Membership | undefined,
): ReadonlyMap<number, Frame> {
  const moved = new Map<number, number>();
  const known = room.lastSeq;
  for (const { stretch } of answered) {
    if (isWhole || known < 0) room.lastSeq = Math.max(room.lastSeq, stretch.position.seq);
    // A message reads the room up to it. Not one of long ago: its sender may have moved the marker since.
    if (known < 0 || !isWhole) continue;
    for (const { seq, senderId, isText } of stretch.messages)
      if (isText && seq > known) moved.set(senderId, seq);
  }
  for (const userId of readers) {
    const member = memberOf(userId);
    if (member) moved.set(userId, member.lastReadSeq);
  }
  const reads = new Map<number, Frame>();
  for (const [userId, lastReadSeq] of moved) {
    if (room.markers.get(userId) === lastReadSeq) continue;
    room.markers.set(userId, lastReadSeq);
    reads.set(
      userId,
      eventFrame("read", `{"userId":${userId},"lastReadSeq":${lastReadSeq}}`, undefined, room.roomId),
    );
  }
  return reads;
}

const typingFrame = (member: Membership | undefined): Frame | undefined =>
  member && eventFrame("typing", `{"user":${member.userJson}}`, undefined, member.roomId);
