import { spawn } from "node:child_process";
import { chown, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "./errors.ts";
import type { Binaries, Runner } from "./postgres-binaries.ts";

/** The major version of the binaries that package.json pins. */
const MAJOR = "18";

/**
 * Makes the cluster if it is not there. It comes into being under another name and is renamed once it is whole, so
 * that a kill in the middle leaves nothing that looks like one, and of two that start at once one gives way.
 * @throws Error for a cluster of another major version, or with what initdb said
 */
export async function ensureCluster(
  cluster: string,
  binaries: Binaries,
  runner: Runner,
  user: string,
): Promise<void> {
  const version = await readFile(join(cluster, "PG_VERSION"), "utf8").catch((error) => {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  });
  if (version !== null) {
    if (version.trim() === MAJOR) return;
    throw new Error(
      `${cluster} is of Postgres ${version.trim()}, and this program brings Postgres ${MAJOR}; upgrade it with pg_upgrade or a dump, or set DATA_DIR to another folder.`,
    );
  }
  await removeLeftovers(cluster);
  const unfinished = `${cluster}.new-${process.pid}`;
  await mkdir(unfinished, { mode: 0o700 });
  if (runner.uid !== undefined) await chown(unfinished, runner.uid, runner.gid ?? 0);
  await run(
    runner.command([
      ...[binaries.initdb, "-D", unfinished, "-U", user, "-A", "trust", "-E", "UTF8"],
      // Postgres's own rules of text, the same on every machine, whatever locales that has.
      ...["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"],
    ]),
    binaries.environment,
  );
  await rename(unfinished, cluster).catch(async (error) => {
    if (!["ENOTEMPTY", "EEXIST"].includes(codeOf(error))) throw error;
    await rm(unfinished, { recursive: true }); // the other one's is as good
  });
}

/** Removes what a process that is no more has left half-made. */
async function removeLeftovers(cluster: string): Promise<void> {
  for (const name of await readdir(dirname(cluster))) {
    const [, pid] = new RegExp(`^${basename(cluster)}\\.new-(\\d+)$`).exec(name) ?? [];
    if (!pid) continue;
    try {
      process.kill(Number(pid), 0);
      if (Number(pid) !== process.pid) continue; // somebody is at it
    } catch (error) {
      if (codeOf(error) !== "ESRCH") continue;
    }
    await rm(join(dirname(cluster), name), { recursive: true, force: true });
  }
}

async function run([command, ...args]: string[], env: Record<string, string>): Promise<void> {
  const child = spawn(command as string, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (status !== 0) throw new Error(`initdb failed:\n  ${output.trim().split("\n").slice(-5).join("\n  ")}`);
}
