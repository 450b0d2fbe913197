import type { Member, Message, MessagesPage, User } from "./contract.ts";
import { ApiError, NetworkError, retryAfterOf } from "./errors.ts";
import type { FeedEnd } from "./feed.ts";
import { Listeners } from "./listeners.ts";
import { Members } from "./members.ts";
import type { Outbox } from "./outbox.ts";
import { retryDelay } from "./pace.ts";
import { type RoomParts, RoomStream } from "./room-stream.ts";
import { Typists } from "./typists.ts";
import { MessageWindow } from "./window.ts";

/** Messages asked for at once. */
const PAGE = 50;

/** What a timeline asks for: a place to begin, a page more, the newest ones in place of a stream, the members. */
type Asked = "place" | "page" | "news" | "members";

export interface TimelineParts extends RoomParts {
  outbox: Outbox;
  onSignedOut(): void;
  /** Told when the timeline was closed. */
  onClosed(): void;
}

/**
 * A bounded window of one room's messages, ascending by seq and without gaps; who is in the room, and who types.
 * What fails is in `error`, and no call rejects for it.
 */
export class Timeline {
  readonly #window = new MessageWindow();
  readonly #members: Members;
  readonly #typists: Typists;
  readonly #stream: RoomStream;
  readonly #listeners = new Listeners();
  readonly #forget: () => void;
  #loading: "first" | "older" | "newer" | null = null;
  /** What failed, until it succeeds. */
  readonly #errors = new Map<Asked, ApiError | NetworkError>();
  #gone = false;
  #isClosed = false;
  /** Another number, another place: what was asked for before is not wanted any more. */
  #place = 0;
  /** What was last opened around. */
  #around: number | undefined;
  #isRefreshing = false;
  #refreshAgain = false;
  /** Refreshes that failed one after the other, and what waits for the next one. */
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly roomId: number;
  private readonly parts: TimelineParts;

  constructor(roomId: number, parts: TimelineParts) {
    this.roomId = roomId;
    this.parts = parts;
    this.#members = new Members(() => parts.api.members(roomId));
    this.#typists = new Typists(parts.pace.typingMs, () => this.#tell());
    this.#stream = new RoomStream(roomId, parts, {
      event: (name, data, first) => this.#hear(name, data, first),
      refresh: () => void this.#refresh(),
      ended: (why) => this.#ended(why),
    });
    this.#forget = parts.outbox.onSent((message) => {
      if (message.roomId === roomId) this.put(message);
    });
  }

  get messages(): readonly Message[] {
    return this.#window.messages;
  }
  /** Whether the window reaches the room's first message. */
  get atStart(): boolean {
    return this.#window.atStart;
  }
  /** Whether it reaches the newest one. */
  get atEnd(): boolean {
    return this.#window.atEnd;
  }
  get loading(): "first" | "older" | "newer" | null {
    return this.#loading;
  }
  /** Why something that was asked for is not there. */
  get error(): ApiError | NetworkError | null {
    return this.#errors.values().next().value ?? null;
  }
  /** Whether the room is no longer there, or no longer one's own. */
  get gone(): boolean {
    return this.#gone;
  }
  get members(): readonly Member[] {
    return this.#members.list;
  }
  /** Others who typed just now. */
  get typing(): readonly User[] {
    return this.#typists.list;
  }

  /** The newest page, or one around a message; again to jump. */
  async open(around?: number): Promise<void> {
    const place = ++this.#place;
    this.#around = around;
    this.#setLoading("first");
    if (this.#members.list.length === 0 || this.#errors.has("members")) void this.reloadMembers();
    for (const asked of ["page", "news"] as const) this.#errors.delete(asked); // this page takes their place
    await this.#attempt("place", async () => {
      let page: MessagesPage;
      do {
        page = await this.parts.api.messages(this.roomId, { around, limit: PAGE });
        if (place !== this.#place) return;
      } while (!this.#window.replace(page));
      this.#arrived(page.messages);
      this.#stream.begin(page.cursor);
    });
    if (place === this.#place) this.#setLoading(null);
  }

  /** A page more at the top; the other end gives as much up. */
  older(): Promise<void> {
    return this.atStart ? Promise.resolve() : this.#page("older");
  }

  newer(): Promise<void> {
    return this.atEnd ? Promise.resolve() : this.#page("newer");
  }

  async toEnd(): Promise<void> {
    if (!this.atEnd) await this.open();
  }

  /** Takes the answer of a write at once; the stream will repeat it. */
  put(message: Message): void {
    this.#window.put(message);
    this.#tell();
  }

  async reloadMembers(): Promise<void> {
    await this.#attempt("members", () => this.#members.load());
    this.#tell();
  }

  listen(fn: () => void): () => void {
    return this.#listeners.add(fn);
  }

  /** The network is back: what failed is tried again. */
  recover(): void {
    if (this.#loading || this.#gone) return;
    if (this.#errors.delete("page")) this.#tell(); // asked for when it is scrolled to
    if (this.#errors.has("place")) void this.open(this.#around);
    if (this.#errors.has("news")) void this.#refresh();
    if (this.#errors.has("members")) void this.reloadMembers();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#place++;
    clearTimeout(this.#timer);
    this.#forget();
    this.#stream.close();
    this.#typists.close();
    this.#listeners.clear();
    this.parts.onClosed();
  }

  async #page(way: "older" | "newer"): Promise<void> {
    const [first, last] = [this.messages[0], this.messages.at(-1)];
    if (this.#loading || !first || !last) return;
    const place = this.#place;
    this.#setLoading(way);
    await this.#attempt("page", async () => {
      const from = way === "older" ? { before: first.seq } : { after: last.seq };
      const page = await this.parts.api.messages(this.roomId, { ...from, limit: PAGE });
      if (place === this.#place) this.#window.extend(way, page);
    });
    if (place === this.#place) this.#setLoading(null);
  }

  #hear(name: string, data: unknown, first: boolean): void {
    // Markers that moved while no stream was open are not told.
    if (first) void this.reloadMembers();
    if (name === "typing") {
      const { user } = data as { user: User };
      if (user.id !== this.parts.userId) this.#typists.heard(user);
    } else if (name === "read") {
      const { userId, lastReadSeq } = data as { userId: number; lastReadSeq: number };
      if (this.#members.read(userId, lastReadSeq)) this.#tell();
    } else if (name === "messages") {
      const { reset, messages } = data as { reset: boolean; messages: Message[] };
      this.#hearMessages(messages, reset);
    }
  }

  #hearMessages(messages: Message[], reset: boolean): void {
    if (messages.length === 0 && !reset) return;
    const isNew = (seq: number) => reset || this.#window.isNews(seq);
    const isAboutMembers = messages.some((message) => this.#members.isNews(message, isNew(message.seq)));
    for (const { seq, sender } of messages) if (isNew(seq)) this.#typists.stopped(sender.id);
    const middle = this.messages[this.messages.length >> 1]?.seq;
    const isElsewhere = !this.#window.hear(messages, reset);
    if (isElsewhere && this.#loading !== "first") void this.open(middle);
    this.#arrived(messages);
    if (isAboutMembers) void this.reloadMembers();
    this.#tell();
  }

  #arrived(messages: readonly Message[]): void {
    for (const message of messages) this.parts.outbox.arrived(message);
  }

  /** In place of a stream: the newest page. One at a time; what changes meanwhile asks once more, and so does what fails. */
  async #refresh(): Promise<void> {
    this.#refreshAgain = this.#isRefreshing;
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    clearTimeout(this.#timer);
    do {
      this.#refreshAgain = false;
      const place = this.#place;
      await this.#attempt("news", async () => {
        const page = await this.parts.api.messages(this.roomId, { limit: PAGE });
        if (place !== this.#place) return;
        const isAboutMembers = page.messages.some((message) =>
          this.#members.isNews(message, this.#window.isNews(message.seq)),
        );
        this.#window.refresh(page);
        this.#arrived(page.messages);
        if (isAboutMembers) void this.reloadMembers();
      });
      this.#tell();
    } while (this.#refreshAgain && !this.#isClosed);
    this.#isRefreshing = false;
    const error = this.#errors.get("news");
    if (!error) this.#failures = 0;
    else if (!this.#isClosed && !this.#gone) {
      const atLeast = retryAfterOf(error);
      const delay = retryDelay(this.parts.pace.retryMs, this.#failures++, atLeast);
      this.#timer = setTimeout(() => void this.#refresh(), delay);
    }
  }

  /** Keeps what fails for `error`; what is no answer of the API is a fault, and thrown. */
  async #attempt(asked: Asked, what: () => Promise<void>): Promise<void> {
    try {
      await what();
      this.#errors.delete(asked);
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof NetworkError)) throw error;
      if (this.#isClosed) return;
      this.#errors.set(asked, error);
      if (!(error instanceof ApiError)) return;
      if (error.status === 401) this.#ended("signed-out");
      if (error.code === "room-not-found") this.#ended("gone");
    }
  }

  #ended(why: FeedEnd): void {
    if (why === "signed-out") {
      this.parts.onSignedOut();
      return;
    }
    this.#gone = true;
    this.#stream.close();
    this.#tell();
  }

  #setLoading(loading: "first" | "older" | "newer" | null): void {
    this.#loading = loading;
    this.#tell();
  }

  #tell(): void {
    if (!this.#isClosed) this.#listeners.tell();
  }
}
