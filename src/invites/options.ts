import { parseArgs } from "node:util";
import { DAYS } from "./link.ts";

export const HELP = `bun run invite [options]: prints a link by which one person may sign up, once

  --days N    days for which it counts, 1 to ${DAYS.most} (${DAYS.usual})
  --url URL   the server's address, as the person reaches it (http://HOST:PORT)

The database is the server's: DATABASE_URL, or the embedded one in DATA_DIR. The server may run meanwhile.
`;

/** What is wrong with the command line, in one line. */
export class OptionError extends Error {
  override name = "OptionError";
}

/**
 * Reads the command line.
 * @returns `url` without a slash at its end; null: as the environment says
 * @throws OptionError
 */
export function readOptions(args: string[]): { days: number; url: string | null; help: boolean } {
  const { days = String(DAYS.usual), url, help } = parse(args);
  const count = /^\d{1,3}$/.test(days) ? Number(days) : 0;
  if (count < 1 || count > DAYS.most) {
    throw new OptionError(`--days=${days}: takes a whole number from 1 to ${DAYS.most}`);
  }
  if (url !== undefined && !(/^https?:\/\//.test(url) && URL.canParse(url))) {
    throw new OptionError(`--url=${url}: takes an address such as https://chat.example.com`);
  }
  return { days: count, url: url?.replace(/\/+$/, "") ?? null, help };
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  const options = { days: text, url: text, help: { type: "boolean", default: false } } as const;
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [line] = String((error as Error).message).split("\n");
    throw new OptionError(`${line?.replace(/\. To specify.*$/, "")} (--help lists the options)`);
  }
}
