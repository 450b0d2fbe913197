import type { Api } from "./api.ts";
import type { Message } from "./contract.ts";
import { deferred } from "./deferred.ts";
import { ApiError, NetworkError } from "./errors.ts";
import { Listeners } from "./listeners.ts";
import { type Kept, OutboxStore } from "./outbox-store.ts";
import { type Pace, retryDelay } from "./pace.ts";
import type { Session } from "./session.ts";
import type { Surroundings } from "./surroundings.ts";
import { randomId, TabLock } from "./tab-lock.ts";

/** A message that was sent here and is not known to have arrived. */
export interface Pending {
  clientId: string;
  roomId: number;
  body: string;
  replyTo: number | null;
  createdAt: string;
  /** `waiting`: for those before it, or for the next try; `refused`: until `retry` or `discard`. */
  state: "sending" | "waiting" | "refused";
  /** Why it was refused, or what the last try was answered. */
  problem: ApiError | null;
}

/** No refusals of the message: later the same request may do. 401: after the next sign-in. */
const TRY_AGAIN = new Set([401, 408, 425, 429]);

/**
 * What was sent and has not arrived yet: in order per room, with the same clientId until it is known what became of it,
 * over reloads. Each tab sends what was sent in it, and what closed tabs have left.
 */
export class Outbox {
  readonly #store: OutboxStore;
  readonly #tab: TabLock;
  /** Tabs whose end is waited for. */
  readonly #others = new Set<string>();
  readonly #sending = new Set<string>();
  /** The rooms in which something is under way, and what ends the pause before the next try. */
  readonly #rooms = new Map<number, { wake: () => void }>();
  readonly #sent = new Listeners<[Message]>();
  readonly #changed = new Listeners();
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  #views = new Map<number, readonly Pending[]>();

  private readonly api: Api;
  private readonly userId: number;
  private readonly session: Session;
  private readonly surroundings: Surroundings;
  private readonly pace: Pace;
  /** Told of a 401: nothing more is sent. */
  private readonly onSignedOut: () => void;

  constructor(
    api: Api,
    userId: number,
    session: Session,
    surroundings: Surroundings,
    pace: Pace,
    onSignedOut: () => void,
  ) {
    this.api = api;
    this.userId = userId;
    this.session = session;
    this.surroundings = surroundings;
    this.pace = pace;
    this.onSignedOut = onSignedOut;
    this.#store = new OutboxStore(userId);
    this.#tab = new TabLock(`foyer:${userId}:tab:`);
    this.#forget = surroundings.onNetwork.add(() => {
      if (!surroundings.offline) for (const { wake } of this.#rooms.values()) wake();
    });
    globalThis.addEventListener?.("storage", (event) => this.#storageChanged(event as StorageEvent), {
      signal: this.#stop.signal,
    });
    this.#adopt();
  }

  /** Of one room, in order; the same array until something changes. */
  of(roomId: number): readonly Pending[] {
    let view = this.#views.get(roomId);
    if (!view) {
      view = this.#store.all().flatMap((kept) => (kept.roomId === roomId ? this.#shown(kept) : []));
      this.#views.set(roomId, view);
    }
    return view;
  }

  send(roomId: number, body: string, replyTo: number | null = null): Pending {
    const last = this.#store.all().at(-1)?.order ?? 0;
    const now = Date.now();
    const kept: Kept = {
      clientId: randomId(),
      roomId,
      body,
      replyTo,
      createdAt: new Date(now).toISOString(),
      problem: null,
      order: Math.max(now, last + 1),
      refused: false,
      tab: this.#tab.id,
    };
    this.#keep(kept);
    return this.#shown(kept);
  }

  /** Tries again at once: what was refused, or what waits. */
  retry(clientId: string): void {
    const kept = this.#store.get(clientId);
    if (!kept || this.#sending.has(clientId)) return;
    this.#keep({ ...kept, refused: false, problem: null, tab: this.#tab.id });
    this.#rooms.get(kept.roomId)?.wake();
  }

  /** Gives one up. If it is under way, it may arrive all the same. */
  discard(clientId: string): void {
    if (!this.#store.get(clientId)) return;
    this.#store.remove(clientId);
    this.#tell();
  }

  /** Forgets everything of this person: for a sign-out. */
  clear(): void {
    this.#store.clear();
    this.#tell();
  }

  /** A message came by the stream: if it is one of these, it has arrived. */
  arrived(message: Message): void {
    if (message.clientId === null || message.sender.id !== this.userId) return;
    const kept = this.#store.get(message.clientId);
    if (kept?.roomId !== message.roomId) return;
    this.#done(kept, message);
  }

  /** @param fn told of each message that has arrived */
  onSent(fn: (message: Message) => void): () => void {
    return this.#sent.add(fn);
  }

  listen(fn: () => void): () => void {
    return this.#changed.add(fn);
  }

  close(): void {
    this.#stop.abort();
    this.#forget();
    for (const { wake } of this.#rooms.values()) wake();
    this.#tab.close();
    this.#sent.clear();
    this.#changed.clear();
  }

  /** Takes over what closed tabs have left, and what others leave once they close. */
  #adopt(): void {
    for (const { tab } of this.#store.all()) {
      if (tab === this.#tab.id || this.#others.has(tab)) continue;
      this.#others.add(tab);
      this.#tab.whenGone(tab, () => {
        this.#others.delete(tab);
        for (const kept of this.#store.all()) {
          if (kept.tab === tab) this.#keep({ ...kept, tab: this.#tab.id });
        }
      });
    }
  }

  #keep(kept: Kept): void {
    this.#store.put(kept);
    this.#tell();
    if (!this.#rooms.has(kept.roomId) && !this.#stop.signal.aborted) void this.#drain(kept.roomId);
  }

  /** Sends what waits in a room, one after the other. */
  async #drain(roomId: number): Promise<void> {
    const line = { wake: () => {} };
    this.#rooms.set(roomId, line);
    let failures = 0;
    try {
      for (;;) {
        if (this.session.isInDoubt && !(await this.session.confirm())) return; // nothing is sent in another's name
        const next = this.#next(roomId);
        if (!next || this.#stop.signal.aborted) return;
        const atLeast = await this.#try(next);
        if (atLeast === null) failures = 0;
        else if (await this.#pause(line, retryDelay(this.pace.retryMs, failures, atLeast))) failures = 0;
        else failures++;
      }
    } finally {
      this.#rooms.delete(roomId);
    }
  }

  /** @returns whether it was woken before the time was up */
  #pause(line: { wake: () => void }, ms: number): Promise<boolean> {
    if (this.#stop.signal.aborted) return Promise.resolve(true);
    const { promise, resolve } = deferred<boolean>();
    const timer = setTimeout(() => resolve(false), ms);
    line.wake = () => {
      clearTimeout(timer);
      resolve(true);
    };
    return promise;
  }

  #next(roomId: number): Kept | undefined {
    return this.#store
      .all()
      .find((kept) => kept.roomId === roomId && kept.tab === this.#tab.id && !kept.refused);
  }

  /** @returns null: the next one; or how long the server asks to wait before the same one again (ms) */
  async #try(kept: Kept): Promise<number | null> {
    const { clientId, roomId, body, replyTo } = kept;
    this.#sending.add(clientId);
    this.#tell();
    try {
      const message = await this.api.send(roomId, {
        body,
        clientId,
        ...(replyTo === null ? {} : { replyTo }),
      });
      this.surroundings.reached();
      this.#sending.delete(clientId);
      this.#done(kept, message);
      return null;
    } catch (error) {
      this.#sending.delete(clientId);
      return this.#failed(kept, error);
    }
  }

  #failed(kept: Kept, error: unknown): number | null {
    if (!(error instanceof ApiError || error instanceof NetworkError)) throw error;
    if (this.#stop.signal.aborted) return null; // it is kept as it was, or forgotten since by a sign-out
    if (!this.#store.get(kept.clientId)) return null; // discarded, or it has arrived all the same
    const problem = error instanceof ApiError ? error : null;
    const refused =
      problem !== null && problem.status >= 400 && problem.status < 500 && !TRY_AGAIN.has(problem.status);
    this.#store.put({ ...kept, problem, refused });
    this.#tell();
    if (problem?.status === 401) this.onSignedOut();
    return refused ? null : (problem?.retryAfterMs ?? 0);
  }

  #done(kept: Kept, message: Message): void {
    if (!this.#store.get(kept.clientId)) return; // told already, by the other way
    this.#store.remove(kept.clientId);
    this.#tell();
    this.#sent.tell(message);
  }

  #storageChanged(event: StorageEvent): void {
    if (event.storageArea !== globalThis.localStorage || !this.#store.changed(event)) return;
    // Where it cannot be told who lives, what is there at the start is taken over, and what comes later is another's.
    if (this.#tab.canTell) this.#adopt();
    this.#tell();
  }

  #shown({ clientId, roomId, body, replyTo, createdAt, problem, refused }: Kept): Pending {
    const state = refused ? "refused" : this.#sending.has(clientId) ? "sending" : "waiting";
    return { clientId, roomId, body, replyTo, createdAt, state, problem };
  }

  #tell(): void {
    this.#views = new Map();
    this.#changed.tell();
  }
}
