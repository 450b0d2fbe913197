import type { Connection, Subscription } from "./connection.ts";
import { addTo, removeFrom } from "./sets.ts";

/** Milliseconds between two looks for pings that are due, for readers that stopped reading, and for rights that ended. */
const BEAT_MS = 500;
/** Milliseconds between two tries at a wire that was full: the stream under it tells nobody when it drains. */
const DRAIN_CHECK_MS = 50;

/** Told when a person's first connection opens here, and when the last one has closed. */
export interface PresenceListener {
  arrived(userId: number): void;
  left(userId: number): void;
}

/** The open connections: by person and by what gives them the right; pings, and what full wires had to leave. */
export class Connections {
  /** Events that went out. */
  events = 0;
  readonly #byUser = new Map<number, Set<Connection>>();
  readonly #byCredential = new Map<string, Set<Connection>>();
  readonly #full = new Set<Connection>();
  readonly #beat: Timer;
  #drainCheck: Timer | undefined;

  /**
   * @param limits milliseconds: a ping after so much silence; a reader that takes nothing for so long is slow
   * @param onSlow what to do with such a reader
   * @param onExpired what to do with one whose right has ended by itself
   */
  constructor(
    private readonly limits: { pingMs: number; idleMs: number },
    private readonly onSlow: (connection: Connection) => void,
    private readonly onExpired: (connection: Connection) => void,
    private readonly presence?: PresenceListener,
  ) {
    this.#beat = setInterval(() => this.#pingAll(), BEAT_MS);
  }

  add(connection: Connection): void {
    if (!this.#byUser.has(connection.userId)) this.presence?.arrived(connection.userId);
    addTo(this.#byUser, connection.userId, connection);
    addTo(this.#byCredential, connection.credential, connection);
  }

  /** Forgets one, once or many times. */
  remove(connection: Connection): void {
    this.#full.delete(connection);
    removeFrom(this.#byCredential, connection.credential, connection);
    const known = this.#byUser.get(connection.userId)?.has(connection);
    removeFrom(this.#byUser, connection.userId, connection);
    if (known && !this.#byUser.has(connection.userId)) this.presence?.left(connection.userId);
  }

  holds(connection: Connection): boolean {
    return this.#byCredential.get(connection.credential)?.has(connection) ?? false;
  }

  /** Every one; those that are removed meanwhile are left out. */
  *all(): Generator<Connection> {
    for (const connections of this.#byCredential.values()) yield* connections;
  }

  byCredential(credential: string): Connection[] {
    return [...(this.#byCredential.get(credential) ?? [])];
  }

  credentials(): string[] {
    return [...this.#byCredential.keys()];
  }

  /** By which a person's connections have their right. */
  credentialsOf(userId: number): string[] {
    return [...(this.#byUser.get(userId) ?? [])].map(({ credential }) => credential);
  }

  get size(): number {
    let size = 0;
    for (const connections of this.#byCredential.values()) size += connections.size;
    return size;
  }

  /** Counts what a subscription sent; what it had to leave is tried again once its wire has drained. */
  sent(subscription: Subscription, events: number): void {
    this.events += events;
    if (!subscription.waiting || subscription.connection.ended) return;
    this.#full.add(subscription.connection);
    this.#drainCheck ??= setInterval(() => this.#drain(), DRAIN_CHECK_MS);
  }

  close(): void {
    clearInterval(this.#beat);
    clearInterval(this.#drainCheck);
  }

  #drain(): void {
    const now = Date.now();
    for (const connection of this.#full) {
      let waiting = false;
      for (const subscription of connection.subscriptions) {
        if (subscription.waiting) this.events += subscription.flush(now);
        waiting ||= subscription.waiting;
      }
      if (!waiting) this.#full.delete(connection);
    }
    if (this.#full.size > 0) return;
    clearInterval(this.#drainCheck);
    this.#drainCheck = undefined;
  }

  #pingAll(): void {
    const now = Date.now();
    for (const connection of this.all()) {
      if (connection.until <= now) {
        this.onExpired(connection);
        continue;
      }
      connection.ping(now, this.limits.pingMs - BEAT_MS);
      if (connection.isSlow(now, this.limits.idleMs)) this.onSlow(connection);
    }
  }
}
