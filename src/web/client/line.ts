import type { Api } from "./api.ts";
import { tick } from "./asked.ts";
import type { RoomsPage } from "./contract.ts";
import { ApiError, NetworkError, retryAfterOf } from "./errors.ts";
import { ListStream } from "./list-stream.ts";
import { type Pace, retryDelay } from "./pace.ts";
import type { RoomList } from "./rooms.ts";
import type { Surroundings } from "./surroundings.ts";
import { type Leader, type Status, Tabs, type Told } from "./tabs.ts";

export interface LineHooks {
  status(): void;
  /** The server says that the session has ended. */
  signedOut(): void;
  /** Another tab says so. */
  toldOfSignOut(): void;
}

/**
 * Keeps this tab's room list current: by the stream if this tab leads, else by what the leading one tells.
 *
 * Nothing is lost at a change of lead: the new leader resumes from its own cursor, so that it tells all that it has missed
 * itself; what only another tab has missed, that one asks for, once (`since` its own cursor).
 */
export class Line {
  readonly #tabs: Tabs;
  #stream: ListStream | null = null;
  /** Everything before it is in the list. */
  #cursor = "";
  /** Since when (asked.ts) something before what is heard may be missing, if so: then what is heard moves no cursor. */
  #gap: number | null = tick();
  /** Where the stream stood when it last brought something, since the list was last asked for. */
  #heard: string | null = null;
  /** When it was asked for (ms since the epoch, as terms are). */
  #askedAt = 0;
  #asking: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #told: Status = "connecting";
  #isClosed = false;
  /** When this tab was last known to hear what is told (ms since the epoch). */
  #awakeAt = Date.now();
  readonly #forget: (() => void)[];

  private readonly api: Api;
  private readonly userId: number;
  private readonly rooms: RoomList;
  private readonly hooks: LineHooks;
  private readonly surroundings: Surroundings;
  private readonly pace: Pace;

  constructor(
    api: Api,
    userId: number,
    rooms: RoomList,
    hooks: LineHooks,
    surroundings: Surroundings,
    pace: Pace,
  ) {
    this.api = api;
    this.userId = userId;
    this.rooms = rooms;
    this.hooks = hooks;
    this.surroundings = surroundings;
    this.pace = pace;
    this.#tabs = new Tabs(
      `foyer:${userId}`,
      {
        lead: () => this.#lead(),
        follow: () => this.#follow(),
        told: (told, leader) => this.#hear(told, leader),
        sign: () => this.#sign(null),
        signedOut: hooks.toldOfSignOut,
      },
      surroundings,
      pace,
    );
    this.#forget = [
      surroundings.onVisible.add(() => this.#shown()),
      surroundings.onNetwork.add(() => {
        if (!surroundings.offline && this.#gap !== null) this.#catchUp(0);
        hooks.status();
      }),
    ];
  }

  /** Asks for the list, after the channel is open: what comes meanwhile is heard. @throws ApiError, NetworkError */
  async start(): Promise<void> {
    await this.#ask();
    if (!this.#isClosed) this.#tabs.run();
  }

  get status(): Status {
    if (this.surroundings.offline) return "offline";
    return this.#stream?.status ?? this.#told;
  }

  get isLeading(): boolean {
    return this.#tabs.isLeading;
  }

  announceSignOut(): void {
    this.#tabs.announceSignOut();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const forget of this.#forget) forget();
    this.#stream?.close();
    this.#stream = null;
    this.#tabs.close();
  }

  #lead(): void {
    clearTimeout(this.#timer);
    const hooks = {
      page: (page: RoomsPage, cursor: string) => {
        const isWhole = this.rooms.apply(page);
        if (isWhole) this.#cursor = cursor;
        this.#heard = this.#cursor;
        this.#gap = null; // the stream began where this tab stood
        this.#tabs.tell(this.#sign(page));
        return isWhole;
      },
      sign: () => {
        this.#tabs.tell(this.#sign(null));
        this.hooks.status();
      },
      signedOut: () => {
        this.#tabs.announceSignOut();
        this.hooks.signedOut();
      },
    };
    this.#stream = new ListStream(this.api, this.userId, this.#cursor, hooks, this.surroundings, this.pace);
    this.hooks.status();
  }

  #follow(): void {
    this.#stream?.close();
    this.#stream = null;
    this.#told = "connecting";
    this.hooks.status();
  }

  #sign(page: RoomsPage | null): Told {
    return {
      status: this.#stream?.status ?? "connecting",
      cursor: this.#stream?.cursor ?? this.#cursor,
      page,
    };
  }

  #hear({ page, cursor, status }: Told, leader: Leader): void {
    const isMissed = leader === "first" && this.#askedAt <= this.#tabs.term; // what it told before
    if (leader === "another" || leader === "missed" || isMissed) {
      this.#gap = tick();
      this.#catchUp(0);
    }
    if (page) {
      this.rooms.apply(page);
      if (status === "live") this.surroundings.reached();
    }
    if (page || this.#gap === null) this.#heard = cursor;
    if (this.#gap === null) this.#cursor = cursor;
    if (status === this.#told) return;
    this.#told = status;
    this.hooks.status();
  }

  /** A page that slept for long may have slept through what was told. */
  #shown(): void {
    const slept = Date.now() - this.#awakeAt;
    this.#awakeAt = Date.now();
    if (!this.surroundings.visible || this.#stream || slept < this.pace.watchdogMs) return;
    this.#gap = tick();
    this.#catchUp(0);
  }

  /** Asks for what this tab has missed, until it is answered or this tab leads: the stream brings it then. */
  #catchUp(delay: number, failures = 0): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      try {
        await this.#asking?.catch(() => {}); // told of where it was asked
        if (this.#isClosed || this.#stream || this.#gap === null) return;
        await this.#ask();
      } catch (error) {
        if (!(error instanceof ApiError || error instanceof NetworkError)) throw error;
        if (this.#isClosed || this.#stream) return;
        if (error instanceof ApiError && error.status === 401) return this.hooks.signedOut();
        const atLeast = retryAfterOf(error);
        this.#catchUp(retryDelay(this.pace.retryMs, failures, atLeast), failures + 1);
      }
    }, delay);
  }

  #ask(): Promise<void> {
    const asked = tick();
    this.#askedAt = Date.now();
    this.#heard = null;
    this.#asking = (async () => {
      const page = await this.api.rooms(this.#cursor || undefined);
      if (this.#isClosed) return;
      this.surroundings.reached();
      const isWhole = this.rooms.apply(page);
      const hasGap = this.#gap !== null && this.#gap > asked; // before what was heard since
      // With what was heard meanwhile the list is as the stream stands; where something is in doubt, as it was.
      if (this.#heard !== null && !hasGap) this.#cursor = this.#heard;
      else if (isWhole) this.#cursor = page.cursor;
      if (!hasGap) this.#gap = null;
    })();
    return this.#asking;
  }
}
