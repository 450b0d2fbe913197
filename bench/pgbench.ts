import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchDatabase } from "./databases.ts";
import { run } from "./programs.ts";

/**
 * Runs a statement again and again over so many connections, prepared, in one thread: `pgbench -M prepared`.
 * @param script as pgbench takes it
 * @param searchPath the schemas that the script's names are looked up in
 * @param variables of the script, each a parameter of the prepared statement; one that is not set is null
 * @returns transactions a second, and the mean latency in milliseconds
 */
export async function pgbench(
  database: BenchDatabase,
  script: string,
  {
    clients,
    seconds,
    searchPath,
    variables = {},
  }: { clients: number; seconds: number; searchPath: string; variables?: Record<string, string> },
): Promise<{ perSecond: number; mean: number }> {
  const folder = await mkdtemp(join(tmpdir(), "foyer-pgbench-"));
  try {
    const file = join(folder, "script.sql");
    await Bun.write(file, script);
    const output = await run(
      [
        ...["pgbench", "-n", "-M", "prepared", "-c", clients, "-j", 1, "-T", seconds, "-f", file].map(String),
        ...Object.entries(variables).flatMap(([name, value]) => ["-D", `${name}=${value}`]),
      ],
      { env: { ...database.env, PGOPTIONS: `-c search_path=${searchPath} -c jit=off` } },
    );
    return {
      perSecond: figure(output, /^tps = ([\d.]+)/m),
      mean: figure(output, /^latency average = ([\d.]+) ms/m),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function figure(output: string, pattern: RegExp): number {
  const [, found] = pattern.exec(output) ?? [];
  if (found === undefined) throw new Error(`pgbench said something else:\n${output.slice(-500)}`);
  return Number(found);
}
