import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bodies, encode, isCompressible } from "./encoding.ts";

const INDEX = fileURLToPath(new URL("index.html", import.meta.url));

/** A file of the page, as it is served. */
export interface PageFile {
  type: string;
  /** Of the content, as base 36. */
  hash: string;
  bodies: Bodies;
}

/** The page by paths: `/`, and what it loads under `/assets/`. */
export type PageFiles = ReadonlyMap<string, PageFile>;

/**
 * Bundles the page. An HTML import in `Bun.serve`'s routes would do so by itself, but serves neither compressed files
 * nor headers of ours, such as a Content-Security-Policy. In memory: the root of a container may be read-only.
 * @param index the HTML file that names all the rest
 * @throws with the bundler's messages
 */
export async function bundlePage(index = INDEX): Promise<PageFiles> {
  const { outputs } = await Bun.build({
    entrypoints: [index],
    root: dirname(index),
    target: "browser",
    minify: true,
    splitting: true,
    publicPath: "/",
    naming: {
      entry: "[name].[ext]",
      chunk: "assets/[name]-[hash].[ext]",
      asset: "assets/[name]-[hash].[ext]",
    },
    define: { "process.env.NODE_ENV": '"production"' },
    // As in tsconfig.json, which is not in the image.
    jsx: { runtime: "automatic", importSource: "preact", development: false },
  }).catch((error) => {
    const messages = error instanceof AggregateError ? error.errors : [error];
    throw new Error(`the page cannot be built: ${messages.map(String).join("; ")}`);
  });
  const files = outputs.map(async (output) => {
    const content = new Uint8Array(await output.arrayBuffer());
    const path = output.path === "./index.html" ? "/" : output.path.slice(1);
    const bodies = isCompressible(output.type) ? await encode(content) : { identity: content };
    return [path, { type: output.type, hash: Bun.hash(content).toString(36), bodies }] as const;
  });
  return new Map(await Promise.all(files));
}

let bundled: Promise<PageFiles> | undefined;

/**
 * The page, bundled once a process, however many servers are in it. One that failed is forgotten: the next call tries anew.
 * @param anew whether to bundle even so, for who works on the page
 */
export function pageFiles(anew = false): Promise<PageFiles> {
  if (anew) bundled = undefined;
  bundled ??= bundlePage().catch((error) => {
    bundled = undefined;
    throw error;
  });
  return bundled;
}
