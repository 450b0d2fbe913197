import type { Connection } from "../connection.ts";
import type { Connections } from "../connections.ts";
import { eventFrame, type Frame } from "../frame.ts";
import type { Prove } from "../rights.ts";
import { Markers } from "./markers.ts";
import { News } from "./news.ts";
import type { Membership, Pair, Stretch, TimelineAsk, TimelineSource } from "./source.ts";
import { positionOf, type TimelineSubscription } from "./subscription.ts";

/** Messages that one query may have to bring; up to 500 for who was away or behind, up to 50 for who begins. */
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
  /** The count of removals as of which all that have started are members; -1: nobody has. */
  removals = -1;
  /** Up to which message its sender's marker was looked at; -1: nobody has started. */
  lastSeq = -1;
  readonly markers: Markers;

  constructor(readonly roomId: number) {
    this.markers = new Markers(roomId);
  }
}

interface Batch {
  /** With the timelines that stand there. */
  asks: { ask: TimelineAsk; room: Watched; cursor: string; timelines: TimelineSubscription[] }[];
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
    private readonly prove: Prove,
    /** Told of every query. */
    private readonly onQuery: (pairs: number) => void,
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

  markerMoved(userId: number, roomId: number): void {
    const room = this.#rooms.get(roomId);
    room?.readers.add(userId);
    this.#mark(room);
  }

  typing(userId: number, roomId: number): void {
    const room = this.#rooms.get(roomId);
    room?.typists.add(userId);
    this.#mark(room);
  }

  /** Looks for every message and change that came unheard. */
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
      if (batch.asks.length + batch.pairs.length > 0) await this.#answer(batch);
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
    const now = Date.now();
    let left = BATCH_MESSAGES / 2 ** this.#failures; // smaller after each failure, as with lists
    const batch: Batch = { asks: [], pairs: [], rooms: [] };
    const catchingUp = new Set<Connection>();
    for (const room of [...this.#dirty]) {
      if (left <= 0) break;
      const { roomId, changed } = room;
      this.#dirty.delete(room);
      const fresh = new Set(room.fresh);
      const [readers, typists] = [[...room.readers], [...room.typists]];
      batch.rooms.push({ room, changed, fresh: [...fresh], readers, typists });
      room.changed = false;
      for (const marks of [room.fresh, room.readers, room.typists]) marks.clear();

      const places = new Map<string, TimelineSubscription[]>();
      for (const timeline of changed ? room.timelines : fresh) {
        // One that is full is not asked for: it comes back by itself.
        if (timeline.waiting) continue;
        const isBehind = timeline.started && fresh.has(timeline);
        if (isBehind && !timeline.isReady(now)) {
          this.connections.sent(timeline, 0);
          continue;
        }
        const there = places.get(timeline.cursor);
        // Next time. Of what one connection is behind with, one room after the other: the first may fill its wire.
        if ((!there && left <= 0) || (isBehind && catchingUp.has(timeline.connection))) {
          this.#refresh(room, timeline);
          continue;
        }
        if (isBehind) catchingUp.add(timeline.connection);
        if (there) there.push(timeline);
        else {
          places.set(timeline.cursor, [timeline]);
          left -= isBehind ? COST.resume : costOf(timeline);
        }
      }
      for (const [cursor, there] of places) {
        batch.asks.push({ ask: { roomId, position: positionOf(cursor) }, room, cursor, timelines: there });
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
    this.onQuery(asks.length + pairs.length);
    const { stretches, members, revocations } = await this.source.timelines(
      asks.map(({ ask }) => ask),
      pairs,
    );
    const told = asks.map(({ timelines }) => timelines);
    await this.prove(told, revocations);
    const answered = new Map(rooms.map(({ room }) => [room, [] as Answered[]]));
    for (const [i, { room, cursor, timelines }] of asks.entries()) {
      answered.get(room)?.push({ cursor, timelines, stretch: stretches[i] as Stretch });
    }
    const found = new Map(members.map((member) => [keyOf(member), member]));
    await this.#endRemoved(answered);

    const now = Date.now();
    for (const { room, readers, typists } of rooms) {
      const here = answered.get(room) ?? [];
      const memberOf = (userId: number) => found.get(keyOf({ roomId: room.roomId, userId }));
      moveMarkers(
        room,
        here,
        readers.flatMap((userId) => memberOf(userId) ?? []),
      );
      const typing = typists.flatMap((userId) => typingFrame(memberOf(userId)) ?? []);
      for (const { cursor, stretch, timelines } of here) {
        const news = new News(room.roomId, cursor, stretch, room.markers, typing);
        for (const timeline of timelines) {
          if (!room.timelines.has(timeline)) continue; // gone meanwhile
          if (!timeline.started && !memberOf(timeline.userId)) {
            timeline.onRemoved();
            continue;
          }
          this.connections.sent(timeline, news.tell(timeline, now));
          if (stretch.more && !timeline.waiting) this.#refresh(room, timeline);
        }
      }
    }
  }

  /** Ends the timelines of those who are no longer members, before they are told what came after. */
  async #endRemoved(answered: Map<Watched, Answered[]>): Promise<void> {
    const suspect = new Map<Watched, number>();
    for (const [room, here] of answered) {
      for (const { stretch } of here) {
        if (stretch.gone) for (const timeline of room.timelines) timeline.onRemoved();
        else if (room.removals < 0) room.removals = stretch.removals;
        else if (room.removals !== stretch.removals) suspect.set(room, stretch.removals);
      }
    }
    if (suspect.size === 0) return;
    const pairs = new Map<string, Pair>();
    for (const { timelines } of suspect.keys()) {
      for (const { roomId, userId } of timelines) pairs.set(keyOf({ roomId, userId }), { roomId, userId });
    }
    this.onQuery(pairs.size);
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

/** What a place has been answered, and who stands there. */
interface Answered {
  cursor: string;
  timelines: TimelineSubscription[];
  stretch: Stretch;
}

const costOf = ({ started, cursor }: TimelineSubscription): number =>
  started ? COST.live : positionOf(cursor) ? COST.resume : COST.begin;

/** Notes the markers of who has sent something that nobody was told of before, and of those who were hinted at. */
function moveMarkers(room: Watched, here: Answered[], readers: Membership[]): void {
  const known = room.lastSeq;
  for (const { stretch } of here) {
    // Not by a message of before the room was watched: its sender may have moved the marker since.
    room.lastSeq = Math.max(room.lastSeq, known < 0 ? stretch.lastSeq : stretch.position.seq);
    if (known < 0) continue;
    for (const { seq, senderId, isText } of stretch.messages) {
      if (isText && seq > known) room.markers.move(senderId, seq);
    }
  }
  for (const { userId, lastReadSeq } of readers) room.markers.move(userId, lastReadSeq);
}

const typingFrame = (member: Membership | undefined): Frame | undefined =>
  member && eventFrame("typing", `{"user":${member.userJson}}`, undefined, member.roomId);
