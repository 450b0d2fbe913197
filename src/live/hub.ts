import { Audience, type Person } from "./audience.ts";
import { Delivery } from "./delivery.ts";
import type { Hint } from "./hints.ts";
import type { ByeReason } from "./sse.ts";
import type { Change, Subscriber } from "./subscriber.ts";
import { Sweep } from "./sweep.ts";

/** One question of a batch. */
export interface Ask {
  userId: number;
  /** null: every room of this person. */
  roomId: number | null;
  /** A cursor: only what changed since; "": everything. */
  since: string;
}

export interface Answer {
  /** Everything that committed before this point is in the answer. */
  cursor: string;
  /** Ask by ask: the rooms to tell of; `reset` where `since` says nothing to this database, so that all of them are here. */
  asked: { changes: Change[]; reset: boolean }[];
}

/** Where the truth is. One call at a time. */
export interface Source {
  /** The rooms that each of these people is in. */
  rooms(userIds: number[]): Promise<Map<number, number[]>>;
  list(asks: Ask[]): Promise<Answer>;
  /** Which of these sessions and tokens have ended. */
  lapsed(credentials: string[]): Promise<string[]>;
}

/** Milliseconds between two looks for what no hint told of: hints may be lost, and other programs write too. */
const SWEEP_MS = 5_000;
/** Rooms that one query may have to look at: some 200 ms of the database, a tenth of its deadline. */
const BATCH_ROOMS = 20_000;
/** Newcomers whose rooms are asked for at once. */
const INDEX_PEOPLE = 1_000;
/** Up to so many rooms a batch asks for all that changed, not for what was hinted at: that also moves the cursor. */
const EXACT_ROOMS = 100;
/** Milliseconds before a failed query is tried again: doubled up to the most, and a quarter off at random. */
const RETRY_MS = { first: 100, most: 2_000 };
/** Milliseconds for which an ended session is refused even if it was authenticated just before it ended. */
const REFUSE_MS = 60_000;

interface Batch {
  joining: Subscriber[];
  people: { person: Person; rooms: number[] | null }[];
}

/**
 * Brings changes to streams: which streams listen to which person and room, and the set of what may have changed
 * since it was last asked for. While one query is under way the set grows; when it ends, the next one takes the
 * whole set. So there is one live query at a time, however many streams, and larger batches under load, not more.
 *
 * A stream first registers, so that marks gather, then gets its snapshot, then follows. A cursor is told only once
 * all that it covers has been told: the hinted rooms alone do not prove that, a check of everything since does.
 */
export class Hub {
  readonly #audience = new Audience();
  readonly #refused = new Map<string, number>(); // credential -> when (ms) it ended
  readonly #dirty = new Set<Person>();
  readonly #sweep = new Sweep();
  #joining: Subscriber[] = [];
  readonly #delivery: Delivery;
  readonly #sweepTimer: Timer;
  #checkCredentials = false;
  #running: Promise<void> | undefined;
  #failures = 0;
  #endPause = () => {};
  #closed = false;
  #queries = 0;

  /**
   * @param limits milliseconds: a ping after so much silence; a reader that takes nothing for so long is cut
   * @param onFailure told of every live query that failed, and how long (ms) until the next try
   * @param presence told when a person's first stream has opened, and when their last one has closed
   */
  constructor(
    private readonly source: Source,
    limits: { pingMs: number; idleMs: number },
    private readonly onFailure: (error: unknown, retryMs: number) => void,
    private readonly presence?: { arrived(userId: number): void; left(userId: number): void },
  ) {
    this.#delivery = new Delivery(this.#audience, limits, (stream) => this.#end(stream, "slow"));
    this.#sweepTimer = setInterval(() => {
      if (this.#sweep.due) this.sweep();
      else this.#checkRights();
    }, SWEEP_MS);
  }

  /** What is going on, for metrics, logs and tests. */
  get state() {
    return { ...this.#audience.size, queries: this.#queries, events: this.#delivery.events };
  }

  /** Whether a new stream can be served: not while going down, nor while the database does not answer. */
  get ready(): boolean {
    return !this.#closed && this.#failures === 0;
  }

  /** Registers a stream. @returns false if its session has ended meanwhile, or the hub is closed */
  join(stream: Subscriber): boolean {
    if (this.#closed || this.#refused.has(stream.credential)) return false;
    if (this.#audience.add(stream)) this.presence?.arrived(stream.userId);
    this.#joining.push(stream);
    this.#wake();
    return true;
  }

  /** Forgets a stream whose client has gone; once or many times. */
  leave(stream: Subscriber): void {
    stream.gone();
    this.#forget(stream);
  }

  #forget(stream: Subscriber): void {
    this.#delivery.forget(stream);
    const gone = this.#audience.remove(stream);
    if (gone) {
      this.#dirty.delete(gone);
      this.#sweep.done(gone);
      this.presence?.left(gone.userId);
    }
  }

  /** Marks what a hint tells of, or ends what has lost its right. */
  hear(hint: Hint): void {
    const [, kind, first, second] = /^([rumst])(\d+)(?:\.(\d+))?$/.exec(hint) ?? [];
    if (kind === "r") {
      for (const person of this.#audience.inRoom(Number(first))) this.#mark(person, Number(first));
    } else if (kind === "m") {
      this.#mark(this.#audience.find(Number(first)), Number(second));
    } else if (kind === "u") {
      this.#markAll(this.#audience.find(Number(first)));
    } else if (kind) {
      this.#revoke(hint);
    }
    this.#endPause(); // who has something to tell has just reached the database
    this.#wake();
  }

  /** Looks for everything that changed unheard: now and then, and whenever hints may have been lost. */
  sweep(): void {
    const people = this.#audience.people();
    for (const person of people) this.#markAll(person);
    this.#sweep.begin(people);
    this.#checkRights();
  }

  #checkRights(): void {
    const now = Date.now();
    for (const [credential, ended] of this.#refused) {
      if (now - ended > REFUSE_MS) this.#refused.delete(credential);
    }
    this.#checkCredentials = this.#audience.size.streams > 0;
    this.#wake();
  }

  /** Says bye to every stream, takes no more and asks no more; the answer to a query under way goes to nobody. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweepTimer);
    this.#delivery.close();
    this.#endPause();
    for (const person of this.#audience.people()) {
      for (const stream of [...person.streams]) this.#end(stream, "shutdown");
    }
  }

  #revoke(credential: string): void {
    this.#refused.set(credential, Date.now());
    for (const stream of this.#audience.byCredential(credential)) this.#end(stream, "signed-out");
  }

  #end(stream: Subscriber, reason: ByeReason): void {
    this.#forget(stream);
    stream.end(reason);
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

  #wake(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    await null; // what the same turn of the event loop marks goes into the same batch
    while (!this.#closed && (this.#joining.length > 0 || this.#dirty.size > 0 || this.#checkCredentials)) {
      let batch: Batch | undefined;
      try {
        if (this.#checkCredentials) await this.#endLapsed();
        await this.#index();
        batch = this.#take();
        if (batch) await this.#answer(batch);
        this.#sweep.settle();
        this.#failures = 0;
      } catch (error) {
        if (batch) this.#putBack(batch);
        const retryMs =
          Math.min(RETRY_MS.first * 2 ** this.#failures++, RETRY_MS.most) * (1 - Math.random() / 4);
        this.onFailure(error, retryMs);
        await this.#pause(retryMs);
      }
    }
    // In the same breath as the last look at the sets, or a mark in between would wake nobody.
    this.#running = undefined;
    this.#failures = 0; // nothing is left to ask, so nothing fails
    this.#sweep.settle();
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#endPause = resolve;
    return promise.finally(() => clearTimeout(timer));
  }

  async #endLapsed(): Promise<void> {
    this.#queries++;
    for (const credential of await this.source.lapsed(this.#audience.credentials())) this.#revoke(credential);
    this.#checkCredentials = false;
  }

  /** Learns which rooms the newcomers are in, before their list is read: what changes in between is marked. */
  async #index(): Promise<void> {
    const unknown = this.#joining.slice(0, INDEX_PEOPLE).flatMap((stream) => {
      const person = this.#audience.find(stream.userId);
      return person && person.rooms === null ? person : [];
    });
    if (unknown.length === 0) return;
    this.#queries++;
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
    const joining: Subscriber[] = [];
    while (left > 0) {
      const stream = this.#joining[0];
      const person = stream && this.#audience.find(stream.userId);
      if (!stream || (person && person.rooms === null)) break; // came while the index was read: next time
      this.#joining.shift();
      if (!person?.streams.has(stream)) continue; // gone already
      joining.push(stream);
      left -= person.weight;
    }

    let exact = EXACT_ROOMS;
    for (const person of this.#dirty) exact -= person.weight;

    const newcomers = new Set(joining.map((stream) => stream.userId));
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
    this.#joining = [...batch.joining, ...this.#joining];
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
    const joins = new Map<string, Subscriber[]>();
    for (const stream of batch.joining) {
      const key = `${stream.userId} ${stream.resumeFrom}`;
      joins.set(key, [...(joins.get(key) ?? []), stream]);
    }
    const asks: Ask[] = [...joins.values()].map(([stream]) => ({
      userId: (stream as Subscriber).userId,
      roomId: null,
      since: (stream as Subscriber).resumeFrom,
    }));
    for (const { person, rooms } of batch.people) {
      for (const roomId of rooms ?? [null]) {
        asks.push({ userId: person.userId, roomId, since: rooms === null ? person.verified : "" });
      }
    }

    this.#queries++;
    const { cursor, asked } = await this.source.list(asks);

    const answers = asked.values();
    const touched = new Set<Person>();
    for (const streams of joins.values()) {
      const { changes, reset } = answers.next().value ?? { changes: [], reset: false };
      for (const stream of streams) {
        const person = this.#audience.find(stream.userId);
        if (!person?.streams.has(stream)) continue;
        for (const { roomId, json } of changes) if (json !== null) this.#enter(person, roomId);
        stream.start(changes, reset);
        stream.moveCursor(cursor);
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
        for (const stream of person.streams) if (stream.started) stream.moveCursor(cursor);
      }
      touched.add(person);
    }
    for (const person of touched) this.#delivery.flush(person);
  }

  #restart(person: Person, changes: Change[]): void {
    const now = new Set(changes.map(({ roomId }) => roomId));
    for (const roomId of [...(person.rooms ?? [])]) if (!now.has(roomId)) this.#audience.exit(person, roomId);
    for (const roomId of now) this.#enter(person, roomId);
    for (const stream of person.streams) if (stream.started) stream.start(changes, true);
  }

  /** What was hinted at while nobody knew that the room concerns them is looked at once more. */
  #enter(person: Person, roomId: number): void {
    if (this.#audience.enter(person, roomId)) this.#mark(person, roomId);
  }

  /** Puts what was not told yet on each of the person's streams. */
  #tell(person: Person, changes: Change[]): void {
    for (const change of changes) {
      if (change.json !== null) this.#enter(person, change.roomId);
      else this.#audience.exit(person, change.roomId);
      if (person.told.get(change.roomId) === change.version) continue;
      person.told.set(change.roomId, change.version);
      for (const stream of person.streams) if (stream.started) stream.put(change);
    }
  }
}
