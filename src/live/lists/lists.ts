import type { Connections } from "../connections.ts";
import type { Frame } from "../frame.ts";
import type { Prove } from "../rights.ts";
import { Audience, type Person } from "./audience.ts";
import type { Change, ListSubscription } from "./subscription.ts";
import { Sweep } from "./sweep.ts";

/** One question of a batch. */
export interface ListAsk {
  userId: number;
  /** null: every room of this person. */
  roomId: number | null;
  /** A cursor: only what changed since; "": everything. */
  since: string;
}

export interface ListAnswer {
  /** Everything that committed before this point is in the answer. */
  cursor: string;
  /** How many revocations there had been at that point. */
  revocations: number;
  /** Ask by ask: the rooms to tell of; `reset` where `since` says nothing to this database, so that all of them are here. */
  asked: { changes: Change[]; reset: boolean }[];
}

/** Where the truth about room lists is. One call at a time. */
export interface ListSource {
  /** The rooms that each of these people is in. */
  rooms(userIds: number[]): Promise<Map<number, number[]>>;
  list(asks: ListAsk[]): Promise<ListAnswer>;
}

/** Rooms that one query may have to look at: some 200 ms of the database, a tenth of its deadline. */
const BATCH_ROOMS = 20_000;
/** Newcomers whose rooms are asked for at once. */
const INDEX_PEOPLE = 1_000;
/** Up to so many rooms a batch asks for all that changed, not for what was hinted at: that also moves the cursor. */
const EXACT_ROOMS = 100;

interface Batch {
  joining: ListSubscription[];
  people: { person: Person; rooms: number[] | null }[];
}

/**
 * The hub's part for room lists: who listens to which person and room, and the set of what may have changed since it
 * was last asked for.
 *
 * A list first registers, so that marks gather, then gets its snapshot, then follows. A cursor is told only once
 * all that it covers has been told: the hinted rooms alone do not prove that, a check of everything since does.
 */
export class Lists {
  readonly #audience = new Audience();
  readonly #dirty = new Set<Person>();
  readonly #sweep = new Sweep();
  readonly #joining = new Set<ListSubscription>();
  #failures = 0;

  constructor(
    private readonly source: ListSource,
    private readonly connections: Connections,
    private readonly prove: Prove,
    /** Told of every query, and how much it asks for. */
    private readonly onQuery: (pairs: number) => void,
  ) {}

  get size() {
    return this.#audience.size;
  }

  add(list: ListSubscription): void {
    this.#audience.add(list);
    this.#joining.add(list);
  }

  /** Forgets a list, once or many times. */
  remove(list: ListSubscription): void {
    this.#joining.delete(list);
    const gone = this.#audience.remove(list);
    if (!gone) return;
    this.#dirty.delete(gone);
    this.#sweep.done(gone);
    this.#sweep.settle();
  }

  roomChanged(roomId: number): void {
    for (const person of this.#audience.inRoom(roomId)) this.#mark(person, roomId);
  }

  membershipChanged(userId: number, roomId: number): void {
    this.#mark(this.#audience.find(userId), roomId);
  }

  userChanged(userId: number): void {
    this.#markAll(this.#audience.find(userId));
  }

  /** Whether a sweep may begin: not before the last one is through. */
  get sweepDue(): boolean {
    return this.#sweep.due;
  }

  /** Looks for everything that changed unheard. */
  sweep(): void {
    const people = this.#audience.people();
    if (people.length === 0) return;
    for (const person of people) this.#markAll(person);
    this.#sweep.begin(people);
  }

  /** Whether something is to be asked. */
  get due(): boolean {
    return this.#joining.size > 0 || this.#dirty.size > 0;
  }

  /** Asks for as much of it as one query may carry, and tells. */
  async round(): Promise<void> {
    let batch: Batch | undefined;
    try {
      await this.#index();
      batch = this.#take();
      if (batch) await this.#answer(batch);
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      if (batch) this.#putBack(batch);
      throw error;
    } finally {
      this.#sweep.settle();
    }
  }

  #mark(person: Person | undefined, roomId: number): void {
    if (!person) return;
    person.dirty.add(roomId);
    this.#dirty.add(person);
  }

  #markAll(person: Person | undefined): void {
    if (!person) return;
    person.recheck = true;
    this.#dirty.add(person);
  }

  /** Learns which rooms the newcomers are in, before their list is read: what changes in between is marked. */
  async #index(): Promise<void> {
    const most = Math.ceil(INDEX_PEOPLE / 2 ** this.#failures);
    const unknown = [...this.#joining.values().take(most)].flatMap((list) => {
      const person = this.#audience.find(list.userId);
      return person && person.rooms === null ? person : [];
    });
    if (unknown.length === 0) return;
    this.onQuery(unknown.length);
    const rooms = await this.source.rooms([...new Set(unknown.map((person) => person.userId))]);
    for (const person of unknown) {
      person.rooms ??= new Set();
      for (const roomId of rooms.get(person.userId) ?? []) this.#audience.enter(person, roomId);
    }
  }

  /** Takes as much of what waits as one query may carry; newcomers first. */
  #take(): Batch | undefined {
    // Smaller after each failure, down to one person: what is too much for the database heals, and what always
    // fails holds up nobody else for long.
    let left = BATCH_ROOMS / 2 ** this.#failures;
    const joining: ListSubscription[] = [];
    while (left > 0) {
      const [list] = this.#joining;
      const person = list && this.#audience.find(list.userId);
      if (!list || (person && person.rooms === null)) break; // came while the index was read: next time
      this.#joining.delete(list);
      if (!person?.lists.has(list)) continue; // gone already
      joining.push(list);
      left -= person.weight;
    }

    let exact = EXACT_ROOMS;
    for (const person of this.#dirty) exact -= person.weight;

    const newcomers = new Set(joining.map((list) => list.userId));
    const people: Batch["people"] = [];
    for (const person of this.#dirty) {
      if (left <= 0) break;
      if (person.verified === "") {
        // Only newcomers yet: their list will have it all, unless it is being read right now; the marks stay until then.
        if (newcomers.has(person.userId)) this.#unmark(person);
        continue;
      }
      const everything = person.recheck || exact >= 0;
      people.push({ person, rooms: everything ? null : [...person.dirty] });
      left -= everything ? person.weight : person.dirty.size;
      this.#unmark(person);
    }
    return joining.length + people.length > 0 ? { joining, people } : undefined;
  }

  #unmark(person: Person): void {
    person.dirty.clear();
    person.recheck = false;
    this.#dirty.delete(person);
    this.#sweep.done(person);
  }

  #putBack(batch: Batch): void {
    const waiting = [...batch.joining, ...this.#joining];
    this.#joining.clear();
    for (const list of waiting) if (list.connection.subscriptions.has(list)) this.#joining.add(list);
    for (const { person, rooms } of batch.people) {
      if (!this.#audience.holds(person)) continue;
      if (rooms === null) {
        this.#markAll(person);
        this.#sweep.missed(person);
      }
      for (const roomId of rooms ?? []) this.#mark(person, roomId);
    }
  }

  async #answer(batch: Batch): Promise<void> {
    // Tabs that open together with the same cursor ask once.
    const joins = new Map<string, ListSubscription[]>();
    for (const list of batch.joining) {
      const key = `${list.userId} ${list.resumeFrom}`;
      joins.set(key, [...(joins.get(key) ?? []), list]);
    }
    const asks: ListAsk[] = [...joins.values()].map(([list]) => ({
      userId: (list as ListSubscription).userId,
      roomId: null,
      since: (list as ListSubscription).resumeFrom,
    }));
    for (const { person, rooms } of batch.people) {
      for (const roomId of rooms ?? [null]) {
        asks.push({ userId: person.userId, roomId, since: rooms === null ? person.verified : "" });
      }
    }

    this.onQuery(asks.length);
    const { cursor, revocations, asked } = await this.source.list(asks);
    await this.prove([batch.joining, ...batch.people.map(({ person }) => person.lists)], revocations);

    const answers = asked.values();
    const touched = new Set<Person>();
    for (const lists of joins.values()) {
      const { changes, reset } = answers.next().value ?? { changes: [], reset: false };
      for (const list of lists) {
        const person = this.#audience.find(list.userId);
        if (!person?.lists.has(list)) continue;
        for (const { roomId, json } of changes) if (json !== null) this.#enter(person, roomId);
        list.start(changes, reset);
        list.moveCursor(cursor);
        person.verified ||= cursor;
        touched.add(person);
      }
    }
    for (const { person, rooms } of batch.people) {
      const parts = (rooms ?? [null]).flatMap(() => answers.next().value ?? []);
      const changes = parts.flatMap((part) => part.changes);
      // A database that has recovered from a crash knows nothing of what was told before: all of it, anew.
      if (rooms === null && parts[0]?.reset) this.#restart(person, changes);
      else this.#tell(person, changes);
      if (rooms === null) {
        person.verified = cursor;
        person.told = new Map(changes.map(({ roomId, version }) => [roomId, version]));
        for (const list of person.lists) if (list.started) list.moveCursor(cursor);
      }
      touched.add(person);
    }
    for (const person of touched) this.#flush(person);
  }

  #restart(person: Person, changes: Change[]): void {
    const now = new Set(changes.map(({ roomId }) => roomId));
    for (const roomId of [...(person.rooms ?? [])]) if (!now.has(roomId)) this.#audience.exit(person, roomId);
    for (const roomId of now) this.#enter(person, roomId);
    for (const list of person.lists) if (list.started) list.start(changes, true);
  }

  /** What was hinted at while nobody knew that the room concerns them is looked at once more. */
  #enter(person: Person, roomId: number): void {
    if (this.#audience.enter(person, roomId)) this.#mark(person, roomId);
  }

  /** Puts what was not told yet on each of the person's lists. */
  #tell(person: Person, changes: Change[]): void {
    for (const change of changes) {
      if (change.json !== null) this.#enter(person, change.roomId);
      else this.#audience.exit(person, change.roomId);
      if (person.told.get(change.roomId) === change.version) continue;
      person.told.set(change.roomId, change.version);
      for (const list of person.lists) if (list.started) list.put(change);
    }
  }

  /** Sends what waits on a person's lists; what several of them get is made once. */
  #flush(person: Person): void {
    const now = Date.now();
    const made = person.lists.size > 1 ? new Map<string, Frame>() : undefined;
    for (const list of person.lists) this.connections.sent(list, list.flush(now, made));
  }
}
