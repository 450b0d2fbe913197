import { ApiError } from "./errors.ts";
import type { Pending } from "./outbox.ts";

/** A message in the store. */
export interface Kept extends Omit<Pending, "state"> {
  /** Orders those of one room. */
  order: number;
  refused: boolean;
  /** The tab that sends it. */
  tab: string;
}

/**
 * What was sent and has not arrived, in localStorage: a key each, so that tabs that write at the same time take nothing
 * from each other. Where storage is full or forbidden, it is kept in memory: then a reload does lose it.
 */
export class OutboxStore {
  readonly #prefix: string;
  readonly #kept = new Map<string, Kept>();

  /** @param userId whose */
  constructor(userId: number) {
    this.#prefix = `foyer:outbox:${userId}:`;
    for (const key of this.#keys()) this.#read(key);
  }

  /** In the order in which they were sent. */
  all(): Kept[] {
    return [...this.#kept.values()].sort((a, b) => a.order - b.order);
  }

  get(clientId: string): Kept | undefined {
    return this.#kept.get(clientId);
  }

  put(kept: Kept): void {
    this.#kept.set(kept.clientId, kept);
    const { problem } = kept;
    const plain = problem && { ...problem, detail: problem.detail }; // an Error's own fields
    try {
      storage()?.setItem(this.#prefix + kept.clientId, JSON.stringify({ ...kept, problem: plain }));
    } catch {
      // Full: it stays in memory, and is sent from there.
    }
  }

  remove(clientId: string): void {
    this.#kept.delete(clientId);
    storage()?.removeItem(this.#prefix + clientId);
  }

  clear(): void {
    for (const clientId of this.#kept.keys()) this.remove(clientId);
    for (const key of this.#keys()) storage()?.removeItem(key);
  }

  /**
   * Takes over what another tab has written. What one removes is removed, even if it has just been written here: the two
   * may have crossed.
   * @returns whether it concerns this store
   */
  changed({ key, newValue }: StorageEvent): boolean {
    if (key === null) {
      this.#kept.clear(); // all of the storage was emptied
      return true;
    }
    if (!key.startsWith(this.#prefix)) return false;
    if (newValue === null) this.remove(key.slice(this.#prefix.length));
    else this.#read(key);
    return true;
  }

  #read(key: string): void {
    const kept = parse(storage()?.getItem(key) ?? null);
    if (kept && key === this.#prefix + kept.clientId) this.#kept.set(kept.clientId, kept);
  }

  #keys(): string[] {
    const there = storage();
    if (!there) return [];
    return Array.from({ length: there.length }, (_, i) => there.key(i) ?? "").filter((key) =>
      key.startsWith(this.#prefix),
    );
  }
}

/** null where there is none, or where it is forbidden to look (cookies blocked). */
function storage(): Storage | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}

function parse(text: string | null): Kept | null {
  if (text === null) return null;
  try {
    const kept: unknown = JSON.parse(text);
    if (!isKept(kept)) return null;
    const { problem } = kept;
    return {
      ...kept,
      problem: problem && new ApiError(problem.status, problem.code, problem.detail, problem.errors),
    };
  } catch {
    return null; // not ours
  }
}

/** Whether it is something that can be sent, and not what another version or another program has left. */
function isKept(value: unknown): value is Kept {
  const { roomId, body, replyTo, createdAt, order, tab } = (value ?? {}) as Partial<Kept>;
  const isText = [body, createdAt, tab].every((text) => typeof text === "string");
  return (
    isText &&
    Number.isSafeInteger(roomId) &&
    Number.isFinite(order) &&
    (replyTo === null || Number.isSafeInteger(replyTo))
  );
}
