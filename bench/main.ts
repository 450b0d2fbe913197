import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync } from "node:fs";
import { rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { tryLock } from "../src/db/lock.ts";
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
import { complaint } from "./tools.ts";

const ALL: Bench[] = [list, growth, backlog, sends, fanout, screen, streams, start];
const NAMES = ALL.map(({ name }) => name);
const ROOT = join(import.meta.dir, "..");
const FASTIFY = join(import.meta.dir, "peers/fastify");
/** Bytes that a full run fills, at most. */
const FULL_BYTES = 15e9;

const say = (line: string) => process.stderr.write(`${line}\n`);

function fail(message: string, status: number): never {
  say(`bench: ${message}`);
  process.exit(status);
}

const told = (error: unknown) => (error instanceof Error ? error.message : String(error));

function settings() {
  try {
    return readOptions(process.argv.slice(2), NAMES);
  } catch (error) {
    if (error instanceof OptionError) fail(error.message, 2);
    throw error;
  }
}

const options = settings();
if (options.help) {
  process.stdout.write(help(NAMES));
  process.exit(0);
}
const benches = ALL.filter(({ name }) => options.only?.includes(name) ?? true);
const tools = new Set(benches.flatMap(({ needs }) => needs));
const lacking = await complaint(tools);
if (lacking) fail(lacking, 1);

/** A folder that can be written to, made if there is none. */
function writable(option: string, folder: string): string {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    fail(`${option}=${folder}: cannot be written to (${(error as NodeJS.ErrnoException).code})`, 2);
  }
  return resolve(folder);
}

const results = options.out === null ? null : writable("--out", options.out);
const kept = options.data === null ? null : writable("--data", options.data);
const temporary = tmpdir();
const work = mkdtempSync(join(temporary, "foyer-bench-"));
chmodSync(work, 0o711); // Postgres, which is not root, has its data beneath
process.env.TMPDIR = work; // whatever is temporary goes with it

const programs = new Programs();
let databases: Databases | undefined;
let closing: Promise<void> | undefined;
let isBrokenOff = false;

/** Ends and removes all that was started and made, once. */
function close(): Promise<void> {
  closing ??= (async () => {
    await programs.stopAll();
    await databases?.stop();
    await rm(work, { recursive: true, force: true });
  })();
  return closing;
}
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, async () => {
    isBrokenOff = true;
    await close();
    fail("broken off", 130);
  });
}

const context: Omit<Context, "databases"> = {
  quick: options.quick,
  programs,
  progress(label, turns) {
    const place = benches.findIndex(({ name }) => name === label) + 1;
    const bar = new Progress(`${label} (${place} of ${benches.length})`, turns);
    let done = 0;
    return () => bar.to(++done);
  },
};

async function fillBy(label: string, args: string[], env: Record<string, string>): Promise<void> {
  say(label);
  const filling = Bun.spawn([process.execPath, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await filling.exited) !== 0) throw new Error(`${label}: the fill failed`);
}

/** The folder of the databases, in which nobody else measures. */
async function claim(): Promise<string> {
  if (kept === null) {
    const { bavail, bsize } = await statfs(work);
    const free = Math.round((bavail * bsize) / 1e9);
    if (!options.quick && bavail * bsize < FULL_BYTES) {
      throw new Error(`${temporary} has ${free} GB free, and a full run may need 15: use --data FOLDER`);
    }
    return join(work, "data");
  }
  // Held as long as this process lives.
  if (tryLock(join(kept, "bench.lock")) === null) throw new Error(`another run uses ${kept}`);
  return kept;
}

async function measure(): Promise<string> {
  const began = performance.now();
  const folder = await claim();
  await run([process.execPath, "install", "--frozen-lockfile", "--silent", "--cwd", FASTIFY]);
  databases = await Databases.start(folder, fillBy);
  const tables: Table[] = [];
  for (const bench of benches) tables.push(...(await bench.measure({ ...context, databases })));
  const seconds = (performance.now() - began) / 1000;
  const isWhole = !options.quick && options.only === null;
  const out = results ?? (isWhole ? import.meta.dir : mkdtempSync(join(temporary, "foyer-results-")));
  const flags = [...(options.quick ? ["--quick"] : []), ...(options.only ? [`--only ${options.only}`] : [])];
  const text = toMarkdown(tables, {
    command: ["bun run bench", ...flags].join(" "),
    isQuick: options.quick,
    date: new Date().toISOString().slice(0, 10),
    minutes: Math.ceil(seconds / 60),
    machine: await describeMachine(databases.version, tools),
  });
  await Bun.write(join(out, "RESULTS.md"), text);
  const svg = toSvg(tables);
  if (svg) await Bun.write(join(out, "results.svg"), svg);
  const rows = tables.flatMap(({ rows }) => rows);
  const targets = rows.filter(({ target }) => target);
  const missed = targets.filter((row) => !reaches(row));
  return `${rows.length} ratios in ${duration(seconds)}; ${missed.length} of ${targets.length} with a target miss it: ${join(out, "RESULTS.md")}`;
}

try {
  const summary = await measure();
  await close();
  say(summary);
} catch (error) {
  await close();
  if (!isBrokenOff) fail(told(error), 1);
}
process.exit(isBrokenOff ? 130 : 0);
