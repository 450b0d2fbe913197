import { readFileSync } from "node:fs";

/** The bare Bun: answers the bytes of the file BODY, whatever it is asked, on PORT. */
const body = readFileSync(process.env.BODY ?? "");

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch: () => new Response(body, { headers: { "content-type": "application/json" } }),
});
