import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Caller } from "../auth/queries.ts";
import type { Config } from "../config.ts";
import type { Sql } from "../db/client.ts";
import { problemOf } from "../faults.ts";
import type { Limits } from "../limits/limits.ts";
import { Connection, type Subscription, type Wire } from "../live/connection.ts";
import { type ByeReason, byeFrame, eventFrame } from "../live/frame.ts";
import type { Hub } from "../live/hub.ts";
import type { Log } from "../log.ts";
import { mustBeMember } from "../members/queries.ts";
import { badJson, Problem, problemDocument } from "../problem.ts";
import { integer, nullable } from "../schema.ts";
import type { Typists } from "../typing/typists.ts";

/** Bytes of a client's frame (the contract); Bun answers what is above with the code 1009. */
export const MOST_PAYLOAD = 16 * 1024;
/** Bytes on their way up to which a socket still sends, and hears what its client asks next. */
const MOST_BUFFERED = 64 * 1024;
/** Rooms that one socket brings. */
const MOST_ROOMS = 500;
/** Frames of a client that wait for those before them, and their bytes: all its rooms at once, and some more. */
const MOST_FRAMES = MOST_ROOMS + 100;
const MOST_WAITING = 1024 * 1024;

/** RFC 6455, 7.4.1, and 1013 of its registry (try again later). */
const CODES: Record<ByeReason, number> = {
  "signed-out": 1008,
  removed: 1008,
  shutdown: 1001,
  slow: 1013,
  rotate: 1000,
};
const TOO_MANY = 1013;

const id = integer({ minimum: 1 });
const cursor = Type.Optional(nullable(Type.String()));
const CLIENT_FRAME = Type.Union([
  Type.Object({ subscribe: Type.Literal("rooms"), cursor }),
  Type.Object({ subscribe: Type.Literal("room"), id, cursor }),
  Type.Object({ unsubscribe: Type.Literal("rooms") }),
  Type.Object({ unsubscribe: Type.Literal("room"), id }),
  Type.Object({ typing: id }),
]);
type ClientFrame = Static<typeof CLIENT_FRAME>;

/** Whether it asks for one thing, not for several at once: other fields are ignored, as in a body. */
const isClientFrame = (frame: unknown): frame is ClientFrame =>
  Value.Check(CLIENT_FRAME, frame) &&
  ["subscribe", "unsubscribe", "typing"].filter((verb) => verb in frame).length === 1;

interface Parts {
  hub: Hub;
  db: { sql: Sql };
  callers: { limits: Limits };
  typists: Typists;
  config: Config;
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
  #waitingBytes = 0;
  #onDrained = () => {};
  /** When the client was last heard, and asked for a sign of life (ms). */
  #heard = this.#opened;
  #asked = this.#opened;

  constructor(
    private readonly caller: Caller,
    private readonly parts: Parts,
    /** Told once it has closed. */
    private readonly leaveSeat: () => void,
  ) {}

  open(raw: Raw): void {
    const { caller, parts } = this;
    const wire = { ...wireOf(raw), beat: (now: number) => this.#beat(raw, now) };
    const onEnd = (reason: ByeReason | "gone") => {
      const seconds = Math.round((Date.now() - this.#opened) / 1000);
      parts.log.info({ user: caller.id, reason, seconds }, "socket closed");
    };
    const { id, credential, provenAt, until } = caller;
    this.#connection = new Connection(id, credential, wire, this.#opened, onEnd, provenAt, until, "ws");
    parts.log.info({ user: caller.id }, "socket opened");
    if (!parts.hub.join(this.#connection)) this.#connection.end("signed-out");
  }

  /** One after the other, so that what a client asks for first is done first. */
  message(raw: Raw, message: string | Buffer): void {
    this.#heard = Date.now();
    const bytes = Buffer.byteLength(message);
    if (this.#waiting >= MOST_FRAMES || this.#waitingBytes + bytes > MOST_WAITING) {
      raw.close(TOO_MANY, "too many frames at once");
      return;
    }
    this.#waiting++;
    this.#waitingBytes += bytes;
    this.#handling = this.#handling.then(() => this.#handle(raw, String(message)));
  }

  pong(): void {
    this.#heard = Date.now();
  }

  /** A client that vanished says no goodbye. One that only does not read is cut before, as slow. */
  #beat(raw: Raw, now: number): void {
    const { pingInterval, idleTimeout } = this.parts.config;
    if (now - this.#heard >= 2_000 * idleTimeout) {
      raw.terminate();
    } else if (now - this.#asked >= 1_000 * pingInterval) {
      this.#asked = now;
      raw.ping();
    }
  }

  drain(raw: Raw): void {
    if (!isFull(raw)) this.#onDrained();
  }

  close(): void {
    this.leaveSeat();
    this.#onDrained();
    if (this.#connection) this.parts.hub.leave(this.#connection);
  }

  async #handle(raw: Raw, text: string): Promise<void> {
    // Who does not read the answers is not heard either, or they would pile up.
    if (isFull(raw)) await new Promise<void>((resolve) => (this.#onDrained = resolve));
    let re = JSON.stringify(text);
    try {
      const frame = parse(text);
      if (frame !== undefined) re = text; // as it came
      this.parts.callers.limits.take("frame", this.caller.id);
      if (frame === undefined) throw badJson("The frame");
      if (!isClientFrame(frame)) throw wrongForm();
      await this.#obey(frame);
    } catch (error) {
      this.#refuse(error, re);
    } finally {
      this.#waiting--;
      this.#waitingBytes -= Buffer.byteLength(text);
    }
  }

  async #obey(frame: ClientFrame): Promise<void> {
    const { hub, typists, db } = this.parts;
    const connection = this.#connection;
    if (!connection || connection.ended) return;
    if ("typing" in frame) {
      this.parts.callers.limits.take("typing", this.caller.id);
      return typists.type(this.caller.id, frame.typing);
    }
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

  /** @param re the refused frame, as JSON */
  #refuse(error: unknown, re: string): void {
    const problem = problemOf(error, { path: "/chat/api/ws" }, this.parts.log);
    // No header tells here how long to wait.
    const { retryAfter } = problem.extra;
    const json = `${JSON.stringify({ ...problemDocument(problem), retryAfter })},"re":${re}`;
    this.#connection?.send(eventFrame("error", json), Date.now());
  }
}

const FRAME_FORMS =
  'takes { "subscribe": "rooms", "cursor"? }, { "subscribe": "room", "id", "cursor"? }, { "unsubscribe": "rooms" }, { "unsubscribe": "room", "id" } or { "typing": id }';

const wrongForm = () =>
  new Problem(422, "invalid", `A frame ${FRAME_FORMS}`, { errors: [{ path: "", message: FRAME_FORMS }] });

/** @returns undefined for what is not JSON */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isFull = (raw: Raw): boolean =>
  raw.readyState === WebSocket.OPEN && raw.getBufferedAmount() > MOST_BUFFERED;

const wireOf = (raw: Raw): Wire => ({
  writable: () => raw.readyState === WebSocket.OPEN && !isFull(raw),
  pending: () => (raw.readyState === WebSocket.OPEN ? raw.getBufferedAmount() : 0),
  send(frame) {
    for (const text of frame.ws) raw.sendText(text);
  },
  close: (reason) => raw.close(CODES[reason], reason),
  drop(reason) {
    // Who is only slow may still read why; nobody else is waited for.
    if (reason === "slow") raw.close(CODES.slow, reason);
    else raw.terminate();
  },
});
