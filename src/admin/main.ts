import { ConfigError, readConfig } from "../config.ts";
import { databaseWords, withDatabase } from "../db/borrow.ts";
import { type Created, CreateRefused, createAdministrator } from "./create.ts";

const HELP = `bun run admin create HANDLE: makes an administrator

  Of the user who has this handle, or of a new one, whose password is shown this once.

The database is the server's: DATABASE_URL, or the embedded one in DATA_DIR. The server may run meanwhile.
`;

function fail(message: string, status: number): never {
  process.stderr.write(`admin: ${message.replaceAll("\n", "\nadmin: ")}\n`);
  process.exit(status);
}

const words = ({ handle, password, was }: Created): string => {
  if (was === "administrator") return `${handle} is an administrator already. Nothing was changed.`;
  if (was === "user") return `${handle} is an administrator now. The password is what it was.`;
  return [
    `Made the user ${handle}, an administrator.`,
    `  password   ${password}`,
    "It is shown this once. Sign in with it, and change it.",
  ].join("\n");
};

const args = process.argv.slice(2);
if (args.length === 0 || args.includes("--help")) {
  process.stdout.write(HELP);
  process.exit(args.length === 0 ? 2 : 0);
}
const [verb, handle, ...rest] = args;
if (verb !== "create" || handle === undefined || rest.length > 0) {
  fail("takes: create HANDLE (--help tells more)", 2);
}

try {
  const config = readConfig(process.env);
  const where = databaseWords(config);
  const created = await withDatabase(config, (sql) => sql.begin((tx) => createAdministrator(tx, handle)));
  process.stdout.write(
    `${words(created)}\n(${where}; the server's, if DATABASE_URL or DATA_DIR is the same)\n`,
  );
} catch (error) {
  const isUsage = error instanceof ConfigError || error instanceof CreateRefused;
  fail(error instanceof Error ? error.message : String(error), isUsage ? 2 : 1);
}
process.exit(0);
