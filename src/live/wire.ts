import Stream from "@elysiajs/stream";
import type { Wire } from "./subscriber.ts";

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no", // nginx would hold events back
};

/**
 * A response that stays open, and the wire to write to it.
 *
 * `@elysiajs/stream` carries the bytes, and takes three precautions, each of which tests/wire.test.ts shows: it is fed
 * complete frames as bytes, for its text path sends data that contains "id:" raw; its `value` goes into a Response of
 * our own, for Elysia would format it anew; and its controller is what tells how much has not left yet.
 * @param request whose `signal` tells that the client has gone
 */
export function openWire(request: Request): { wire: Wire; response: Response } {
  const stream = new Stream<Uint8Array>();
  const { controller } = stream as unknown as { controller: ReadableStreamDefaultController<Uint8Array> };
  let open = !request.signal.aborted;
  request.signal.addEventListener("abort", () => {
    open = false;
  });
  const wire: Wire = {
    writable: () => open && (controller.desiredSize ?? 0) > 0,
    send(frame) {
      if (open) stream.send(frame);
    },
    close() {
      if (!open) return;
      open = false;
      stream.close();
    },
    drop() {
      if (!open) return;
      open = false;
      controller.error(new Error("dropped"));
    },
  };
  return { wire, response: new Response(stream.value, { headers: HEADERS }) };
}
