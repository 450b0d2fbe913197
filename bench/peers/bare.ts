/**
 * The ceiling of the streams: what Bun allows where nothing is looked up, checked, kept or encoded. Bytes that are posted
 * to /publish go out as they are on every stream of /stream; nobody is asked who they are.
 *
 *   PORT=3000 bun bench/peers/bare.ts
 */
const PING_MS = 15_000;
const encoder = new TextEncoder();
/** As Foyer begins a stream; the id stands for the first answer. */
const BEGINNING = encoder.encode("retry: 3000\n\nevent: ping\ndata: {}\n\nid: 0\n\n");
const PING = encoder.encode("event: ping\ndata: {}\n\n");

type Controller = ReadableStreamDefaultController<Uint8Array>;
const streams = new Set<Controller>();

function tellAll(bytes: Uint8Array): void {
  for (const stream of streams) stream.enqueue(bytes);
}

function open(): Response {
  let mine: Controller;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      mine = controller;
      streams.add(controller);
      controller.enqueue(BEGINNING);
    },
    cancel: () => void streams.delete(mine),
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" },
  });
}

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  idleTimeout: 255,
  routes: {
    "/health/ready": new Response("ready"),
    "/stream": open,
    "/publish": {
      async POST(request) {
        tellAll(await request.bytes());
        return new Response(null, { status: 201 });
      },
    },
  },
});
setInterval(() => tellAll(PING), PING_MS);
