import { parseArgs } from "node:util";

export const help = (
  names: string[],
) => `bun run bench [options]: measures Foyer beside its peers, and writes bench/RESULTS.md and bench/results.svg

  --quick        smaller data and fewer rounds: 5 minutes instead of 30
  --only NAMES   some of them, by commas: ${names.join(", ")}
  --data FOLDER  keep the databases there for the next run (15 GB at most; a temporary folder, removed at the end)
  --out FOLDER   where the results go (bench; with --quick or --only, a temporary folder, which it names)
  -h, --help

Ratios are what counts: contestants take turns on the same machine. Let nothing else run on it meanwhile.
`;

export interface Options {
  quick: boolean;
  only: string[] | null;
  data: string | null;
  out: string | null;
  help: boolean;
}

/** The command line cannot be understood; one line, for whoever typed it. */
export class OptionError extends Error {
  override name = "OptionError";
}

/**
 * Reads the command line.
 * @param names of the benches there are
 * @throws OptionError
 */
export function readOptions(args: string[], names: string[]): Options {
  const { only, ...rest } = parse(args);
  const chosen = only === undefined ? null : only.split(",").map((name) => name.trim());
  const unknown = chosen?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new OptionError(`--only=${unknown}: no such bench; there are ${names.join(", ")}`);
  }
  for (const name of ["data", "out"] as const) {
    if (rest[name] === "") throw new OptionError(`--${name}: takes a folder`);
  }
  return { data: rest.data ?? null, out: rest.out ?? null, quick: rest.quick, help: rest.help, only: chosen };
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const options = { quick: flag, only: text, data: text, out: text, help: { ...flag, short: "h" } };
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [line] = String((error as Error).message).split("\n");
    throw new OptionError(`${line?.replace(/\. To specify.*$/, "")} (--help lists the options)`);
  }
}
