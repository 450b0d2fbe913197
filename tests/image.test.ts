import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };

const ROOT = join(import.meta.dir, "..");
const read = (name: string) => Bun.file(join(ROOT, name)).text();
const dockerfile = (await read("Dockerfile")).replaceAll("\\\n", "");
/** What follows an instruction's name, once for each time it is there. */
const all = (instruction: string) =>
  [...dockerfile.matchAll(new RegExp(`^ *${instruction} +(.+)$`, "gm"))].map(([, rest]) => rest as string);

test("the image runs the Bun that the tests run", async () => {
  const [, pinned] = /bun@([\d.]+)/.exec(await read(".ci/run")) ?? [];
  expect(packageJson.devDependencies["bun-types"]).toBe(pinned as string);
  const bases = all("FROM").map((from) => from.split(" ")[0]);
  expect(new Set(bases)).toEqual(new Set([`oven/bun:${pinned}-slim`]));
});

test("the image tells what package.json tells", () => {
  expect(dockerfile).toContain(`org.opencontainers.image.title="${packageJson.name}"`);
  expect(dockerfile).toContain(`org.opencontainers.image.description="${packageJson.description}"`);
  expect(dockerfile).toContain(`org.opencontainers.image.licenses="${packageJson.license}"`);
});

test("the image's process is Bun itself, not as root, and it is told to end by SIGTERM", () => {
  expect(all("ENTRYPOINT")).toEqual(['["bun", "src/main.ts"]']);
  expect(all("USER")).toEqual(["bun"]);
  expect(all("STOPSIGNAL")).toEqual(["SIGTERM"]);
});

test("the image's health check tells a server that answers from none", async () => {
  const [command] = /CMD (\[.+\])$/.exec(all("HEALTHCHECK")[0] ?? "")?.slice(1) ?? [];
  const check = (port: number) =>
    Bun.spawn(
      JSON.parse(command as string).map((word: string) => (word === "bun" ? process.execPath : word)),
      {
        env: { PATH: "/usr/bin:/bin", PORT: String(port), http_proxy: "http://127.0.0.1:9", no_proxy: "x" },
        stderr: "ignore",
      },
    ).exited;
  const asked: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      asked.push(new URL(request.url).pathname);
      return new Response();
    },
  });
  expect(await check(server.port as number)).toBe(0);
  expect(asked).toEqual(["/health/live"]);
  await server.stop(true);
  expect(await check(server.port as number)).not.toBe(0);
});

test("nothing enters the image but what is listed, and that is there", async () => {
  const lines = (await read(".dockerignore")).split("\n").filter((line) => line && !line.startsWith("#"));
  expect(lines[0]).toBe("*");
  const listed = lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  expect(await readdir(ROOT)).toEqual(expect.arrayContaining(listed));
  const copied = all("COPY").flatMap((rest) =>
    rest.startsWith("--from") ? [] : rest.split(/ +/).slice(0, -1),
  );
  expect(new Set(copied)).toEqual(new Set(listed));
});

test("what the page is bundled from there is among the packages that the image has", async () => {
  const packages = new Set<string>();
  for (const path of await readdir(join(ROOT, "src/web"), { recursive: true })) {
    if (!/(?<!\.d)\.tsx?$/.test(path)) continue;
    for (const [, imported = ""] of (await read(`src/web/${path}`)).matchAll(/(?:from|import) "([^".]+)"/g)) {
      const [name] = /^(@[^/]+\/)?[^/]+/.exec(imported) ?? [];
      if (name && !name.startsWith("node:")) packages.add(name);
    }
  }
  expect([...packages]).toContain("preact");
  const missing = [...packages].filter((name) => !(name in packageJson.dependencies));
  expect(missing).toEqual([]);
});
