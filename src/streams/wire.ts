import Stream from "@elysiajs/stream";
import type { Wire } from "../live/connection.ts";

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no", // nginx would hold events back
};

/** What is used here of Bun's server. */
interface BunServer {
  timeout(request: Request, seconds: number): void;
}

/**
 * A response that stays open, and the wire to write to it.
 *
 * `@elysiajs/stream` carries the bytes, and takes three precautions, each of which tests/wire.test.ts shows: it is fed
 * complete frames as bytes, for its text path sends data that contains "id:" raw; its `value` goes into a Response of
 * our own, for Elysia would format it anew; and its controller is what tells how much has not left yet.
 * @param request whose `signal` tells that the client has gone
 */
export function openWire(request: Request, server: BunServer | null): { wire: Wire; response: Response } {
  const stream = new Stream<Uint8Array>();
  const { controller } = stream as unknown as { controller: ReadableStreamDefaultController<Uint8Array> };
  let open = !request.signal.aborted;
  request.signal.addEventListener("abort", () => {
    open = false;
  });
  const wire: Wire = {
    writable: () => open && (controller.desiredSize ?? 0) > 0,
    send(frame) {
      if (open) stream.send(frame.sse);
    },
    close() {
      if (!open) return;
      open = false;
      if (controller.desiredSize !== null) stream.close(); // null: Bun has given it up already
    },
    drop() {
      if (!open) return;
      open = false;
      if (controller.desiredSize !== null) stream.close();
      // Nothing that is done to the stream closes a connection whose client does not read; its idle timeout does.
      server?.timeout(request, 1);
    },
  };
  return { wire, response: new Response(stream.value, { headers: HEADERS }) };
}
