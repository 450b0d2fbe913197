import type {
  Involvement,
  Member,
  Message,
  MessagesPage,
  OpenRoom,
  Role,
  Room,
  RoomKind,
  RoomsPage,
  SearchHit,
  Session,
  UnreadReport,
  User,
  Ways,
} from "./contract.ts";
import { ApiError } from "./errors.ts";
import { request } from "./request.ts";

type Query = Record<string, string | number | undefined>;

/** Milliseconds after which a request that was not answered has failed: four statement timeouts of the server. */
const TIME_LIMIT_MS = 20_000;

/** The API, call by call. Every call rejects with ApiError or NetworkError. */
export class Api {
  readonly base: string;
  private readonly timeLimitMs: number;

  /**
   * @param base where it is, without a slash at the end: a path of the page's own server, or an address of another origin
   * of the same site (`https://chat.example.org/chat/api`), which names the page's in ALLOWED_ORIGINS
   */
  constructor(base = "/chat/api", timeLimitMs = TIME_LIMIT_MS) {
    this.base = base;
    this.timeLimitMs = timeLimitMs;
  }

  /** Who is signed in; null: nobody. */
  async session(): Promise<User | null> {
    try {
      return await this.#call<User>("GET", "/session");
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  }

  ways = () => this.#call<Ways>("GET", "/session/ways");
  signUp = (person: { handle: string; name: string; password: string; invite?: string }) =>
    this.#call<User>("POST", "/users", person);
  signIn = (who: { handle: string; password: string }) => this.#call<User>("POST", "/session", who);
  signOut = () => this.#call<void>("DELETE", "/session");
  changePassword = (current: string, next: string) =>
    this.#call<void>("PUT", "/session/password", { current, next });
  sessions = async () => (await this.#call<{ sessions: Session[] }>("GET", "/sessions")).sessions;
  /** Ends one of my sessions, with its streams. */
  endSession = (id: number) => this.#call<void>("DELETE", `/sessions/${id}`);
  rename = (name: string) => this.#call<User>("PATCH", "/users/me", { name });
  people = async (q: string, limit?: number) =>
    (await this.#call<{ users: User[] }>("GET", "/users", undefined, { q, limit })).users;

  /** @param since a cursor: only what has changed since */
  rooms = (since?: string) => this.#call<RoomsPage>("GET", "/rooms", undefined, { since });
  room = (id: number) => this.#call<Room>("GET", `/rooms/${id}`);
  createRoom = (room: { kind: RoomKind; name?: string; topic?: string | null; members?: number[] }) =>
    this.#call<Room>("POST", "/rooms", room);
  changeRoom = (id: number, change: { name?: string; topic?: string | null; kind?: "open" | "closed" }) =>
    this.#call<Room>("PATCH", `/rooms/${id}`, change);
  removeRoom = (id: number) => this.#call<void>("DELETE", `/rooms/${id}`);
  openRooms = (query: { q?: string; after?: number; limit?: number } = {}) =>
    this.#call<{ rooms: OpenRoom[]; after: number | null }>("GET", "/rooms/open", undefined, query);

  members = async (id: number) =>
    (await this.#call<{ members: Member[] }>("GET", `/rooms/${id}/members`)).members;
  /** Adds somebody or changes a role; `me` joins an open room. */
  putMember = (id: number, userId: number | "me", role?: Role) =>
    this.#call<Member>("PUT", `/rooms/${id}/members/${userId}`, { role });
  /** Removes somebody; `me` leaves. */
  removeMember = (id: number, userId: number | "me") =>
    this.#call<void>("DELETE", `/rooms/${id}/members/${userId}`);
  setInvolvement = (id: number, involvement: Involvement) =>
    this.#call<Member>("PATCH", `/rooms/${id}/members/me`, { involvement });

  markRead = (id: number, seq: number) => this.#call<Room>("PUT", `/rooms/${id}/read`, { seq });
  markUnread = (id: number, seq: number) => this.#call<Room>("PUT", `/rooms/${id}/unread`, { seq });
  /** Reads everything; the answer holds the rooms that changed. Its cursor is none to follow from. */
  readAll = () => this.#call<RoomsPage>("PUT", "/rooms/read");
  unread = (id: number) => this.#call<UnreadReport>("GET", `/rooms/${id}/unread`);

  /** A page of messages: the newest, or one named way of `before`, `after`, `around`. */
  messages = (
    id: number,
    page: { before?: number; after?: number; around?: number | undefined; limit?: number } = {},
  ) => this.#call<MessagesPage>("GET", `/rooms/${id}/messages`, undefined, page);
  message = (id: number, seq: number) => this.#call<Message>("GET", `/rooms/${id}/messages/${seq}`);
  /** The same `clientId` again gives the same message. */
  send = (id: number, message: { body: string; clientId?: string; replyTo?: number | null }) =>
    this.#call<Message>("POST", `/rooms/${id}/messages`, message);
  edit = (id: number, seq: number, body: string) =>
    this.#call<Message>("PATCH", `/rooms/${id}/messages/${seq}`, { body });
  remove = (id: number, seq: number) => this.#call<void>("DELETE", `/rooms/${id}/messages/${seq}`);
  /** Puts my reaction on or takes it away. @returns the message as it is now, where the server tells it (putting on) */
  react = async (id: number, seq: number, emoji: string, on: boolean): Promise<Message | null> =>
    (await this.#call<Message | undefined>(
      on ? "PUT" : "DELETE",
      `/rooms/${id}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`,
    )) ?? null;
  typing = (id: number) => this.#call<void>("POST", `/rooms/${id}/typing`);

  search = (query: { q: string; room?: number; before?: string; limit?: number }) =>
    this.#call<{ messages: SearchHit[]; before: string | null }>("GET", "/search", undefined, query);

  #call<T>(method: string, path: string, body?: unknown, query: Query = {}): Promise<T> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const url = `${this.base}${path}${given.length > 0 ? `?${search}` : ""}`;
    return request<T>(method, url, this.timeLimitMs, body);
  }
}
