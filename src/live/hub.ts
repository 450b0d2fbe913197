import type { Connection, StreamKind, Subscription } from "./connection.ts";
import { Connections, type PresenceListener } from "./connections.ts";
import type { ByeReason } from "./frame.ts";
import { type Hint, parseHint } from "./hints.ts";
import { type ListSource, Lists } from "./lists/lists.ts";
import { ListSubscription } from "./lists/subscription.ts";
import { type Prove, Rights, type RightsSource } from "./rights.ts";
import type { TimelineSource } from "./timelines/source.ts";
import { TimelineSubscription } from "./timelines/subscription.ts";
import { Timelines } from "./timelines/timelines.ts";

/** Where the truth is. One call at a time. */
export interface Source extends ListSource, TimelineSource, RightsSource {}

/** Milliseconds between two looks for what no hint told of: hints may be lost, and other programs write too. */
const SWEEP_MS = 5_000;
/** Milliseconds before a failed query is tried again: doubled up to the most, and a quarter off at random. */
const RETRY_MS = { first: 100, most: 2_000 };

/** What asks and tells; its next query is due, or none. */
interface Part {
  readonly due: boolean;
  round(): Promise<void>;
}

/**
 * Brings changes to streams and sockets. Hints mark what may have changed; while one query is under way the marks
 * gather, and when it ends the next one takes them all. So there is one live query at a time, however many listen, and
 * under load larger batches, not more. What is asked and told is the part of the lists and of the timelines; here is when.
 */
export class Hub {
  readonly #connections: Connections;
  readonly #lists: Lists;
  readonly #timelines: Timelines;
  readonly #rights: Rights;
  readonly #sweepTimer: Timer;
  /**
   * Each with its own queries: one that fails does not keep the others from going on. Timelines come before lists, whose
   * query is the longer one: it asks for every person of a room.
   */
  readonly #parts: Part[];
  #running: Promise<void> | undefined;
  #failures = 0;
  #endPause = () => {};
  #closed = false;
  #queries = 0;

  /**
   * @param limits milliseconds: a ping after so much silence; a reader that takes nothing for so long is cut
   * @param onFailure told of every live query that failed, and how long (ms) until the next try
   * @param presence told who comes and who goes
   * @param onQuery told of every live query, and for how many pairs of a person and a room it asks
   */
  constructor(
    source: Source,
    limits: { pingMs: number; idleMs: number },
    private readonly onFailure: (error: unknown, retryMs: number) => void,
    presence?: PresenceListener,
    onQuery: (pairs: number) => void = () => {},
  ) {
    this.#connections = new Connections(
      limits,
      (connection) => this.end(connection, "slow"),
      (connection) => this.end(connection, "signed-out"),
      presence,
    );
    const asks = (pairs: number) => {
      this.#queries++;
      onQuery(pairs);
    };
    this.#rights = new Rights(
      source,
      this.#connections,
      (connection) => this.end(connection, "signed-out"),
      () => this.#queries++,
    );
    const prove: Prove = (told, revocations) => this.#rights.prove(told, revocations);
    this.#lists = new Lists(source, this.#connections, prove, asks);
    this.#timelines = new Timelines(source, this.#connections, prove, asks);
    this.#parts = [this.#rights, this.#timelines, this.#lists];
    this.#sweepTimer = setInterval(() => {
      if (this.#lists.sweepDue) this.#lists.sweep();
      this.#timelines.sweep();
      this.#rights.sweep();
      this.#wake();
    }, SWEEP_MS);
  }

  /** What is going on, for metrics, logs and tests. */
  get state() {
    return {
      ...this.#lists.size,
      streams: this.#connections.size,
      timelines: this.#timelines.size,
      queries: this.#queries,
      events: this.#connections.events,
    };
  }

  /** How many of each kind are open. */
  get open(): Record<StreamKind, number> {
    const open = { rooms: 0, room: 0, ws: 0 };
    for (const { kind } of this.#connections.all()) open[kind]++;
    return open;
  }

  /** Whether a new stream can be served: not while going down, nor while the database does not answer. */
  get ready(): boolean {
    return !this.#closed && this.#failures === 0;
  }

  /** Registers a connection. @returns false if its session has ended meanwhile, or the hub is closed */
  join(connection: Connection): boolean {
    if (this.#closed || this.#rights.refuses(connection.credential)) return false;
    this.#connections.add(connection);
    this.#wake();
    return true;
  }

  /** Brings the room list over a connection, from a cursor on. */
  openList(connection: Connection, cursor: string): Subscription {
    return this.#open(new ListSubscription(connection, cursor));
  }

  /**
   * Brings a room's timeline over a connection, from a cursor on.
   * @param onRemoved what to do when its person turns out not to be in the room
   */
  openTimeline(connection: Connection, roomId: number, cursor: string, onRemoved: () => void): Subscription {
    return this.#open(new TimelineSubscription(connection, roomId, cursor, onRemoved, this.#onDrained));
  }

  readonly #onDrained = (timeline: TimelineSubscription): void => {
    this.#timelines.drained(timeline);
    this.#wake();
  };

  #open<S extends ListSubscription | TimelineSubscription>(subscription: S): S {
    const { connection } = subscription;
    if (this.#connections.holds(connection)) {
      connection.subscriptions.add(subscription);
      if (subscription instanceof ListSubscription) this.#lists.add(subscription);
      else this.#timelines.add(subscription);
      this.#wake();
    }
    return subscription;
  }

  /** Brings something no longer; once or many times. */
  close(subscription: Subscription): void {
    subscription.connection.subscriptions.delete(subscription);
    if (subscription instanceof ListSubscription) this.#lists.remove(subscription);
    else if (subscription instanceof TimelineSubscription) this.#timelines.remove(subscription);
  }

  /** Forgets a connection whose client has gone; once or many times. */
  leave(connection: Connection): void {
    connection.gone();
    this.#forget(connection);
  }

  /** Says bye over a connection, and ends it. */
  end(connection: Connection, reason: ByeReason): void {
    this.#forget(connection);
    connection.end(reason);
  }

  #forget(connection: Connection): void {
    for (const subscription of connection.subscriptions) this.close(subscription);
    this.#connections.remove(connection);
  }

  /** Marks what a hint tells of, or ends what has lost its right. */
  hear(hint: Hint): void {
    const { kind, id, roomId } = parseHint(hint);
    if (kind === "r") {
      this.#lists.roomChanged(id);
      this.#timelines.roomChanged(id);
    } else if (kind === "c") {
      this.#timelines.roomChanged(id);
    } else if (kind === "m") {
      this.#lists.membershipChanged(id, roomId);
    } else if (kind === "d") {
      this.#lists.membershipChanged(id, roomId);
      this.#timelines.markerMoved(id, roomId);
    } else if (kind === "y") {
      this.#timelines.typing(id, roomId);
    } else if (kind === "u") {
      this.#lists.userChanged(id);
      this.#rights.doubt(this.#connections.credentialsOf(id));
    } else if (kind) {
      this.#rights.revoke(hint);
    }
    this.#endPause(); // who has something to tell has just reached the database
    this.#wake();
  }

  /** Looks for everything that changed unheard: now and then, and whenever hints may have been lost. */
  sweep(): void {
    this.#lists.sweep();
    this.#timelines.sweep();
    this.#rights.sweep();
    this.#wake();
  }

  /** Says bye to everybody, takes no more and asks no more; the answer to a query under way goes to nobody. */
  shutDown(): void {
    this.#closed = true;
    clearInterval(this.#sweepTimer);
    this.#connections.close();
    this.#endPause();
    for (const connection of this.#connections.all()) this.end(connection, "shutdown");
  }

  #wake(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    await null; // what the same turn of the event loop marks goes into the same batch
    while (!this.#closed && this.#parts.some(({ due }) => due)) {
      const errors: unknown[] = [];
      for (const part of this.#parts) {
        if (part.due && !this.#closed) await part.round().catch((error) => errors.push(error));
      }
      if (errors.length === 0) {
        this.#failures = 0;
        continue;
      }
      const retryMs =
        Math.min(RETRY_MS.first * 2 ** this.#failures++, RETRY_MS.most) * (1 - Math.random() / 4);
      for (const error of errors) this.onFailure(error, retryMs);
      await this.#pause(retryMs);
    }
    // In the same breath as the last look at the sets, or a mark in between would wake nobody.
    this.#running = undefined;
    this.#failures = 0; // nothing is left to ask, so nothing fails
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#endPause = resolve;
    return promise.finally(() => clearTimeout(timer));
  }
}
