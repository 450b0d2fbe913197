import type { Database } from "../db/client.ts";
import { type Announce, membershipChanged } from "../live/hints.ts";
import { beat, changePresence, clearSilent, enterServer, sayGoodbye, type Touched } from "./queries.ts";

/** Milliseconds for which comings and goings gather before they are told together. */
const GATHER_MS = 50;
/** Milliseconds for which one may be away without having gone: a reload takes less. */
const DAMP_MS = 5_000;
/** Milliseconds between two signs of life. */
const BEAT_MS = 5_000;
/**
 * Beats in a row after which a server judges others: when it has just started, or an outage is just over, they are
 * about to beat again, or their people to come back.
 */
const STEADY_BEATS = 3;
/** People whom one transaction tells of. */
const MOST_PEOPLE = 1_000;
/** Hints that are announced at once. */
const MOST_HINTS = 1_000;

/** Milliseconds. */
export interface Pace {
  dampMs?: number;
  beatMs?: number;
}

/**
 * Tells the database who has a stream open on this server. What is wanted gathers while a statement is under way or
 * the database is away, and then goes together.
 */
export class Presence {
  /** Who is here, and who was until just now. */
  readonly #present = new Set<number>();
  /** Who of them is here no more, and since when (performance.now()); in that order. */
  readonly #leaving = new Map<number, number>();
  /** Whose row may not be as it should. */
  readonly #untold = new Set<number>();
  /** As whom this server is registered; anew, under another id, once it was taken for dead. */
  #server: string | undefined;
  /** Beats in a row, since it is. */
  #beats = 0;
  #beatDue = false;
  #clearing = false;
  #failing = false;
  #most = MOST_PEOPLE;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #gathering: Timer | undefined;
  #departing: Timer | undefined;
  readonly #beat: Timer;
  readonly #dampMs: number;

  /**
   * @param announce told of everybody whose room list has changed
   * @param onTrouble told when the database does not take what it is told, not for every try
   * @param pace for tests, which would have to wait
   */
  constructor(
    private readonly db: Database,
    private readonly announce: Announce,
    private readonly onTrouble: (error: unknown) => void,
    { dampMs = DAMP_MS, beatMs = BEAT_MS }: Pace = {},
  ) {
    this.#dampMs = dampMs;
    this.#beat = setInterval(() => {
      this.#beatDue = true;
      this.#wake();
    }, beatMs);
  }

  /** A person's first stream has opened here. */
  arrived(userId: number): void {
    this.#leaving.delete(userId);
    if (this.#closing || this.#present.has(userId)) return;
    this.#present.add(userId);
    this.#untold.add(userId);
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#wake();
    }, GATHER_MS);
  }

  /** A person's last stream has closed here. */
  left(userId: number): void {
    if (this.#closing) return;
    this.#leaving.set(userId, performance.now());
    this.#departing ??= setTimeout(() => this.#depart(), this.#dampMs);
  }

  /** Tells no more. Who is still here is about to come back elsewhere, and stays online until then. */
  close(): Promise<void> {
    this.#closing ??= this.#goodbye();
    return this.#closing;
  }

  async #goodbye(): Promise<void> {
    clearInterval(this.#beat);
    clearTimeout(this.#gathering);
    clearTimeout(this.#departing);
    await this.#running;
    // If the database does not take it, the silence that follows says the same, later.
    if (this.#server) await sayGoodbye(this.db.sql, this.#server).catch(() => {});
  }

  /** One timer for all who leave. */
  #depart(): void {
    this.#departing = undefined;
    const now = performance.now();
    for (const [userId, since] of this.#leaving) {
      const left = since + this.#dampMs - now;
      if (left > 0) {
        this.#departing = setTimeout(() => this.#depart(), Math.max(left, GATHER_MS));
        break;
      }
      this.#leaving.delete(userId);
      this.#present.delete(userId);
      this.#untold.add(userId);
    }
    this.#wake();
  }

  /** After a failure, the next beat tries again. */
  #wake(): void {
    if (!this.#failing || this.#beatDue) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    await null; // where there is nothing to do it would end before it is known to have begun
    try {
      while (!this.#closing && (this.#beatDue || this.#clearing || this.#untold.size > 0)) {
        await this.#step();
        this.#most = Math.min(this.#most * 2, MOST_PEOPLE);
      }
      this.#failing = false;
    } catch (error) {
      if (!this.#failing && !this.#closing) this.onTrouble(error);
      this.#failing = true;
      this.#beats = 0;
      // What is too much for the deadline gets through by and by.
      this.#most = Math.ceil(this.#most / 2);
    }
    this.#running = undefined;
  }

  /** One thing at a time; a sign of life first. */
  async #step(): Promise<void> {
    if (this.#server === undefined) {
      this.#beatDue = false;
      const server = crypto.randomUUID();
      await enterServer(this.db.sql, server);
      this.#server = server;
      this.#beats = 0;
      for (const userId of this.#present) this.#untold.add(userId);
    } else if (this.#beatDue) {
      this.#beatDue = false;
      const { alive, othersSilent } = await beat(this.db.sql, this.#server);
      if (alive) this.#clearing = ++this.#beats >= STEADY_BEATS && othersSilent;
      else this.#renew();
    } else if (this.#clearing) {
      const { touched, more } = await this.db.transaction((tx) => clearSilent(tx, this.#most));
      this.#clearing = more;
      this.#tell(touched);
    } else {
      await this.#change(this.#server);
    }
  }

  async #change(server: string): Promise<void> {
    const people = [...this.#untold].slice(0, this.#most);
    for (const userId of people) this.#untold.delete(userId);
    const [came, went]: [number[], number[]] = [[], []];
    for (const userId of people) (this.#present.has(userId) ? came : went).push(userId);
    try {
      const touched = await this.db.transaction((tx) => changePresence(tx, server, came, went));
      if (touched) this.#tell(touched);
      else this.#renew();
    } catch (error) {
      // It may have happened all the same; told once more it does no harm.
      for (const userId of people) this.#untold.add(userId);
      throw error;
    }
  }

  /** This server was taken for dead: all that it has told is cleared away, and told again by another. */
  #renew(): void {
    this.#server = undefined;
    this.#beatDue = true;
  }

  #tell(touched: Touched[]): void {
    for (let from = 0; from < touched.length; from += MOST_HINTS) {
      const hints = touched.slice(from, from + MOST_HINTS);
      this.announce(...hints.map(({ userId, roomId }) => membershipChanged(userId, roomId)));
    }
  }
}
