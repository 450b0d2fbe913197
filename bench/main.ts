import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duration, Progress } from "../src/demo/progress.ts";
import type { Bench, Context, Table } from "./bench.ts";
import { backlog } from "./benches/backlog.ts";
import { fanout } from "./benches/fanout.ts";
import { growth } from "./benches/growth.ts";
import { list } from "./benches/list.ts";
import { screen } from "./benches/screen.ts";
import { sends } from "./benches/sends.ts";
import { start } from "./benches/start.ts";
import { streams } from "./benches/streams.ts";
import { Databases } from "./databases.ts";
import { describeMachine } from "./machine.ts";
import { help, OptionError, readOptions } from "./options.ts";
import { toSvg } from "./picture.ts";
import { Programs, run } from "./programs.ts";
import { reaches, toMarkdown } from "./report.ts";
import { missingPackages } from "./tools.ts";

const BENCHES: Bench[] = [list, growth, backlog, sends, fanout, screen, streams, start];
const names = BENCHES.map(({ name }) => name);
const FASTIFY = join(import.meta.dir, "peers/fastify");

const say = (line: string) => process.stderr.write(`${line}\n`);

function fail(message: string, status: number): never {
  say(`bench: ${message}`);
  process.exit(status);
}

function settings() {
  try {
    return readOptions(process.argv.slice(2), names);
  } catch (error) {
    if (error instanceof OptionError) fail(error.message, 2);
    throw error;
  }
}

const options = settings();
if (options.help) {
  process.stdout.write(help(names));
  process.exit(0);
}
const missing = await missingPackages();
if (missing.length > 0) {
  fail(
    `programs are missing that Foyer is measured with. On Debian: apt-get install ${missing.join(" ")}`,
    1,
  );
}

const began = performance.now();
const partial = options.quick || options.only !== null;
const out = options.out ?? (partial ? await mkdtemp(join(tmpdir(), "foyer-results-")) : import.meta.dir);
const folder = options.data ?? (await mkdtemp(join(tmpdir(), "foyer-bench-")));
await run([process.execPath, "install", "--frozen-lockfile", "--silent", "--cwd", FASTIFY]);

const databases = await Databases.start(folder, async (label, args, env) => {
  say(label);
  const filling = Bun.spawn([process.execPath, ...args], {
    cwd: join(import.meta.dir, ".."),
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await filling.exited) !== 0) throw new Error(`${label}: the fill failed`);
});
const programs = new Programs();
const context: Context = {
  quick: options.quick,
  databases,
  programs,
  progress(label, turns) {
    const bar = new Progress(label, turns);
    let done = 0;
    return () => bar.to(++done);
  },
};

async function close(): Promise<void> {
  await programs.stopAll();
  await databases.stop(options.data === null);
}
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, async () => {
    await close();
    fail("broken off", 130);
  });
}

const tables: Table[] = [];
try {
  for (const bench of BENCHES) {
    if (options.only && !options.only.includes(bench.name)) continue;
    tables.push(...(await bench.measure(context)));
  }
} catch (error) {
  await close();
  fail((error as Error).message, 1);
}
const seconds = (performance.now() - began) / 1000;
const flags = [...(options.quick ? ["--quick"] : []), ...(options.only ? [`--only ${options.only}`] : [])];
await Bun.write(
  join(out, "RESULTS.md"),
  toMarkdown(tables, {
    command: ["bun run bench", ...flags].join(" "),
    date: new Date().toISOString().slice(0, 10),
    minutes: Math.ceil(seconds / 60),
    machine: await describeMachine(databases.version),
  }),
);
await Bun.write(join(out, "results.svg"), toSvg(tables));
await close();

const rows = tables.flatMap(({ rows }) => rows);
const missed = rows.filter((row) => !reaches(row));
say(
  `${rows.length} ratios in ${duration(seconds)}, ${missed.length} of them short of their target: ${join(out, "RESULTS.md")}`,
);
process.exit(0);
