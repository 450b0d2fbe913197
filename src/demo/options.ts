import { parseArgs } from "node:util";

export const HELP = `bun run demo [options]: fills the database with people, rooms and messages to look at

  --users N      people, the demo's own account included (200)
  --rooms N      rooms; a tenth of them direct (50)
  --messages N   messages, most of them in a few rooms (20000)
  --seed N       the same number gives the same data (1)
  --force        fill although the database has people already
  --password P   the password of the demo's account; left out, a random one
  --talk         then keep people talking, through the server
  --rate N       messages a second while talking (2)
  --seconds N    stop talking after so long (until Ctrl-C)
  --url URL      where the server is (http://HOST:PORT)

The database is the server's: DATABASE_URL, or the embedded one in DATA_DIR.
`;

export interface Options {
  users: number;
  rooms: number;
  messages: number;
  seed: number;
  force: boolean;
  /** null: a random one. */
  password: string | null;
  talk: boolean;
  /** Messages a second. */
  rate: number;
  /** null: until it is told to stop. */
  seconds: number | null;
  /** The server's address, without a slash at its end; null: as the environment says. */
  url: string | null;
  help: boolean;
}

/** What is wrong with the command line: one line, with the option's name and what it takes. */
export class OptionError extends Error {
  override name = "OptionError";
}

const text = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;
const OPTIONS = {
  users: text,
  rooms: text,
  messages: text,
  seed: text,
  force: flag,
  password: text,
  talk: flag,
  rate: text,
  seconds: text,
  url: text,
  help: flag,
};

/**
 * Reads the command line.
 * @param args without the program's own names
 * @throws OptionError
 */
export function readOptions(args: string[]): Options {
  const { force, talk, help, password, url, ...numbers } = parse(args);

  const number = (name: keyof typeof numbers, fallback: number, min: number, max: number, whole = true) => {
    const given = numbers[name];
    if (given === undefined) return fallback;
    const value = (whole ? /^\d{1,15}$/ : /^\d{1,9}(\.\d{1,6})?$/).test(given) ? Number(given) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new OptionError(`--${name}=${given}: takes a ${whole ? "whole " : ""}number from ${min} to ${max}`);
  };

  if (password !== undefined && (password.length < 8 || password.length > 256)) {
    throw new OptionError("--password: takes 8 to 256 characters");
  }
  if (url !== undefined && !(/^https?:\/\//.test(url) && URL.canParse(url))) {
    throw new OptionError(`--url=${url}: takes an address such as http://127.0.0.1:3000`);
  }
  return {
    users: number("users", 200, 2, 1_000_000),
    rooms: number("rooms", 50, 1, 100_000),
    messages: number("messages", 20_000, 0, 1_000_000_000),
    seed: number("seed", 1, 0, 999_999_999_999),
    rate: number("rate", 2, 0.01, 100, false),
    seconds: numbers.seconds === undefined ? null : number("seconds", 0, 1, 1_000_000),
    password: password ?? null,
    url: url?.replace(/\/+$/, "") ?? null,
    force,
    talk,
    help,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [line] = String((error as Error).message).split("\n");
    throw new OptionError(`${line?.replace(/\. To specify.*$/, "")} (--help lists the options)`);
  }
}
