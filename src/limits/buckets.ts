/** How many may pass at once, and how many more a second from then on. */
export interface Rate {
  burst: number;
  perSecond: number;
}

/** What a bucket says of one more. */
export interface Verdict {
  passes: boolean;
  /** How many would pass at once, after this one. */
  left: number;
  /** Milliseconds until one passes; 0: at once. */
  waitMs: number;
  /** Milliseconds until the bucket is full again. */
  fullMs: number;
}

/** Buckets whose keys share a place; of them, the one that is full again first makes room. */
const WAYS = 8;
/** Less than that is what adding fractions of milliseconds leaves. */
const ROUNDING_MS = 1e-6;

/**
 * Token buckets by key, in memory that never grows. A bucket is one number (GCRA): when it is full again. One that is
 * full is the same as none, so nothing is ever swept out. Each key has a place with room for eight; where they are
 * all taken, the one that is full soonest makes room. So a flood of new keys, each with one request to its name,
 * pushes out its own kind, and not the key that has used up its burst. In any span of time t, no more than
 * burst + rate × t pass.
 */
export class Buckets {
  readonly #tags: Float64Array;
  /** When each is full again (ms). */
  readonly #fullAt: Float64Array;
  readonly #places: number;
  /** Drawn anew by each process: nobody can choose keys that share a place with another's. */
  readonly #seed = crypto.getRandomValues(new BigUint64Array(1))[0] as bigint;

  /**
   * @param size how many at most; 16 bytes each
   * @param now the clock (ms), never going back
   */
  constructor(
    size: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#places = Math.ceil(size / WAYS);
    this.#tags = new Float64Array(this.#places * WAYS);
    this.#fullAt = new Float64Array(this.#places * WAYS);
  }

  /** What would be said of one more, which is not taken. */
  look(key: string, { burst, perSecond }: Rate): Verdict {
    const now = this.now();
    const at = this.#find(this.#tagOf(key));
    const fullAt = at === undefined ? now : Math.max(this.#fullAt[at] as number, now);
    return verdict(fullAt - now, burst, 1_000 / perSecond);
  }

  /** Takes one, unless none is left. */
  take(key: string, { burst, perSecond }: Rate): Verdict {
    const now = this.now();
    const tag = this.#tagOf(key);
    const at = this.#find(tag);
    const each = 1_000 / perSecond;
    const fullAt = at === undefined ? now : Math.max(this.#fullAt[at] as number, now);
    const said = verdict(fullAt - now, burst, each);
    if (said.passes) this.#set(at ?? this.#roomFor(tag), tag, fullAt + each);
    return said;
  }

  /** Gives one back that was taken. */
  giveBack(key: string, { perSecond }: Rate): void {
    const at = this.#find(this.#tagOf(key));
    if (at !== undefined) this.#fullAt[at] = (this.#fullAt[at] as number) - 1_000 / perSecond;
  }

  /** Remembers a key for so long (ms), and may forget it before. */
  mark(key: string, ms: number): void {
    const tag = this.#tagOf(key);
    this.#set(this.#find(tag) ?? this.#roomFor(tag), tag, this.now() + ms);
  }

  /** Whether a key is remembered. */
  isMarked(key: string): boolean {
    const at = this.#find(this.#tagOf(key));
    return at !== undefined && (this.#fullAt[at] as number) > this.now();
  }

  /** 53 bits that stand for a key: of a million keys, one in 18,000 runs has two that share theirs. */
  #tagOf(key: string): number {
    return Number(Bun.hash.wyhash(key, this.#seed) & 0x1f_ffff_ffff_ffffn);
  }

  #find(tag: number): number | undefined {
    const first = (tag % this.#places) * WAYS;
    for (let at = first; at < first + WAYS; at++) if (this.#tags[at] === tag) return at;
    return undefined;
  }

  /** Whose place a new one takes. */
  #roomFor(tag: number): number {
    const first = (tag % this.#places) * WAYS;
    let soonest = first;
    for (let at = first; at < first + WAYS; at++) {
      if ((this.#fullAt[at] as number) < (this.#fullAt[soonest] as number)) soonest = at;
    }
    return soonest;
  }

  #set(at: number, tag: number, fullAt: number): void {
    this.#tags[at] = tag;
    this.#fullAt[at] = fullAt;
  }
}

/**
 * @param owed milliseconds until the bucket is full
 * @param each milliseconds that one takes to come back
 */
function verdict(owed: number, burst: number, each: number): Verdict {
  const waitMs = Math.max(0, owed - (burst - 1) * each);
  const passes = waitMs < ROUNDING_MS;
  const after = passes ? owed + each : owed;
  return {
    passes,
    left: Math.max(0, Math.floor(burst - after / each + ROUNDING_MS)),
    waitMs: passes ? 0 : waitMs,
    fullMs: after,
  };
}
