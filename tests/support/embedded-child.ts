import { startEmbedded } from "../../src/db/embedded.ts";

// A process with the embedded Postgres of the folder that it is given: it says what it got, as a line of JSON, stops when
// its input ends, and can be killed.
const log = { info() {}, warn() {} };
try {
  const embedded = await startEmbedded(process.argv[2] as string, log);
  console.log(JSON.stringify(embedded));
  for await (const _ of Bun.stdin.stream());
  await embedded.stop();
  process.exit(0);
} catch (error) {
  console.log(JSON.stringify({ error: String(error) }));
  process.exit(1);
}
