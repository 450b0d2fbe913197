import { Problem } from "../problem.ts";
import { type Address, addressOf, sourceOf } from "./address.ts";
import { Buckets, type Verdict } from "./buckets.ts";
import { type RateName, type Rates, ROUTE_RATES } from "./rates.ts";
import { Seats } from "./seats.ts";

/** Buckets that are not full, at most: 2 MiB. */
const MOST_BUCKETS = 2 ** 17;
/** Addresses from which accounts have signed in, remembered at most: 512 KiB; and for how long: as long as a session. */
const MOST_KNOWN = 2 ** 15;
const KNOWN_MS = 30 * 24 * 3600 * 1000;
/** Sign-ins that wait for others of the same person or address to turn out right or wrong. */
const MOST_WAITING = 100;

interface LimitConfig {
  limits: boolean;
  rates: Rates;
  trustProxy: number;
  streamsPerUser: number;
  maxStreams: number;
}

type BunServer = Pick<Bun.Server<unknown>, "requestIP"> | null;
type Headers = Record<string, string>;

/** By path as the app names it, with and without a slash at its end. */
const BY_ROUTE = new Map(
  Object.entries(ROUTE_RATES).flatMap(([route, name]) => [route, `${route}/`].map((key) => [key, name])),
);

/** How much everybody may do. What is counted is counted by this process, in memory that does not grow. */
export class Limits {
  /** Open streams and sockets. */
  readonly seats: Seats;
  readonly #buckets: Buckets;
  /** Accounts and addresses that belong together. */
  readonly #known: Buckets;
  /** Sign-ins under way by what they are counted by, and who waits for them. */
  readonly #trying = new Map<string, { underWay: number; waiting: (() => void)[] }>();

  /** @param now the clock (ms) */
  constructor(
    private readonly config: LimitConfig,
    now?: () => number,
  ) {
    this.#buckets = new Buckets(MOST_BUCKETS, now);
    this.#known = new Buckets(MOST_KNOWN, now);
    this.seats = new Seats(
      config.limits ? config.streamsPerUser : Number.POSITIVE_INFINITY,
      config.maxStreams,
    );
  }

  /** The address that a request is counted by. */
  addressOf(request: Request, server: BunServer): Address {
    return addressOf(request, () => server?.requestIP(request)?.address, this.config.trustProxy);
  }

  /** The address that a request came from, in full; null where there is none. */
  sourceOf(request: Request, server: BunServer): string | null {
    return sourceOf(request, () => server?.requestIP(request)?.address, this.config.trustProxy) ?? null;
  }

  /** Counts a request by its address. @throws Problem 429 */
  arrives(request: Request, server: BunServer): void {
    if (this.config.limits) this.take("address", this.addressOf(request, server));
  }

  /**
   * Counts a request by its account, and by what it does.
   * @param route its path, as the app names it
   * @returns what the answer's headers say of the limit of what it does
   * @throws Problem 429
   */
  calls(userId: number, method: string, route: string): Headers | undefined {
    if (!this.config.limits) return undefined;
    this.take("account", userId);
    const name = BY_ROUTE.get(`${method === "HEAD" ? "GET" : method} ${route}`);
    return name && this.take(name, userId);
  }

  /**
   * Counts one.
   * @param whose an account's id, or an address
   * @returns headers that tell how the limit stands
   * @throws Problem 429
   */
  take(name: RateName, whose: number | Address): Headers | undefined {
    const rate = this.config.rates[name];
    if (!this.config.limits || !rate) return undefined;
    const verdict = this.#buckets.take(`${name} ${whose}`, rate);
    if (!verdict.passes) throw this.#refusal(name, verdict);
    return this.#headers(name, verdict);
  }

  /**
   * Checks a password, unless too many were wrong. Each try is counted before the password is looked at, and taken back
   * when it was right (or nobody could tell), so that of a hundred at once no more are tried than of a hundred in turn.
   * The limit for a handle from everywhere does not hold where the account has signed in before: a crowd that guesses
   * keeps others away who are new, and the owner's own machines never.
   * @param handle as it was typed, whether or not there is such a person
   * @param check throws a Problem 401 for a wrong password
   * @throws Problem 429, and what `check` throws
   */
  async guess<T>(handle: string, address: Address, check: () => Promise<T>): Promise<T> {
    if (!this.config.limits) return check();
    const pair = `${address} ${handle}`;
    const counts: [RateName, string][] = [
      ["sign-in", pair],
      ["sign-in-address", address],
      ...(this.#known.isMarked(pair) ? [] : [["sign-in-account", handle] as [RateName, string]]),
    ];
    for (;;) {
      const refused = this.#firstEmpty(counts);
      if (!refused) break;
      const others = this.#trying.get(refused.key);
      if (!others || others.waiting.length >= MOST_WAITING)
        throw this.#refusal(refused.name, refused.verdict);
      await new Promise<void>((resolve) => others.waiting.push(resolve));
    }
    const giveBack = this.#try(counts);
    try {
      const checked = await check();
      giveBack(true);
      this.knows(handle, address);
      return checked;
    } catch (error) {
      giveBack(!(error instanceof Problem && error.status === 401));
      throw error;
    }
  }

  /** Remembers that an account has signed in from an address. */
  knows(handle: string, address: Address): void {
    this.#known.mark(`${address} ${handle}`, KNOWN_MS);
  }

  /** Which of several buckets lets no more pass. */
  #firstEmpty(counts: [RateName, string][]) {
    for (const [name, whose] of counts) {
      const rate = this.config.rates[name];
      const key = `${name} ${whose}`;
      const verdict = rate && this.#buckets.look(key, rate);
      if (verdict && !verdict.passes) return { name, key, verdict };
    }
    return undefined;
  }

  /** Takes one of each. @returns what ends the try, and gives them back or not */
  #try(counts: [RateName, string][]): (back: boolean) => void {
    const taken = counts.flatMap(([name, whose]) => {
      const rate = this.config.rates[name];
      return rate ? [{ key: `${name} ${whose}`, rate }] : [];
    });
    for (const { key, rate } of taken) {
      this.#buckets.take(key, rate);
      const trying = this.#trying.get(key) ?? { underWay: 0, waiting: [] };
      trying.underWay++;
      this.#trying.set(key, trying);
    }
    return (back) => {
      for (const { key, rate } of taken) {
        if (back) this.#buckets.giveBack(key, rate);
        const trying = this.#trying.get(key);
        if (!trying) continue;
        if (--trying.underWay === 0) this.#trying.delete(key);
        for (const look of trying.waiting.splice(0)) look();
      }
    };
  }

  #refusal(name: RateName, verdict: Verdict): Problem {
    const seconds = Math.max(1, Math.ceil(verdict.waitMs / 1000));
    return new Problem(429, "rate-limited", `Too much at once. Try again in ${seconds} s.`, {
      retryAfter: seconds,
      headers: this.#headers(name, verdict),
    });
  }

  /**
   * As draft-ietf-httpapi-ratelimit-headers-10 has it: the quota is the burst, its window the time in which that much
   * comes back; `t` tells when all of it is there again.
   */
  #headers(name: RateName, { left, fullMs }: Verdict): Headers {
    const { burst = 0, perSecond = 1 } = this.config.rates[name] ?? {};
    return {
      "ratelimit-policy": `"${name}";q=${burst};w=${Math.ceil(burst / perSecond)}`,
      ratelimit: `"${name}";r=${left};t=${Math.ceil(fullMs / 1000)}`,
    };
  }
}
