import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LaunchOptions } from "playwright-core";

/**
 * Which browser the tests run in: the one of CHROMIUM_PATH; else, on Linux x64, the Chromium that an npm package brings
 * with the libraries and a font that it needs; else a Chrome that is installed.
 */
export async function whichBrowser(): Promise<LaunchOptions> {
  const { CHROMIUM_PATH } = process.env;
  if (CHROMIUM_PATH) return { executablePath: CHROMIUM_PATH };
  if (process.platform !== "linux" || process.arch !== "x64") return { channel: "chrome" };
  const folder = await unpacked();
  return {
    executablePath: join(folder, "chromium"),
    env: {
      ...process.env,
      LD_LIBRARY_PATH: join(folder, "al2023", "lib"),
      FONTCONFIG_FILE: join(import.meta.dir, "fonts", "fonts.conf"),
      XDG_DATA_HOME: folder,
      XDG_CACHE_HOME: folder,
    },
  };
}

/**
 * The folder with Chromium, unpacked once a version. Beside the package, not in the temporary folder: there a
 * name that one can foresee may belong to somebody else. Who cannot write there has a folder for this run only.
 */
async function unpacked(): Promise<string> {
  const home = dirname(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))));
  const { version } = await Bun.file(join(home, "package.json")).json();
  const cache = join(home, "..", "..", ".cache");
  const folder = join(cache, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  try {
    await mkdir(cache, { recursive: true });
    const fresh = await mkdtemp(`${folder}-`);
    try {
      await unpackInto(fresh);
      await rename(fresh, folder); // whole or not at all
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      if (!existsSync(folder)) throw error; // else another run was quicker
    }
    return folder;
  } catch (error) {
    if (!["EACCES", "EPERM", "EROFS"].includes((error as { code?: string }).code ?? "")) throw error;
  }
  ofThisRun = await mkdtemp(join(tmpdir(), "foyer-chromium-"));
  await unpackInto(ofThisRun);
  return ofThisRun;
}

let ofThisRun: string | undefined;

/** Removes what was unpacked for this run only. */
export async function removeUnpacked(): Promise<void> {
  if (ofThisRun) await rm(ofThisRun, { recursive: true, force: true });
}

async function unpackInto(folder: string): Promise<void> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "chromium-child.ts")], {
    env: { ...process.env, TMPDIR: folder, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs22.x" },
    stderr: "pipe",
  });
  if ((await child.exited) !== 0) {
    throw new Error(`Chromium cannot be unpacked: ${await new Response(child.stderr).text()}`);
  }
  // For other users of this clone, who may read it and no more.
  for (const path of [folder, join(folder, "chromium")]) await chmod(path, 0o755);
}
