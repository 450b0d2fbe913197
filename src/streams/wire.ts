import Stream from "@elysiajs/stream";
import type { Wire } from "../live/connection.ts";
import type { Frame } from "../live/frame.ts";

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
export function openWire(
  request: Request,
  server: BunServer | null,
): { wire: StreamWire; response: Response } {
  const stream = new Stream<Uint8Array>();
  const wire = new StreamWire(stream, request, server);
  request.signal.addEventListener("abort", () => wire.abandon());
  return { wire, response: new Response(stream.value, { headers: HEADERS }) };
}

/** One object for each stream, not a closure for each verb: of what stays with ten thousand of them there is to be little. */
class StreamWire implements Wire {
  /** Told when the client has gone. */
  onGone = () => {};
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  #open: boolean;

  constructor(
    private readonly stream: Stream<Uint8Array>,
    private readonly request: Request,
    private readonly server: BunServer | null,
  ) {
    this.#controller = (
      stream as unknown as { controller: ReadableStreamDefaultController<Uint8Array> }
    ).controller;
    this.#open = !request.signal.aborted;
  }

  writable(): boolean {
    return this.#open && (this.#controller.desiredSize ?? 0) > 0;
  }

  send(frame: Frame): void {
    if (this.#open) this.stream.send(frame.sse);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#controller.desiredSize !== null) this.stream.close(); // null: Bun has given it up already
  }

  drop(): void {
    if (!this.#open) return;
    this.close();
    // Nothing that is done to the stream closes a connection whose client does not read; its idle timeout does.
    this.server?.timeout(this.request, 1);
  }

  /** The client has gone: nothing is written any more. */
  abandon(): void {
    this.#open = false;
    this.onGone();
  }
}
