import { hashSecret, newInviteCode } from "../auth/secrets.ts";
import { type Config, ConfigError, readConfig } from "../config.ts";
import { databaseWords, withDatabase } from "../db/borrow.ts";
import { inviteLink } from "./link.ts";
import { HELP, OptionError, readOptions } from "./options.ts";
import { createInvite } from "./queries.ts";

function fail(message: string, status: number): never {
  process.stderr.write(`invite: ${message.replaceAll("\n", "\ninvite: ")}\n`);
  process.exit(status);
}

/** The server's address as it is reached on this machine. */
function serverUrl({ host, port }: Config): string {
  const reachable =
    { "0.0.0.0": "127.0.0.1", "::": "[::1]" }[host] ?? (host.includes(":") ? `[${host}]` : host);
  return `http://${reachable}:${port}`;
}

try {
  const { days, url, help } = readOptions(process.argv.slice(2));
  if (help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const config = readConfig(process.env);
  const where = databaseWords(config);
  const code = newInviteCode();
  const { expiresAt } = await withDatabase(config, (sql) =>
    createInvite(sql, { secretHash: hashSecret(code), days, createdBy: null }),
  );
  // The link alone goes where a program reads; what is for people, beside it.
  process.stderr.write(
    `Good for one person, until ${expiresAt.toISOString().slice(0, 16).replace("T", " ")} UTC, ${where}:\n`,
  );
  process.stdout.write(`${inviteLink(url ?? serverUrl(config), code)}\n`);
  if (config.signup !== "invite") {
    process.stderr.write(
      `SIGNUP is ${config.signup} in this shell: the link counts where the server has "invite".\n`,
    );
  }
} catch (error) {
  const isUsage = error instanceof OptionError || error instanceof ConfigError;
  fail(error instanceof Error ? error.message : String(error), isUsage ? 2 : 1);
}
process.exit(0);
