import packageJson from "../package.json" with { type: "json" };
import { type Config, ConfigError, readConfig } from "./config.ts";
import { type EmbeddedPostgres, startEmbedded } from "./db/embedded.ts";
import { MigrationError } from "./db/migrate.ts";
import { createLog } from "./log.ts";
import { type Server, startServer } from "./server.ts";

function fail(message: string): never {
  process.stderr.write(`foyer: ${message.replaceAll("\n", "\nfoyer: ")}\n`);
  process.exit(1);
}

function settings(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (error instanceof ConfigError) fail(error.message);
    throw error;
  }
}

const config = settings();
const log = createLog(config.logLevel);

// Registered first: as process 1 of a container nothing else would end us, and a signal may come while we start.
const { promise: told, resolve: tell } = Promise.withResolvers<NodeJS.Signals>();
process.on("SIGTERM", tell);
process.on("SIGINT", tell);

let embedded: EmbeddedPostgres | null = null;
let server: Server;
try {
  if (config.databaseUrl === null) embedded = await startEmbedded(config.dataDir, log);
  server = await startServer(config, config.databaseUrl ?? embedded?.connection ?? "", log);
} catch (error) {
  await embedded?.stop();
  if (error instanceof MigrationError) fail(error.message);
  fail(`cannot start: ${blame(error)}${error instanceof Error ? error.message : error}`);
}

/** The setting that an error of the system comes from, where that is plain. */
function blame(error: unknown): string {
  const { syscall, code } = Object(error) as { syscall?: string; code?: string };
  if (syscall === "listen") return `HOST=${config.host}, PORT=${config.port}: `;
  if (config.databaseUrl === null) return code?.startsWith("E") ? `DATA_DIR=${config.dataDir}: ` : "";
  return /^(E[A-Z]+|CONNECT_TIMEOUT)$/.test(code ?? "")
    ? "DATABASE_URL: the database cannot be reached: "
    : "";
}

process.stdout.write(`
  Foyer ${packageJson.version}
${config.page === "off" ? "" : `  page       ${server.url}/\n`}  address    ${server.url}/chat/api${config.docs ? `     docs ${server.url}/docs` : ""}
${server.metricsUrl === null ? "" : `  metrics    ${server.metricsUrl}\n`}  database   ${embedded ? `embedded Postgres ${embedded.version} in ${embedded.dataDir}${embedded.joined ? " (was running)" : ""}` : `Postgres ${server.postgres} by DATABASE_URL`}
  timeouts   idle ${config.idleTimeout} s, ping ${config.pingInterval} s, statement ${config.statementTimeout} s, drain ${config.drainTimeout} s

`);
log.info({ version: packageJson.version, url: server.url, postgres: server.postgres }, "started");

log.info({ signal: await told }, "stopping");
await server.stop();
await embedded?.stop();
log.info("stopped");
process.exit(0);
