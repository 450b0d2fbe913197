import { expect, test } from "bun:test";
import { join } from "node:path";
import type { Row, Table } from "../bench/bench.ts";
import { type Contestant, interleave, median, percentile, ratio } from "../bench/contest.ts";
import { Listeners, markOf } from "../bench/listeners.ts";
import { OptionError, readOptions } from "../bench/options.ts";
import { askPatiently } from "../bench/patient.ts";
import { toSvg } from "../bench/picture.ts";
import { toMarkdown } from "../bench/report.ts";

const ROOT = join(import.meta.dir, "..");

/** Contestants that note who ran, and answer what is given. */
function contestants(figures: Record<string, number[]>) {
  const turns: string[] = [];
  const all: Contestant[] = Object.entries(figures).map(([name, values]) => ({
    name,
    async run() {
      turns.push(name);
      return { perSecond: values[turns.filter((turn) => turn === name).length - 1] ?? Number.NaN };
    },
  }));
  return { all, turns };
}

test("contestants take turns, and every round begins with another one", async () => {
  const { all, turns } = contestants({ a: [1, 1, 1], b: [1, 1, 1], c: [1, 1, 1] });
  await interleave(all, 3);
  expect(turns.join("")).toBe("abcbcacab");
});

test("a ratio is taken round by round, so that a slow minute of the machine does not count", async () => {
  const { all } = contestants({ ours: [200, 20, 220], theirs: [100, 10, 100] });
  const samples = await interleave(all, 3);
  expect(ratio(samples, "ours", "theirs", "perSecond")).toEqual({
    median: 2,
    least: 2,
    most: 2.2,
    rounds: 3,
  });
});

test("a turn that fails, or that has no such figure, ends the run with the contestant's name", async () => {
  const { all } = contestants({ ours: [1], theirs: [] });
  const samples = await interleave(all, 1);
  expect(() => ratio(samples, "ours", "theirs", "perSecond")).toThrow("no perSecond of ours and theirs");
  expect(() => ratio(samples, "ours", "nobody", "perSecond")).toThrow("nobody");
  const failing = { name: "the peer", run: () => Promise.reject(new Error("is down")) };
  expect(interleave([failing], 1)).rejects.toThrow("the peer, round 1: is down");
});

test("the middle and the percentiles of what was measured", () => {
  expect(median([1, 2, 10])).toBe(2);
  expect(median([1, 2, 4, 10])).toBe(3);
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  expect([0.5, 0.99, 1, 0].map((share) => percentile(hundred, share))).toEqual([50, 99, 100, 1]);
});

test("who answers slowly is waited for, and what it still owes at the end does not count", async () => {
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    fetch: ({ url }) => {
      if (url.endsWith("/broken")) return new Response("", { status: 500 });
      return ++asked <= 5 ? new Response("ok") : new Promise<Response>(() => {});
    },
  });
  const load = await askPatiently(server.url.href, { connections: 3, seconds: 0.05 }, 5);
  expect(load).toMatchObject({ requests: 5, p50: expect.any(Number), p99: expect.any(Number) });
  expect(load.perSecond).toBeGreaterThan(0);
  const broken = askPatiently(`${server.url}broken`, { connections: 3, seconds: 0.05 }, 1);
  expect(broken).rejects.toThrow("answered 500");
  await broken.catch(() => {});
  await server.stop(true);
});

const row = (what: string, median: number, rest: Partial<Row> = {}): Row => ({
  what,
  against: "a peer",
  ratio: { median, least: median * 0.9, most: median * 1.1, rounds: 5 },
  better: "more",
  ...rest,
});
const about = { command: "bun run bench", isQuick: false, date: "2026-01-01", minutes: 40, machine: [] };

test("the results say of every target that is missed by how much, and why", () => {
  const text = toMarkdown(
    [
      {
        title: "Speed",
        about: "How.",
        rows: [
          row("sends", 4, { target: { least: 5 }, why: "The disk." }),
          row("inserts", 3, { target: { least: 5 }, why: "The disk." }),
          row("latency", 3, { better: "less", target: { most: 1.5 } }),
          row("lists", 250, { target: { least: 200 } }),
          row("other", 1, { ratio: { median: 1, least: 1, most: 1, rounds: 1 } }),
        ],
      },
    ],
    about,
  );
  expect(text).toContain("| sends ↑ | a peer | **4.00** (3.60 to 4.40) | ≥ 5 | missed |");
  expect(text).toContain(
    "- Missed: sends, against a peer (4.00, ≥ 5); inserts, against a peer (3.00, ≥ 5). The disk.\n",
  );
  expect(text).toContain("- Missed: latency, against a peer (3.00, ≤ 1.5). Not explained.\n");
  expect(text).toContain("| lists ↑ | a peer | **250** (225 to 275) | ≥ 200 | ✓ |");
  expect(text).not.toContain("Missed: lists");
  expect(text).toContain("| other ↑ | a peer | **1.00** (once) |  |  |");
  expect(text).not.toContain("A quick run");
  expect(toMarkdown([], { ...about, isQuick: true, minutes: 1 })).toMatch(/in 1 minute\.\n\n\*\*A quick run/);
});

test("the picture is XML, and shows those rows that have a name for it", async () => {
  const tables: Table[] = [
    {
      title: "Room list <of> 20 & more",
      about: "",
      rows: [row("lists", 250, { picture: "Fastify & pg" }), row("hidden", 7)],
    },
  ];
  const svg = toSvg(tables) ?? "";
  const texts: string[] = [];
  let failed = false;
  await new HTMLRewriter()
    .on("text", { text: ({ text }) => void texts.push(text) })
    .transform(new Response(svg))
    .text()
    .catch(() => {
      failed = true;
    });
  expect(failed).toBe(false);
  expect(texts.join("|")).toContain("Fastify &amp; pg");
  expect(texts.join("|")).toContain("250 ×");
  expect(svg).not.toContain("<of>");
  expect(svg).not.toContain("hidden");
  expect(toSvg([{ title: "x", about: "", rows: [row("hidden", 7)] }])).toBeNull();
  const long = row("lists", 2, { picture: "x".repeat(60) });
  expect(() => toSvg([{ title: "x", about: "", rows: [long] }])).toThrow("too long for the picture");
});

test("options: names of benches are checked, and --help tells them", async () => {
  expect(readOptions(["--quick", "--only", "list, growth"], ["list", "growth"])).toEqual({
    quick: true,
    only: ["list", "growth"],
    data: null,
    out: null,
    help: false,
  });
  expect(() => readOptions(["--only", "lists"], ["list"])).toThrow(
    new OptionError("--only=lists: no such bench; there are list"),
  );
  expect(() => readOptions(["--data", ""], ["list"])).toThrow(new OptionError("--data: takes a folder"));
  expect(readOptions(["-h"], []).help).toBe(true);
  expect(() => readOptions(["--fast"], ["list"])).toThrow(OptionError);
  const child = Bun.spawn([process.execPath, "bench/main.ts", "--help"], { cwd: ROOT });
  expect(await new Response(child.stdout).text()).toContain("--only NAMES   some of them, by commas: ");
  expect(await child.exited).toBe(0);
});

test("the results that are kept are of a whole run, and the README shows their picture", async () => {
  const results = await Bun.file(join(ROOT, "bench/RESULTS.md")).text();
  expect(results).toContain("Made by `bun run bench` on ");
  expect(results).not.toContain("Not explained.");
  expect(await Bun.file(join(ROOT, "bench/results.svg")).text()).toStartWith("<svg ");
  expect(await Bun.file(join(ROOT, "README.md")).text()).toContain("bench/results.svg");
});

/** Streams that bring what `chunksFor` makes of each message, at its POST. */
function broadcast(chunksFor: (message: string, stream: number) => string[]) {
  const streams: ReadableStreamDefaultController<string>[] = [];
  return Bun.serve({
    port: 0,
    routes: {
      "/": {
        GET: () =>
          new Response(
            new ReadableStream<string>({
              start(controller) {
                streams.push(controller);
                controller.enqueue("retry: 1\n\nid: 7\n\n");
              },
            }),
          ),
        async POST(request) {
          const message = await request.text();
          for (const [i, stream] of streams.entries()) {
            for (const chunk of chunksFor(message, i)) stream.enqueue(chunk);
          }
          return new Response(null, { status: 201 });
        },
      },
      "/shut": new Response("nobody comes in", { status: 503 }),
    },
  });
}

test.each([
  ["one by one", (message: string) => [`data: ${message}\n\n`], true],
  ["two in one event", (message: string) => [`data: ${message} ${message.replace("1#", "2#")}\n\n`], true],
  ["one stream misses one", (message: string, i: number) => (i === 3 ? [] : [`data: ${message}\n\n`]), false],
  [
    "one stream gets one twice",
    (message: string, i: number) => Array<string>(i === 3 ? 2 : 1).fill(`data: ${message}\n\n`),
    false,
  ],
])("whoever listens counts each message on each stream: %s", async (_, chunksFor, complete) => {
  await using server = broadcast(chunksFor);
  const listeners = new Listeners();
  try {
    await listeners.open(server.url.href, Array(5).fill({ path: "/" }), "\nid: ");
    const isPair = chunksFor(markOf(1), 0).join("").includes(markOf(2));
    await listeners.watch(1, isPair ? 2 : 1);
    await fetch(server.url, { method: "POST", body: markOf(1) });
    const told = await listeners.delivered(300);
    expect(told.complete).toBe(complete);
    if (complete) expect(told.delivered).toBe(isPair ? 10 : 5);
    await listeners.close();
    const refused = listeners.open(server.url.href, [{ path: "/shut" }], "\nid: ");
    expect(refused).rejects.toThrow("503");
    await refused.catch(() => {});
  } finally {
    await listeners.stop();
  }
});
