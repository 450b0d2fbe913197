/**
 * Whether a stranger can tell by the clock which handles there are: how long a sign-in with a wrong password takes for
 * somebody there is, for nobody, and for those whose password cannot be right (deactivated; without one).
 *
 *   bun bench/timing.ts [RUNS]
 *
 * All four are asked in turn, so that what slows the machine down slows them all down; what counts is the medians' ratio.
 * No test: on a busy machine even that would fail now and then. tests/auth.test.ts shows the cause, that all hash once.
 * With an embedded Postgres of its own, for the time that it takes. Ends with 1 if a ratio is off by more than 10 %.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../src/config.ts";
import { connect } from "../src/db/client.ts";
import { startEmbedded } from "../src/db/embedded.ts";
import { createLog } from "../src/log.ts";
import { startServer } from "../src/server.ts";

const RUNS = Number(process.argv[2] ?? 200);
const WARM_UP = 10;
const MOST_OFF = 0.1;
const WHO = ["known", "nobody", "deactivated", "without"] as const;
type Who = (typeof WHO)[number];

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;

const folder = await mkdtemp(join(tmpdir(), "foyer-timing-"));
const postgres = await startEmbedded(folder, { info() {}, warn() {} });
const config = readConfig({ PORT: "0", LOG_LEVEL: "silent", LIMITS: "off", PAGE: "off" });
const server = await startServer(config, postgres.connection, createLog("silent"));
const db = connect(postgres.connection, { pool: 1, statementTimeout: 5 });

async function post(path: string, body: object): Promise<number> {
  const response = await fetch(`${server.url}/chat/api${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

for (const handle of ["known", "deactivated", "without"]) {
  await post("/users", { handle, name: handle, password: "correct horse" });
}
await db.sql`update users set deactivated_at = now() where handle = 'deactivated'`;
await db.sql`update users set password_hash = null where handle = 'without'`;

const took: Record<Who, number[]> = { known: [], nobody: [], deactivated: [], without: [] };
for (let run = -WARM_UP; run < RUNS; run++) {
  for (let i = 0; i < WHO.length; i++) {
    const who = WHO[(run + WARM_UP + i) % WHO.length] as Who; // each comes first as often as the others
    const began = performance.now();
    const status = await post("/session", { handle: who, password: "wrong horse" });
    if (status !== 401) throw new Error(`${who}: ${status}`);
    if (run >= 0) took[who].push(performance.now() - began);
  }
}
const known = median(took.known);
let worst = 0;
for (const who of WHO) {
  const ratio = median(took[who]) / known;
  worst = Math.max(worst, Math.abs(ratio - 1));
  console.log(`${who.padEnd(12)} median ${median(took[who]).toFixed(2)} ms  ratio ${ratio.toFixed(3)}`);
}

await db.close();
await server.stop();
await postgres.stop();
await rm(folder, { recursive: true, force: true });
process.exit(worst > MOST_OFF ? 1 : 0);
