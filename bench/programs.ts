import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Subprocess } from "bun";

const ROOT = join(import.meta.dir, "..");
/** Of /proc/PID/stat (`getconf CLK_TCK`): 100 a second on every Linux of today. */
const TICK_MS = 10;
const START_MS = 30_000;
const POLL_MS = 5;
const STOP_MS = 10_000;

/** A server under measurement. */
export interface Program {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Milliseconds from its start to its first good answer. */
  readonly startMs: number;
  /** Milliseconds of CPU that it has used so far, its children included. */
  cpu(): Promise<number>;
  /** Bytes of memory that it holds alone (Pss), its children included. */
  memory(): Promise<number>;
  /** Ends it; once or many times. */
  stop(): Promise<void>;
}

export interface Launch {
  name: string;
  command: string[];
  env?: Record<string, string>;
  /** Where it answers 200 once it is ready: `/health/ready`. */
  readyPath: string;
  port: number;
  cwd?: string;
}

/** Starts the servers, and ends every one that still runs when the benchmarks do. */
export class Programs {
  readonly #running = new Set<Subprocess>();

  /** Foyer as it answers fastest: without limits of rates, and logging only what goes wrong. */
  async foyer(
    databaseUrl: string,
    env: Record<string, string> = {},
    port: number = freePort(),
  ): Promise<Program> {
    return this.start({
      name: "Foyer",
      command: [process.execPath, "src/main.ts"],
      env: {
        DATABASE_URL: databaseUrl,
        PORT: String(port),
        LIMITS: "off",
        LOG_LEVEL: "warn",
        NODE_ENV: "production",
        ...env,
      },
      readyPath: "/health/ready",
      port,
    });
  }

  /**
   * Starts a server and waits until it answers.
   * @throws Error with its last words where it ends or stays silent
   */
  async start({ name, command, env = {}, readyPath, port, cwd = ROOT }: Launch): Promise<Program> {
    const began = performance.now();
    const child = Bun.spawn(command, {
      cwd,
      env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/tmp", ...env },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    this.#running.add(child); // at once: it may be to be ended before it answers
    const words = lastWords(child.stderr);
    const url = `http://127.0.0.1:${port}`;
    for (;;) {
      if (await answers(url + readyPath)) break;
      if (child.exitCode !== null) throw new Error(`${name} does not start: ${await words}`);
      if (performance.now() - began > START_MS) {
        child.kill("SIGKILL");
        throw new Error(`${name} does not answer: ${await words}`);
      }
      await Bun.sleep(POLL_MS);
    }
    const startMs = performance.now() - began;
    return {
      name,
      url,
      pid: child.pid,
      startMs,
      cpu: () => cpuOfTree(child.pid),
      memory: () => sumOver(child.pid, memoryOf),
      stop: async () => {
        this.#running.delete(child);
        await end(child);
      },
    };
  }

  /** Ends all that still run. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map(end));
    this.#running.clear();
  }
}

/** A port that nobody has. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

/** Runs a program to its end. @returns its output @throws Error with its last words where it fails */
export async function run(
  command: string[],
  { env = {}, cwd = ROOT }: { env?: Record<string, string>; cwd?: string } = {},
): Promise<string> {
  const child = Bun.spawn(command, {
    cwd,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, words] = await Promise.all([new Response(child.stdout).text(), lastWords(child.stderr)]);
  if ((await child.exited) !== 0) throw new Error(`${command[0]} failed: ${words || output.slice(-500)}`);
  return output;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // it does not listen yet
  }
}

async function end(child: Subprocess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const killing = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await child.exited;
  clearTimeout(killing);
}

/** Milliseconds of CPU that a process and all its living descendants have used. */
export const cpuOfTree = (pid: number): Promise<number> => sumOver(pid, cpuOf);

/** The end of what a program says. */
async function lastWords(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) text = (text + decoder.decode(chunk, { stream: true })).slice(-2_000);
  return text.trim();
}

/** A figure of a process and all its descendants. */
async function sumOver(pid: number, figure: (pid: number) => Promise<number>): Promise<number> {
  let sum = 0;
  const parents = new Map<number, number[]>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await statOf(Number(name));
    if (stat) parents.set(stat.parent, [...(parents.get(stat.parent) ?? []), Number(name)]);
  }
  for (const queue = [pid]; queue.length > 0; ) {
    const next = queue.pop() as number;
    sum += await figure(next);
    queue.push(...(parents.get(next) ?? []));
  }
  return sum;
}

/** Of /proc/PID/stat (proc(5)); none for a process that has ended. */
async function statOf(pid: number): Promise<{ parent: number; ticks: number } | undefined> {
  try {
    const text = await Bun.file(`/proc/${pid}/stat`).text();
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}

const cpuOf = async (pid: number): Promise<number> => ((await statOf(pid))?.ticks ?? 0) * TICK_MS;

async function memoryOf(pid: number): Promise<number> {
  const text = await Bun.file(`/proc/${pid}/smaps_rollup`)
    .text()
    .catch(() => "");
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
