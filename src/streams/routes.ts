import { Elysia, t } from "elysia";
import { type Callers, guard } from "../auth/guard.ts";
import type { Caller } from "../auth/queries.ts";
import type { Config } from "../config.ts";
import type { Database } from "../db/client.ts";
import { Connection } from "../live/connection.ts";
import { type ByeReason, Frame, PING, retryFrame } from "../live/frame.ts";
import type { Hub } from "../live/hub.ts";
import type { Log } from "../log.ts";
import { mustBeMember } from "../members/queries.ts";
import { unauthenticated, unavailable, upgradeRequired } from "../problem.ts";
import { pathId } from "../schema.ts";
import type { Typists } from "../typing/typists.ts";
import { Socket } from "./socket.ts";
import { openWire } from "./wire.ts";

const cursor = t.Object({
  cursor: t.Optional(t.String({ description: "For a first connect after a GET; Last-Event-ID wins" })),
});

/** What is used here of a request's context. */
interface Context {
  request: Request;
  server: Bun.Server<unknown> | null;
  caller: Caller;
  query: { cursor?: string };
}

/** The room list and each room's timeline, live: as Server-Sent Events, or all of them over one WebSocket. */
export function streamRoutes(parts: {
  hub: Hub;
  db: Database;
  callers: Callers;
  config: Config;
  log: Log;
  typists: Typists;
}) {
  const { hub, db, callers, config, log } = parts;

  const mustBeReady = () => {
    if (!hub.ready) throw unavailable("Streams cannot be served right now. Come back in a moment.");
  };

  /**
   * A stream of Server-Sent Events. What outlives it holds nothing of the request's context: that is more than the rest
   * of a stream.
   * @param room whose timeline it brings; left out: the room list
   */
  function openStream({ request, server, caller, query }: Context, room?: number): Response {
    mustBeReady();
    const { wire, response } = openWire(request, server);
    // One whose client has gone already, or that asks for the headers alone, registers nothing.
    if (request.signal.aborted || request.method === "HEAD") return response;
    const leaveSeat = callers.limits.seats.take(caller.id);
    const opened = Date.now();
    const cursor = request.headers.get("last-event-id") || query.cursor || "";
    const onEnd = (reason: ByeReason | "gone") => {
      leaveSeat();
      const seconds = Math.round((Date.now() - opened) / 1000);
      log.info({ user: caller.id, room, reason, seconds }, "stream closed");
    };
    const { id, credential, provenAt, until } = caller;
    const connection = new Connection(
      id,
      credential,
      wire,
      opened,
      onEnd,
      provenAt,
      until,
      room === undefined ? "rooms" : "room",
    );
    if (!hub.join(connection)) {
      leaveSeat();
      throw unauthenticated();
    }
    // A ping at once: where it does not arrive, something on the way holds the stream back, and the client can tell.
    wire.send(Frame.together([retryFrame(), PING]));
    log.info({ user: caller.id, room, resumed: cursor !== "" }, "stream opened");
    wire.onGone = () => hub.leave(connection);
    if (room === undefined) hub.openList(connection, cursor);
    else hub.openTimeline(connection, room, cursor, () => hub.end(connection, "removed"));
    return response;
  }

  return new Elysia({ tags: ["Streams"] })
    .use(guard(callers, config))
    .get("/stream/rooms", (context) => openStream(context), {
      query: cursor,
      detail: { summary: "The room list, live: Server-Sent Events `rooms`, `ping`, `bye`" },
    })
    .get(
      "/stream/rooms/:id",
      async (context) => {
        mustBeReady();
        const roomId = pathId(context.params.id, "room");
        await mustBeMember(db.sql, context.caller.id, roomId);
        return openStream(context, roomId);
      },
      {
        query: cursor,
        detail: {
          summary: "A room's timeline, live: Server-Sent Events `messages`, `typing`, `read`, `ping`, `bye`",
        },
      },
    )
    .get(
      "/ws",
      ({ request, server, caller, set }) => {
        mustBeReady();
        const leaveSeat = callers.limits.seats.take(caller.id);
        set.status = 101; // for the log line
        if (!server?.upgrade(request, { data: new Socket(caller, parts, leaveSeat) })) {
          leaveSeat();
          throw upgradeRequired();
        }
      },
      { detail: { summary: "All of it over one WebSocket" } },
    );
}
