import type { Api } from "./api.ts";
import type { User } from "./contract.ts";
import { ApiError } from "./errors.ts";
import { Line } from "./line.ts";
import { Listeners } from "./listeners.ts";
import { Outbox } from "./outbox.ts";
import { PACE, type Pace } from "./pace.ts";
import { RoomList } from "./rooms.ts";
import { Session } from "./session.ts";
import { Slots } from "./slots.ts";
import { Surroundings } from "./surroundings.ts";
import type { Status } from "./tabs.ts";
import { Timeline } from "./timeline.ts";

/** A signed-in person's live state in this tab. */
export class Client {
  readonly rooms = new RoomList();
  readonly outbox: Outbox;
  readonly #surroundings = new Surroundings();
  readonly #session: Session;
  readonly #line: Line;
  readonly #slots: Slots;
  readonly #timelines = new Set<Timeline>();
  readonly #onStatus = new Listeners();
  readonly #onSignedOut = new Listeners();
  #status: Status = "connecting";
  #isSignedOut = false;
  #isClosed = false;

  readonly api: Api;
  me: User;
  private readonly pace: Pace;

  private constructor(api: Api, me: User, pace: Pace) {
    this.api = api;
    this.me = me;
    this.pace = pace;
    const signedOut = () => this.#signOut();
    this.#session = new Session(api, me.id, this.#surroundings, signedOut);
    this.outbox = new Outbox(api, me.id, this.#session, this.#surroundings, pace, signedOut);
    this.#slots = new Slots(`foyer:${me.id}`);
    const hooks = {
      status: () => this.#statusChanged(),
      signedOut,
      toldOfSignOut: () => void this.#session.confirm(), // it may be of a session before this one
    };
    this.#line = new Line(api, me.id, this.rooms, hooks, this.#surroundings, pace);
  }

  /**
   * Gets the room list, and follows it.
   * @param pace where something is to take longer or shorter than usual
   * @throws ApiError, NetworkError if the list cannot be had
   */
  static async open(api: Api, me: User, pace: Partial<Pace> = {}): Promise<Client> {
    const client = new Client(api, me, { ...PACE, ...pace });
    try {
      await client.#line.start();
      if (client.#isClosed) throw new ApiError(401, "unauthenticated", "Meanwhile the session has ended.");
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  get status(): Status {
    return this.#line.status;
  }

  /** Whether this tab is the one that holds the browser's stream of the list. */
  get isLeading(): boolean {
    return this.#line.isLeading;
  }

  onStatus(fn: () => void): () => void {
    return this.#onStatus.add(fn);
  }

  /** Called once: the session has ended, here, in another tab or on the server. Nothing comes any more. */
  onSignedOut(fn: () => void): () => void {
    return this.#onSignedOut.add(fn);
  }

  /** One room's messages; nothing is asked for before `open`. Close it when it is no longer shown. */
  timeline(roomId: number): Timeline {
    const timeline: Timeline = new Timeline(roomId, {
      api: this.api,
      userId: this.me.id,
      rooms: this.rooms,
      slots: this.#slots,
      surroundings: this.#surroundings,
      pace: this.pace,
      outbox: this.outbox,
      onSignedOut: () => this.#signOut(),
      onClosed: () => this.#timelines.delete(timeline),
    });
    this.#timelines.add(timeline);
    return timeline;
  }

  /** Tells the other tabs, after `DELETE /session`. */
  announceSignOut(): void {
    this.#line.announceSignOut();
  }

  /** Releases streams, locks, channels, timers. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timeline of [...this.#timelines]) timeline.close();
    this.#line.close();
    this.outbox.close();
    this.#session.close();
    this.#surroundings.close();
    this.#onStatus.clear();
    this.#onSignedOut.clear();
  }

  #statusChanged(): void {
    if (this.status === this.#status || this.#isClosed) return;
    this.#status = this.status;
    if (this.#status === "live" || this.#status === "polling") {
      for (const timeline of this.#timelines) timeline.recover();
    }
    this.#onStatus.tell();
  }

  #signOut(): void {
    if (this.#isSignedOut || this.#isClosed) return;
    this.#isSignedOut = true;
    this.#onSignedOut.tell();
    this.close();
  }
}
