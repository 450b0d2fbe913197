import type { Connection, Subscription } from "./connection.ts";
import type { Connections } from "./connections.ts";

/** Where the truth about sessions and tokens is. */
export interface RightsSource {
  /** Which of these sessions and tokens have ended. */
  lapsed(credentials: string[]): Promise<string[]>;
}

/** Milliseconds for which an ended session is refused even if it was authenticated just before it ended. */
const REFUSE_MS = 60_000;

/**
 * The hub's part for what gives the connections their right. A hint of its end is the quick way. Right without hints:
 * whatever is told to a connection was read together with the count of revocations; where that has risen since
 * the connection was last proven, its session is looked at before it is told. So nothing that was committed after the
 * end of a session is told to it, whether or not a hint has come.
 */
export class Rights {
  readonly #refused = new Map<string, number>(); // credential -> when (ms) it ended
  /** Credentials that may have ended. */
  #doubted = new Set<string>();

  constructor(
    private readonly source: RightsSource,
    private readonly connections: Connections,
    private readonly onRevoked: (connection: Connection) => void,
    /** Told of every query. */
    private readonly onQuery: () => void,
  ) {}

  /**
   * Whether a session ended meanwhile that was good when its request was let in. An identity may have come back with its
   * user: that is asked in the next round.
   */
  refuses(credential: string): boolean {
    if (!this.#refused.has(credential)) return false;
    if (!credential.startsWith("j")) return true;
    this.doubt([credential]);
    return false;
  }

  revoke(credential: string): void {
    this.#refused.set(credential, Date.now());
    for (const connection of this.connections.byCredential(credential)) this.onRevoked(connection);
  }

  /** Looks at all of them: also at those that have expired, of which no count tells. */
  sweep(): void {
    const now = Date.now();
    for (const [credential, ended] of this.#refused) {
      if (now - ended > REFUSE_MS) this.#refused.delete(credential);
    }
    this.doubt(this.connections.credentials());
  }

  /** Asks in the next round whether these still hold. */
  doubt(credentials: string[]): void {
    for (const credential of credentials) this.#doubted.add(credential);
  }

  /** Whether something is to be asked. */
  get due(): boolean {
    return this.#doubted.size > 0;
  }

  async round(): Promise<void> {
    const asked = [...this.#doubted];
    this.#doubted = new Set(); // what is doubted from now on is asked again: the answer may be older
    try {
      await this.#endLapsed(asked);
    } catch (error) {
      this.doubt(asked);
      throw error;
    }
  }

  /**
   * Ends those of the connections that have lost their right, before they are told an answer.
   * @param told who is to be told, group by group: copied together they would cost a round a good part of its time
   * @param revocations how many there had been as of the answer
   */
  async prove(told: Iterable<Iterable<Subscription>>, revocations: number): Promise<void> {
    const unproven = new Set<Connection>();
    for (const subscriptions of told) {
      for (const { connection } of subscriptions) {
        if (connection.provenAt < revocations) unproven.add(connection);
      }
    }
    if (unproven.size === 0) return;
    await this.#endLapsed([...new Set([...unproven].map(({ credential }) => credential))]);
    for (const connection of unproven) connection.provenAt = revocations;
  }

  async #endLapsed(credentials: string[]): Promise<void> {
    this.onQuery();
    for (const credential of await this.source.lapsed(credentials)) this.revoke(credential);
  }
}

/** As Rights.prove. */
export type Prove = Rights["prove"];
