import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Caller } from "../auth/queries.ts";
import type { Sql } from "../db/client.ts";
import { problemOf } from "../faults.ts";
import { Connection, type Subscription, type Wire } from "../live/connection.ts";
import { type ByeReason, byeFrame, eventFrame } from "../live/frame.ts";
import type { Hub } from "../live/hub.ts";
import type { Log } from "../log.ts";
import { mustBeMember } from "../members/queries.ts";
import { badJson, invalid, Problem, problemDocument } from "../problem.ts";
import { integer } from "../schema.ts";
import type { Typists } from "../typing/typists.ts";

/** Bytes of a client's frame (the contract). */
const MOST_BYTES = 16 * 1024;
/** Bytes that Bun itself takes in; what is above closes the connection without a word. */
export const MOST_PAYLOAD = 16 * MOST_BYTES;
/** Bytes on their way up to which a socket still takes frames. */
const MOST_BUFFERED = 64 * 1024;
/** Bytes at which Bun takes no more: only a client that asks and asks and does not read gets there. */
export const BACKPRESSURE_LIMIT = 1024 * 1024;
/** Frames of a client that wait for those before them. */
const MOST_FRAMES = 100;
/** Rooms that one socket brings. */
const MOST_ROOMS = 500;

/** RFC 6455, 7.4.1, and 1013 of its registry (try again later). */
const CODES: Record<ByeReason | "gone", number> = {
  "signed-out": 1008,
  removed: 1008,
  shutdown: 1001,
  slow: 1013,
  rotate: 1000,
  gone: 1000,
};
const TOO_LARGE = 1009;
const TOO_MANY = 1008;

const id = integer({ minimum: 1 });
const cursor = Type.Optional(Type.String());
const CLIENT_FRAME = Type.Union([
  Type.Object({ subscribe: Type.Literal("rooms"), cursor }),
  Type.Object({ subscribe: Type.Literal("room"), id, cursor }),
  Type.Object({ unsubscribe: Type.Literal("rooms") }),
  Type.Object({ unsubscribe: Type.Literal("room"), id }),
  Type.Object({ typing: id }),
]);
type ClientFrame = Static<typeof CLIENT_FRAME>;

interface Parts {
  hub: Hub;
  db: { sql: Sql };
  typists: Typists;
  log: Log;
}

type Raw = Bun.ServerWebSocket<unknown>;

/**
 * One client's WebSocket: the room list and any number of rooms, by the same hub and the same frames as the streams.
 * Its methods are what Bun calls (Elysia hands each call to the socket's `data`).
 */
export class Socket {
  readonly #opened = Date.now();
  #connection: Connection | undefined;
  #list: Subscription | undefined;
  readonly #rooms = new Map<number, Subscription>();
  #handling = Promise.resolve();
  #waiting = 0;

  constructor(
    private readonly caller: Caller,
    private readonly parts: Parts,
  ) {}

  open(raw: Raw): void {
    const { caller, parts } = this;
    this.#connection = new Connection(caller.id, caller.credential, wireOf(raw), this.#opened, (reason) => {
      const seconds = Math.round((Date.now() - this.#opened) / 1000);
      parts.log.info({ user: caller.id, reason, seconds }, "socket closed");
    });
    parts.log.info({ user: caller.id }, "socket opened");
    if (!parts.hub.join(this.#connection)) this.#connection.end("signed-out");
  }

  /** One after the other, so that what a client asks for first is done first. */
  message(raw: Raw, message: string | Buffer): void {
    if (Buffer.byteLength(message) > MOST_BYTES) {
      raw.close(TOO_LARGE, "a frame takes up to 16 KiB");
      return;
    }
    if (this.#waiting >= MOST_FRAMES) {
      raw.close(TOO_MANY, "too many frames at once");
      return;
    }
    this.#waiting++;
    this.#handling = this.#handling.then(() => this.#handle(String(message)));
  }

  close(): void {
    if (this.#connection) this.parts.hub.leave(this.#connection);
  }

  async #handle(text: string): Promise<void> {
    let frame: unknown = text;
    try {
      frame = parse(text);
      if (!Value.Check(CLIENT_FRAME, frame)) throw invalid("", FRAME_FORMS);
      await this.#obey(frame);
    } catch (error) {
      this.#refuse(error, frame);
    } finally {
      this.#waiting--;
    }
  }

  async #obey(frame: ClientFrame): Promise<void> {
    const { hub, typists, db } = this.parts;
    const connection = this.#connection;
    if (!connection || connection.ended) return;
    if ("typing" in frame) return typists.type(this.caller.id, frame.typing);
    if ("unsubscribe" in frame) return this.#forget(frame.unsubscribe === "room" ? frame.id : null);

    const from = frame.cursor ?? "";
    if (frame.subscribe === "rooms") {
      this.#forget(null); // the same again begins anew
      this.#list = hub.openList(connection, from);
      return;
    }
    const { id } = frame;
    await mustBeMember(db.sql, this.caller.id, id);
    this.#forget(id);
    if (this.#rooms.size >= MOST_ROOMS) {
      throw new Problem(
        409,
        "too-many-subscriptions",
        `One socket brings ${MOST_ROOMS} rooms; unsubscribe first.`,
      );
    }
    this.#rooms.set(
      id,
      hub.openTimeline(connection, id, from, () => {
        this.#forget(id);
        connection.send(byeFrame("removed", id), Date.now());
      }),
    );
  }

  /** @param roomId null: the list */
  #forget(roomId: number | null): void {
    const subscription = roomId === null ? this.#list : this.#rooms.get(roomId);
    if (roomId === null) this.#list = undefined;
    else this.#rooms.delete(roomId);
    if (subscription) this.parts.hub.close(subscription);
  }

  #refuse(error: unknown, frame: unknown): void {
    const problem = problemOf(error, { path: "/chat/api/ws" }, this.parts.log);
    const json = `${JSON.stringify(problemDocument(problem))},"re":${JSON.stringify(frame)}`;
    this.#connection?.send(eventFrame("error", json), Date.now());
  }
}

const FRAME_FORMS =
  'takes { "subscribe": "rooms", "cursor"? }, { "subscribe": "room", "id", "cursor"? }, { "unsubscribe": "rooms" }, { "unsubscribe": "room", "id" } or { "typing": id }';

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badJson("The frame");
  }
}

const wireOf = (raw: Raw): Wire => ({
  writable: () => raw.readyState === WebSocket.OPEN && raw.getBufferedAmount() <= MOST_BUFFERED,
  send(frame) {
    // 0: not taken in. Nothing may be missing in between, so that is the end.
    for (const text of frame.ws) {
      if (raw.readyState === WebSocket.OPEN && raw.sendText(text) === 0) raw.close(CODES.slow, "slow");
    }
  },
  close: (reason) => raw.close(CODES[reason], reason),
  drop(reason) {
    // Who is only slow may still read why; nobody else is waited for.
    if (reason === "slow") raw.close(CODES.slow, reason);
    else raw.terminate();
  },
});
