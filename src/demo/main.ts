import { randomBytes } from "node:crypto";
import { hashPassword } from "../auth/passwords.ts";
import { type Config, ConfigError, readConfig } from "../config.ts";
import { type Connection, withDatabase } from "../db/borrow.ts";
import { MigrationError } from "../db/migrate.ts";
import { dismiss, gather, type Stage } from "./cast.ts";
import { FillRefused, fill } from "./fill.ts";
import type { Fill } from "./fills.ts";
import { HELP, OptionError, readOptions } from "./options.ts";
import { count, duration } from "./progress.ts";
import { session } from "./session.ts";
import { TalkRefused, talk } from "./talk.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);

function fail(message: string, status: number): never {
  process.stderr.write(`demo: ${message.replaceAll("\n", "\ndemo: ")}\n`);
  process.exit(status);
}

function settings() {
  try {
    return { options: readOptions(process.argv.slice(2)), config: readConfig(process.env) };
  } catch (error) {
    if (error instanceof OptionError || error instanceof ConfigError) fail(error.message, 2);
    throw error;
  }
}

const { options, config } = settings();
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const told = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => told.abort());
const { signal } = told;

/** The server's address as a client on this machine reaches it. */
function serverUrl({ host, port }: Config): string {
  const reachable =
    { "0.0.0.0": "127.0.0.1", "::": "[::1]" }[host] ?? (host.includes(":") ? `[${host}]` : host);
  return `http://${reachable}:${port}`;
}
const url = options.url ?? serverUrl(config);

/** Fills, sets the password of the demo's account, and chooses who talks. */
async function prepare(connection: Connection): Promise<{ filled: Fill; stages: Stage[] }> {
  const started = performance.now();
  const { fill: filled, isNew } = await fill(connection, options, { force: options.force, signal });
  const what = `${count(filled.users)} people, ${count(filled.rooms)} rooms, ${count(filled.messages)} messages, seed ${filled.seed}`;
  if (isNew) say(`Filled in ${duration((performance.now() - started) / 1000)}: ${what}.`);
  else say(`A demo is there already (${what}): nothing filled. --force adds another one.`);

  const password = options.password ?? randomBytes(12).toString("base64url");
  await connection`
    update users set password_hash = ${await hashPassword(password)} where id = ${filled.demoUserId}`;
  if (!isNew) say(`The account ${filled.handle} has a new password.`);
  say(session(url, filled.handle, password));
  return { filled, stages: options.talk ? await gather(connection, filled) : [] };
}

async function keepTalking(filled: Fill, stages: Stage[]): Promise<void> {
  const { rate, seconds } = options;
  say(
    `Talking through ${url}, ${rate} messages a second, ${seconds === null ? "until Ctrl-C" : `for ${seconds} s`}:`,
  );
  const ends = seconds === null ? signal : AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
  const started = performance.now();
  try {
    const { sent, rooms } = await talk(stages, { url, rate, handle: filled.handle, signal: ends, say });
    say(
      `Sent ${count(sent)} messages into ${rooms} rooms in ${duration((performance.now() - started) / 1000)}.`,
    );
  } finally {
    await withDatabase(config, (connection) => dismiss(connection, filled)).catch((error) =>
      say(`The talkers' tokens are still there (${error.message}); the next demo --talk removes them.`),
    );
  }
}

try {
  // The database is closed while people talk: the embedded one is the server's then.
  const { filled, stages } = await withDatabase(config, prepare);
  if (options.talk) await keepTalking(filled, stages);
} catch (error) {
  if (error === signal.reason) fail("broken off; what was written is removed", 130);
  if (error instanceof FillRefused || error instanceof TalkRefused || error instanceof MigrationError) {
    fail(error.message, 1);
  }
  fail(`${error instanceof Error ? error.message : error}`, 1);
}
process.exit(0);
