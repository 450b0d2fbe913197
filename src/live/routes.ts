import { Elysia, t } from "elysia";
import { type Callers, guard } from "../auth/guard.ts";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { unauthenticated, unavailable } from "../problem.ts";
import type { Hub } from "./hub.ts";
import { retryFrame } from "./sse.ts";
import { Subscriber } from "./subscriber.ts";
import { openWire } from "./wire.ts";

/** `GET /stream/rooms`: the room list, live. */
export const streamRoutes = ({
  hub,
  callers,
  config,
  log,
}: {
  hub: Hub;
  callers: Callers;
  config: Config;
  log: Log;
}) =>
  new Elysia({ prefix: "/stream", tags: ["Streams"] }).use(guard(callers, config)).get(
    "/rooms",
    ({ request, server, caller, query }) => {
      if (!hub.ready) throw unavailable("Streams cannot be served right now. Come back in a moment.");
      const { wire, response } = openWire(request, server);
      // One whose client has gone already, or that asks for the headers alone, registers nothing.
      if (request.signal.aborted || request.method === "HEAD") return response;
      const opened = Date.now();
      const cursor = request.headers.get("last-event-id") || query.cursor || "";
      const stream = new Subscriber(caller.id, caller.credential, cursor, wire, opened, (reason) => {
        const seconds = Math.round((Date.now() - opened) / 1000);
        log.info({ user: caller.id, reason, seconds }, "stream closed");
      });
      wire.send(retryFrame());
      if (!hub.join(stream)) throw unauthenticated();
      log.info({ user: caller.id, resumed: cursor !== "" }, "stream opened");
      request.signal.addEventListener("abort", () => hub.leave(stream));
      return response;
    },
    {
      query: t.Object({
        cursor: t.Optional(t.String({ description: "For a first connect after a GET; Last-Event-ID wins" })),
      }),
      detail: { summary: "The room list, live: Server-Sent Events `rooms`, `ping`, `bye`" },
    },
  );
