import { type JwtSettings, readJwtSettings } from "./auth/jwt-settings.ts";
import { parseRate, RATE_FORM, RATE_NAMES, RATES, type Rates, settingOf } from "./limits/rates.ts";

/** Everything the environment decides. Durations are seconds, as in the environment. */
export interface Config {
  host: string;
  port: number;
  /** null: the embedded Postgres. */
  databaseUrl: string | null;
  databasePool: number;
  dataDir: string;
  idleTimeout: number;
  pingInterval: number;
  statementTimeout: number;
  drainTimeout: number;
  /** How many proxies in front of this server are believed about the client's scheme, host and address. */
  trustProxy: number;
  allowedOrigins: string[];
  /** Days after which a session ends, whatever its use; and days after which one that is not used does. */
  sessionDays: number;
  sessionIdleDays: number;
  /** Whether rate limits hold; off for load tests on loopback. */
  limits: boolean;
  /** Who may sign up: everybody, who has an invite, nobody. */
  signup: Signup;
  /** Another application's users, known by its JWTs; null: there are none. */
  jwt: JwtSettings | null;
  rates: Rates;
  /** Streams and sockets open at once, of a person and in all. */
  streamsPerUser: number;
  maxStreams: number;
  /** How long a request's body may take to arrive. */
  bodyTimeout: number;
  /** Whether there is a page at `/`; fresh: bundled anew each time, for who works on it. */
  page: "on" | "off" | "fresh";
  /** Whether the API's documentation is served, for anybody. */
  docs: boolean;
  /** A port with nothing but the metrics; null: none. 0: any that is free. */
  metricsPort: number | null;
  /** Who has it may read the metrics beside everything else; null: nobody. */
  metricsToken: string | null;
  logLevel: LogLevel;
}

export const SIGNUPS = ["open", "invite", "closed"] as const;
export type Signup = (typeof SIGNUPS)[number];

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What is wrong with the environment: one line a setting, each with its name and what it takes. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/**
 * Reads and checks every setting; the only reader of the environment.
 * @param env the process's environment; an empty value counts as absent
 * @throws ConfigError naming every setting that is wrong and what it takes
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const wrong: string[] = [];

  const text = (name: string, fallback: string): string => env[name]?.trim() || fallback;

  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const given = text(name, String(fallback));
    const value = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN;
    if (value >= min && value <= max) return value;
    wrong.push(`${name}=${given}: takes a whole number from ${min} to ${max}`);
    return fallback;
  };

  const oneOf = <T extends string>(name: string, fallback: T, allowed: readonly T[]): T => {
    const given = text(name, fallback);
    const found = allowed.find((value) => value === given);
    if (!found) wrong.push(`${name}=${given}: takes one of ${allowed.join(", ")}`);
    return found ?? fallback;
  };

  const databaseUrl = text("DATABASE_URL", "") || null;
  // The value may hold a password: it is never repeated.
  if (databaseUrl !== null && !(/^postgres(ql)?:\/\//.test(databaseUrl) && URL.canParse(databaseUrl))) {
    wrong.push("DATABASE_URL: takes postgres://user:password@host:port/database, percent-encoded");
  }

  const allowedOrigins = text("ALLOWED_ORIGINS", "")
    .split(/[\s,]+/)
    .filter(Boolean);
  for (const origin of allowedOrigins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      wrong.push(
        `ALLOWED_ORIGINS: ${origin} is no origin; takes origins such as https://chat.example.com, separated by commas`,
      );
    }
  }

  const metricsToken = text("METRICS_TOKEN", "") || null;
  if (metricsToken !== null && !/^[\x21-\x7e]{16,256}$/.test(metricsToken)) {
    wrong.push("METRICS_TOKEN: takes 16 to 256 characters of ASCII, none of them a blank"); // a secret: not repeated
  }

  const host = text("HOST", "127.0.0.1");
  const trustProxy = integer("TRUST_PROXY", 0, 0, 10);
  const jwt = readJwtSettings(
    (name) => text(name, ""),
    (line) => wrong.push(line),
  );
  // Misspelled, a limit would silently be another one.
  const limits = new Set([...RATE_NAMES.map(settingOf), "LIMIT_STREAMS"]);
  for (const name of Object.keys(env).filter((name) => name.startsWith("LIMIT_") && !limits.has(name))) {
    wrong.push(`${name}: there is no such setting; there are ${[...limits].join(", ")}`);
  }
  const rates = Object.fromEntries(
    RATE_NAMES.map((name) => {
      const given = text(settingOf(name), RATES[name]);
      const rate = parseRate(given);
      if (rate === undefined) wrong.push(`${settingOf(name)}=${given}: ${RATE_FORM}`);
      return [name, rate ?? null];
    }),
  ) as Rates;

  const config: Config = {
    host,
    port: integer("PORT", 3000, 0, 65_535),
    databaseUrl,
    databasePool: integer("DATABASE_POOL", 10, 2, 500),
    dataDir: text("DATA_DIR", "./data"),
    idleTimeout: integer("IDLE_TIMEOUT", 60, 2, 255), // 255 is the most that Bun.serve takes
    pingInterval: integer("PING_INTERVAL", 15, 1, 120),
    statementTimeout: integer("STATEMENT_TIMEOUT", 5, 1, 600),
    drainTimeout: integer("DRAIN_TIMEOUT", 10, 1, 600),
    trustProxy,
    allowedOrigins,
    sessionDays: integer("SESSION_DAYS", 30, 1, 400), // browsers keep no cookie for longer
    sessionIdleDays: integer("SESSION_IDLE_DAYS", 14, 1, 400),
    limits: oneOf("LIMITS", "on", ["on", "off"]) === "on",
    // An application that brings its own people does not expect strangers beside them.
    signup: oneOf("SIGNUP", jwt ? "closed" : "open", SIGNUPS),
    jwt,
    rates,
    streamsPerUser: integer("LIMIT_STREAMS", 20, 1, 1_000_000),
    maxStreams: integer("MAX_STREAMS", 20_000, 1, 1_000_000),
    bodyTimeout: integer("BODY_TIMEOUT", 10, 1, 600),
    page: oneOf("PAGE", "on", ["on", "off", "fresh"]),
    // Not public by accident: on by itself only where nobody from elsewhere comes, directly or through a proxy.
    docs: oneOf("DOCS", isLoopback(host) && trustProxy === 0 ? "on" : "off", ["on", "off"]) === "on",
    metricsPort: text("METRICS_PORT", "") === "" ? null : integer("METRICS_PORT", 0, 0, 65_535),
    metricsToken,
    logLevel: oneOf("LOG_LEVEL", "info", LOG_LEVELS),
  };

  if (config.pingInterval >= config.idleTimeout) {
    wrong.push(
      `PING_INTERVAL=${config.pingInterval}: must be below IDLE_TIMEOUT (${config.idleTimeout}), or quiet streams are cut`,
    );
  }
  if (config.metricsPort === config.port && config.port !== 0) {
    wrong.push(`METRICS_PORT=${config.port}: must be another than PORT, where everybody comes`);
  }
  if (wrong.length > 0) throw new ConfigError(wrong.join("\n"));
  return config;
}

/** Whether only this machine reaches an address. A name other than localhost may stand for any address. */
const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
