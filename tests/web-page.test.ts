import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cp, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { bundlePage } from "../src/web/bundle.ts";
import { visit } from "./support/browser.ts";
import { freshDatabase } from "./support/database.ts";
import { eventually } from "./support/eventually.ts";
import { type TestServer, testServer } from "./support/server.ts";

const ROOT = join(import.meta.dir, "..");
const FIRST_LOAD = 100_000; // bytes, compressed

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

/** A file as it goes over the wire. */
const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(server.url + path, { method, headers, decompress: false });

/** What the page names: the paths in its HTML. */
async function links(): Promise<string[]> {
  const html = await (await get("/", { "accept-encoding": "identity" })).text();
  return [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link as string);
}
const script = async () => (await links()).find((link) => link.endsWith(".js")) as string;

describe("over the wire", () => {
  test("the page names files of this server, each by its content, and they are there", async () => {
    const named = await links();
    expect(named.length).toBeGreaterThanOrEqual(3);
    const types: Record<string, string> = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
    for (const link of named) {
      const [, extension = ""] = /^\/assets\/[\w-]+-[a-z0-9]{8}\.(\w+)$/.exec(link) ?? [];
      const response = await get(link);
      expect({ link, status: response.status }).toEqual({ link, status: 200 });
      expect(response.headers.get("content-type")).toStartWith(types[extension] as string);
    }
    expect((await get("/")).headers.get("content-type")).toBe("text/html;charset=utf-8");
  });

  test("the page is asked for anew each time; what it loads is kept for good", async () => {
    expect((await get("/")).headers.get("cache-control")).toBe("no-cache");
    for (const link of await links()) {
      expect((await get(link)).headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    }
  });

  test("a client gets what it likes most of brotli, gzip and neither", async () => {
    const path = await script();
    const plain = await (await get(path, { "accept-encoding": "identity" })).bytes();
    const decode = { br: brotliDecompressSync, gzip: gunzipSync };
    for (const [accepted, encoding] of [
      ["gzip, deflate, br, zstd", "br"],
      ["gzip, deflate", "gzip"],
      ["x-gzip", "gzip"],
      ["BR", "br"],
      ["br;q=0, gzip", "gzip"],
      ["br;q=0.5, gzip;q=0.8", "gzip"],
      ["br ; q=1.0 , gzip;q=0.8", "br"],
      ["gzip;q=0.001", "gzip"],
      ["*", "br"],
      ["*;q=0.1", "br"],
      ["br;q=0, *", "gzip"],
      ["identity, *;q=0.5", null],
      ["identity;q=0, gzip", "gzip"],
      ["gzip;q=0, br;q=0.000", null],
      ["*;q=0", null],
      ["identity;q=0", null],
      ["deflate, zstd", null],
      ["br;q=nonsense", null],
      ["", null],
    ] as const) {
      const response = await get(path, { "accept-encoding": accepted });
      const bytes = await response.bytes();
      expect({ accepted, encoding: response.headers.get("content-encoding") }).toEqual({
        accepted,
        encoding,
      });
      expect(Buffer.from(encoding ? decode[encoding](bytes) : bytes).equals(plain)).toBe(true);
      if (encoding) expect(bytes.length).toBeLessThan(plain.length / 2);
      expect(response.headers.get("content-length")).toBe(String(bytes.length));
      expect(response.headers.get("vary")).toBe("accept-encoding");
    }
  });

  test("what a browser holds already is not sent again, in the encoding that it holds", async () => {
    for (const path of ["/", await script()]) {
      const tags = new Set<string>();
      for (const encoding of ["br", "gzip", "identity"]) {
        const first = await get(path, { "accept-encoding": encoding });
        const etag = first.headers.get("etag") as string;
        tags.add(etag);
        for (const held of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
          const again = await get(path, { "accept-encoding": encoding, "if-none-match": held });
          expect({ held, status: again.status }).toEqual({ held, status: 304 });
          expect(await again.text()).toBe("");
          for (const name of ["etag", "cache-control", "vary", "content-security-policy"]) {
            expect([name, again.headers.get(name)]).toEqual([name, first.headers.get(name)]);
          }
        }
        const changed = await get(path, { "accept-encoding": encoding, "if-none-match": '"other"' });
        expect(changed.status).toBe(200);
      }
      expect(tags.size).toBe(3);
    }
  });

  test("HEAD is GET without the body", async () => {
    for (const path of ["/", await script()]) {
      const [whole, head] = [await get(path), await get(path, {}, "HEAD")];
      expect(head.status).toBe(200);
      expect(await head.text()).toBe("");
      for (const name of ["content-type", "content-length", "content-encoding", "etag", "cache-control"]) {
        expect([name, head.headers.get(name)]).toEqual([name, whole.headers.get(name)]);
      }
    }
    expect((await get("/assets/nothing.js", {}, "HEAD")).status).toBe(404);
  });

  test("nothing inline may run, nothing may come from elsewhere, and no other page may hold this one", async () => {
    for (const path of ["/", ...(await links())]) {
      const { headers } = await get(path);
      expect(headers.get("content-security-policy")?.split("; ")).toEqual([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
      ]);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(headers.get("permissions-policy")).toContain("camera=()");
    }
    const html = await (await fetch(`${server.url}/`)).text();
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=/);
    expect(html).toContain('<meta name="robots" content="noindex">');
  });

  test("what is no file of the page is a 404", async () => {
    for (const path of [
      "/assets",
      "/assets/",
      "/assets/index.js",
      "/assets/..%2findex.html",
      "/assets/__proto__",
    ]) {
      const response = await get(path);
      expect({ path, status: response.status }).toEqual({ path, status: 404 });
      expect(response.headers.get("content-type")).toBe("application/problem+json");
    }
  });

  test("who brings a page of their own has nothing at `/`", async () => {
    const path = await script();
    const bare = await testServer({ PAGE: "off" }, server.database);
    expect((await fetch(`${bare.url}/`)).status).toBe(404);
    expect((await fetch(bare.url + path)).status).toBe(404);
    expect((await fetch(`${bare.url}/docs`)).status).toBe(200);
    await bare.close();
  });
});

describe("in a browser", () => {
  test("the first load is below 100 KB compressed", async () => {
    const guest = await visit(server.url);
    const loaded: Promise<[string, number]>[] = [];
    guest.page.on("requestfinished", (request) => {
      const { pathname } = new URL(request.url());
      const size = async (): Promise<[string, number]> => {
        const { responseHeadersSize, responseBodySize } = await request.sizes();
        return [pathname, responseHeadersSize + responseBodySize];
      };
      if (!pathname.startsWith("/chat/api/")) loaded.push(size());
    });
    await guest.open();
    await guest.page.waitForFunction(() => document.querySelector("#root")?.childElementCount);
    const sizes = Object.fromEntries(await Promise.all(loaded));
    expect(Object.keys(sizes)).toEqual(expect.arrayContaining(["/", await script()]));
    const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(5_000);
    expect(total).toBeLessThan(FIRST_LOAD);
  });

  test("no text becomes script, whatever way it comes in", async () => {
    const guest = await visit(server.url);
    guest.expected.push(/refused by the policy|Content Security|This document requires/);
    const page = await guest.open();
    const tried = await page.evaluate(() => {
      const root = document.querySelector("#root") as HTMLElement;
      const attempts: Record<string, () => unknown> = {
        html: () => {
          root.innerHTML = "<img src=x onerror=__pwned=1>";
        },
        script: () => {
          root.append(Object.assign(document.createElement("script"), { text: "__pwned=1" }));
        },
        eval: () => window.setTimeout("__pwned=1"),
        handler: () => root.setAttribute("onclick", "__pwned=1"),
        policy: () => (window as any).trustedTypes.createPolicy("mine", { createHTML: String }),
      };
      return Object.entries(attempts).map(([name, attempt]) => {
        try {
          attempt();
          return `${name}: done`;
        } catch (error) {
          return `${name}: ${(error as Error).name}`;
        }
      });
    });
    expect(tried).toEqual([
      "html: TypeError",
      "script: TypeError",
      "eval: TypeError",
      "handler: TypeError",
      "policy: TypeError",
    ]);
    // A link's address is no such way: it is refused when it is followed.
    await page.evaluate(() => {
      const link = document.createElement("a");
      link.href = "javascript:__pwned=1";
      document.body.append(link);
      link.click();
    });
    await eventually(() =>
      guest.troubles.some((trouble) => /refused by the policy: script-src/.test(trouble)),
    );
    expect(await page.evaluate(() => "__pwned" in window)).toBe(false);
  });
});

describe("from its sources", () => {
  /** A copy of what the image has: no tsconfig.json. */
  async function copy(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "foyer-page-"));
    await cp(join(ROOT, "src"), join(folder, "src"), { recursive: true });
    await cp(join(ROOT, "package.json"), join(folder, "package.json"));
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    return folder;
  }

  test("it is bundled in a folder that cannot be written, and nothing is", async () => {
    const folder = await copy();
    const sources = join(folder, "src");
    const all = async () => (await readdir(sources, { recursive: true })).sort();
    const before = await all();
    const chmod = (mode: string) => Bun.spawnSync(["chmod", "-R", mode, sources]);
    chmod("a-w");
    const page = await bundlePage(join(sources, "web/index.html"));
    expect([...page.keys()]).toContain("/");
    expect(await all()).toEqual(before);
    chmod("u+w");
    await rm(folder, { recursive: true });
  });

  /** Runs a copy of the program on a database. */
  async function run(folder: string, databaseUrl: string, page: string) {
    const child = Bun.spawn([process.execPath, "src/main.ts"], {
      cwd: folder,
      env: { PATH: process.env.PATH, PORT: "0", DATABASE_URL: databaseUrl, PAGE: page },
      stdout: "pipe",
    });
    let output = "";
    void (async () => {
      for await (const chunk of child.stdout) output += Buffer.from(chunk).toString();
    })();
    await eventually(() => output.includes('"msg":"started"'), "the program has started", 60_000);
    const url = /address +(\S+)\/chat\/api/.exec(output)?.[1] ?? "";
    return {
      status: async (path: string) => (await fetch(url + path)).status,
      title: async () => /<title>(.*)<\/title>/.exec(await (await fetch(`${url}/`)).text())?.[1],
      output: () => output,
      async stop() {
        child.kill();
        await child.exited;
      },
    };
  }

  test("a page that cannot be built is told in the log, and the API does not care", async () => {
    const [folder, database] = [await copy(), await freshDatabase()];
    const main = join(folder, "src/web/page/main.tsx");
    const whole = await Bun.file(main).text();
    await Bun.write(main, `${whole}\nimport "./nowhere.ts";`);
    const program = await run(folder, database.url, "on");
    await eventually(() => program.output().includes("nowhere.ts")); // before anybody asks
    expect(await program.status("/")).toBe(500);
    expect(await program.status("/chat/api/session")).toBe(401);
    await Bun.write(main, whole);
    expect(await program.status("/")).toBe(200);
    await program.stop();
    await database.drop();
    await rm(folder, { recursive: true });
  });

  test("it is bundled once, or for each load when one works on it", async () => {
    const [folder, database] = [await copy(), await freshDatabase()];
    const index = join(folder, "src/web/index.html");
    const html = await Bun.file(index).text();
    for (const [setting, then] of [
      ["on", "One"],
      ["fresh", "Two"],
    ]) {
      await Bun.write(index, html.replace(/<title>.*</, "<title>One<"));
      const program = await run(folder, database.url, setting as string);
      expect(await program.title()).toBe("One");
      await Bun.write(index, html.replace(/<title>.*</, "<title>Two<"));
      expect(await program.title()).toBe(then as string);
      await program.stop();
    }
    await database.drop();
    await rm(folder, { recursive: true });
  });
});
