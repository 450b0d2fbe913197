import type { User } from "../../src/auth/queries.ts";
import type { listMessages, Message } from "../../src/messages/queries.ts";
import type { Room } from "../../src/rooms/list.ts";
import { EventReader } from "./events.ts";
import { SocketReader } from "./socket.ts";

/** A type as it comes over the wire: dates are text. */
export type Json<T> = T extends Date ? string : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
export type RoomList = { cursor: string; rooms: Json<Room>[]; left: number[]; reset: boolean };

export type Timeline = { reset: boolean; messages: Json<Message>[]; cursor: string };
export type MessagePage = Json<Awaited<ReturnType<typeof listMessages>>>;

export interface Reply<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** A person at the API, by cookie. */
export class Client {
  private constructor(
    readonly api: string,
    readonly user: User,
    readonly headers: Record<string, string>,
  ) {}

  static readonly password = "correct horse";

  static async signUp(api: string, handle: string): Promise<Client> {
    const response = await fetch(`${api}/users`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ handle, name: handle, password: Client.password }),
    });
    if (response.status !== 201) throw new Error(`sign-up: ${response.status} ${await response.text()}`);
    return new Client(api, (await response.json()) as User, { cookie: cookieOf(response) });
  }

  /** Somebody who is known in another way. */
  static of = (api: string, user: User, headers: Record<string, string>): Client =>
    new Client(api, user, headers);

  /** The same person by another session, in another browser. */
  async signInAgain(password = Client.password): Promise<Client> {
    const reply = await this.call(
      "POST",
      "/session",
      { handle: this.user.handle, password },
      { cookie: "", authorization: "" },
    );
    if (reply.status !== 200) throw new Error(`sign-in: ${reply.status}`);
    return new Client(this.api, this.user, { cookie: cookieOf(reply) });
  }

  /** The same person by a bearer token, or at another server. */
  with(headers: Record<string, string>, api = this.api): Client {
    return new Client(api, this.user, headers);
  }

  /** Any call; the body of the reply is parsed if there is one. */
  async call<T = any>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Reply<T>> {
    const response = await fetch(this.api + path, {
      method,
      headers: {
        ...this.headers,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? null : JSON.parse(text),
    };
  }

  /** A call that must succeed. @throws with the problem otherwise */
  async must<T = any>(method: string, path: string, body?: unknown): Promise<T> {
    const reply = await this.call<T>(method, path, body);
    if (reply.status >= 300) {
      throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    }
    return reply.body;
  }

  list = (query = "") => this.must<RoomList>("GET", `/rooms${query}`);
  room = (id: number) => this.must<Json<Room>>("GET", `/rooms/${id}`);

  openRoom = (name = "room", members: Client[] = []) =>
    this.must<Json<Room>>("POST", "/rooms", { kind: "open", name, members: members.map((m) => m.user.id) });

  send = (roomId: number, body = "hello", more: { clientId?: string; replyTo?: number } = {}) =>
    this.must<Json<Message>>("POST", `/rooms/${roomId}/messages`, { body, ...more });

  /** Opens the room-list stream, from a cursor and what was held at it. */
  stream = (cursor?: string, held?: EventReader["rooms"]): Promise<EventReader> =>
    EventReader.open(
      `${this.api}/stream/rooms`,
      { ...this.headers, ...(cursor === undefined ? {} : { "last-event-id": cursor }) },
      { rooms: held },
    );

  /** Opens a room's timeline, from a cursor and what was held at it. */
  watch = (roomId: number, cursor?: string, held?: EventReader["messages"]): Promise<EventReader> =>
    EventReader.open(
      `${this.api}/stream/rooms/${roomId}`,
      { ...this.headers, ...(cursor === undefined ? {} : { "last-event-id": cursor }) },
      { messages: held },
    );

  /** Opens a WebSocket. */
  socket = (headers: Record<string, string> = {}): Promise<SocketReader> =>
    SocketReader.open(this.api, { ...this.headers, ...headers });

  /** The newest messages, as a fresh GET gives them. */
  page = (roomId: number, query = "") => this.must<MessagePage>("GET", `/rooms/${roomId}/messages${query}`);
}

const cookieOf = ({ headers }: { headers: Headers }): string =>
  headers
    .getSetCookie()
    .map((cookie) => cookie.split(";", 1)[0])
    .join("; ");
