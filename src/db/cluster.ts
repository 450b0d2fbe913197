import { lstat, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Account, type Programs, preparePrograms } from "./programs.ts";

const WORDS = 2_000; // characters of what a program said, in an error

export const clusterIn = (home: string): string => join(home, "postgres");

/** Run once, in the new cluster. */
const FIRST_WORDS = [
  "create database foyer",
  // A statement that fails is told to whoever sent it. In the log its message would quote what people wrote.
  "alter role foyer set log_min_messages = log",
];

/**
 * Sees that a cluster is there that the programs can run, and makes one if there is none.
 * @param lock held by initdb as well, should we be killed meanwhile
 * @throws Error for the data of another major version, or with what initdb said
 */
export async function prepareCluster(home: string, lock: number): Promise<Programs> {
  const cluster = clusterIn(home);
  const programs = await preparePrograms(home, cluster);
  const { account, major } = programs;
  if (!(await lstat(cluster).catch(() => null))) await createCluster(home, lock, programs);

  const made = (await readIfThere(join(cluster, "PG_VERSION"))).trim();
  if (made === "") throw new Error(`${cluster} is no Postgres cluster (it has no PG_VERSION). Move it away.`);
  if (made !== major) {
    throw new Error(
      `The data in ${cluster} was made by Postgres ${made}, and this is Postgres ${major}. ` +
        `Dump it with Postgres ${made} and restore it, or set DATABASE_URL to a Postgres ${made}.`,
    );
  }
  // As root restores it from a backup, for example.
  if (account && (await stat(cluster)).uid === 0) await give(cluster, account);
  return programs;
}

/** @returns "" if there is no such file */
export async function readIfThere(file: string): Promise<string> {
  return await readFile(file, "utf8").catch((error) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

/** Makes it aside and moves it into place once it is whole. */
async function createCluster(home: string, lock: number, programs: Programs): Promise<void> {
  const aside = join(home, "postgres.new");
  await rm(aside, { recursive: true, force: true });
  await mkdir(aside, { mode: 0o700 });
  if (programs.account) await give(aside, programs.account);

  const run = async (program: "initdb" | "postgres", args: string[], input: string): Promise<void> => {
    const child = programs.spawn(program, args, { stdio: [new Blob([input]), "pipe", "pipe", lock] });
    const output = [child.stdout, child.stderr].map((stream) =>
      new Response(stream as ReadableStream).text(),
    );
    if ((await child.exited) === 0) return;
    const words = (await Promise.all(output)).join("").trim().slice(-WORDS);
    throw new Error(`${program} cannot make a database in ${aside}:\n${words}`);
  };
  await run(
    "initdb",
    [
      ...["-D", aside, "--username=foyer", "--encoding=UTF8"],
      // The same order and case everywhere, whatever the system's libraries say.
      ...["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
      // The socket's folder is open to Postgres's own user alone, who may do anything to the files anyway. Not "peer":
      // as root we are another user than Postgres is.
      ...["--auth-local=trust", "--auth-host=reject"],
    ],
    "",
  );
  await run("postgres", ["--single", "-j", "-D", aside, "postgres"], FIRST_WORDS.join(";\n\n"));

  await rename(aside, clusterIn(home));
  const folder = await open(home);
  await folder.sync(); // or a power cut takes the name back
  await folder.close();
}

async function give(folder: string, { uid, gid }: Account): Promise<void> {
  await Bun.$`chown -R -h ${uid}:${gid} ${folder}`.quiet();
}
