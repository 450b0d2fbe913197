import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const read = (name: string) => Bun.file(join(ROOT, name)).text();

/** What a table of SECURITY.md names as its proof: a file, or a test in it. */
async function proofs(): Promise<{ file: string; name: string | undefined }[]> {
  const text = await read("SECURITY.md");
  return [...text.matchAll(/`(tests\/[\w-]+\.test\.ts)`(?: “([^”]+)”)?/g)].map(([, file = "", name]) => ({
    file,
    name,
  }));
}

test("every test that SECURITY.md names is there, by that name", async () => {
  const named = await proofs();
  expect(named.length).toBeGreaterThan(50);
  const files = new Set((await readdir(import.meta.dir)).map((name) => `tests/${name}`));
  for (const { file, name } of named) {
    expect([file, files.has(file)]).toEqual([file, true]);
    if (name === undefined) continue;
    expect([file, name, (await read(file)).includes(name)]).toEqual([file, name, true]);
  }
});

test("every chapter has its row, and a proof where there is something to prove", async () => {
  const rows = (await read("SECURITY.md"))
    .split("\n")
    .filter((line) => /^\| (API|V)\d/.test(line))
    .map((line) => line.slice(2, -2).split(" | "));
  const chapters = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
  expect(rows.map(([title = ""]) => title.split(" ", 1)[0])).toEqual([
    ...chapters("API", 10),
    ...chapters("V", 17),
  ]);
  const bare = rows.filter((row) => !row.at(-1)?.includes("`tests/")).map(([title]) => title);
  expect(bare).toEqual(["V10 OAuth, OIDC", "V17 WebRTC"]);
});
