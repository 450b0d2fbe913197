import { expect, test } from "bun:test";
import { ConfigError, readConfig } from "../src/config.ts";

/** What is wrong with an environment: a line a setting. */
function wrong(env: Record<string, string>): string[] {
  try {
    readConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.split("\n");
  }
  return [];
}

test("without an environment everything has its default", () => {
  expect(readConfig({})).toEqual({
    host: "127.0.0.1",
    port: 3000,
    databaseUrl: null,
    databasePool: 10,
    dataDir: "./data",
    idleTimeout: 60,
    pingInterval: 15,
    statementTimeout: 5,
    drainTimeout: 10,
    trustProxy: 0,
    allowedOrigins: [],
    limits: true,
    page: "on",
    docs: true,
    metricsPort: null,
    metricsToken: null,
    logLevel: "info",
  });
});

test("an empty value, and blanks around one, count for nothing", () => {
  const names = [
    "HOST",
    "PORT",
    "DATABASE_URL",
    "IDLE_TIMEOUT",
    "ALLOWED_ORIGINS",
    "LIMITS",
    "PAGE",
    "DOCS",
    "METRICS_PORT",
    "METRICS_TOKEN",
    "LOG_LEVEL",
  ];
  expect(readConfig(Object.fromEntries(names.map((name) => [name, "  "])))).toEqual(readConfig({}));
  expect(readConfig({ PORT: " 8080 ", LOG_LEVEL: "warn\n" })).toMatchObject({ port: 8080, logLevel: "warn" });
});

test("every setting is read", () => {
  const env = {
    HOST: "0.0.0.0",
    PORT: "8080",
    DATABASE_URL: "postgres://ada:secret@db.example.com:5433/chat?sslmode=require",
    DATABASE_POOL: "20",
    DATA_DIR: "/var/lib/foyer",
    IDLE_TIMEOUT: "90",
    PING_INTERVAL: "20",
    STATEMENT_TIMEOUT: "7",
    DRAIN_TIMEOUT: "30",
    TRUST_PROXY: "2",
    ALLOWED_ORIGINS: "https://chat.example.com, http://localhost:5173",
    LIMITS: "off",
    PAGE: "off",
    DOCS: "on",
    METRICS_PORT: "9100",
    METRICS_TOKEN: "0123456789abcdef",
    LOG_LEVEL: "debug",
  };
  expect(readConfig(env)).toEqual({
    host: "0.0.0.0",
    port: 8080,
    databaseUrl: env.DATABASE_URL,
    databasePool: 20,
    dataDir: "/var/lib/foyer",
    idleTimeout: 90,
    pingInterval: 20,
    statementTimeout: 7,
    drainTimeout: 30,
    trustProxy: 2,
    allowedOrigins: ["https://chat.example.com", "http://localhost:5173"],
    limits: false,
    page: "off",
    docs: true,
    metricsPort: 9100,
    metricsToken: "0123456789abcdef",
    logLevel: "debug",
  });
});

test("a number is whole, and within its bounds", () => {
  const bounds: Record<string, [number, number]> = {
    PORT: [0, 65_535],
    DATABASE_POOL: [2, 500],
    IDLE_TIMEOUT: [2, 255],
    PING_INTERVAL: [1, 120],
    STATEMENT_TIMEOUT: [1, 600],
    DRAIN_TIMEOUT: [1, 600],
    TRUST_PROXY: [0, 10],
    METRICS_PORT: [0, 65_535],
  };
  for (const [name, [least, most]] of Object.entries(bounds)) {
    // Where one bounds the other, the other makes room.
    const room: Record<string, string> =
      name === "PING_INTERVAL" ? { IDLE_TIMEOUT: "255" } : { PING_INTERVAL: "1" };
    for (const good of [least, most]) expect(wrong({ ...room, [name]: String(good) })).toEqual([]);
    for (const bad of [least - 1, most + 1, "1.5", "1e1", "0x10", "ten", "10s", "-0", "NaN", "99999999999"]) {
      expect(wrong({ ...room, [name]: String(bad) })).toEqual([
        `${name}=${bad}: takes a whole number from ${least} to ${most}`,
      ]);
    }
  }
});

test("a word is one of those that are known", () => {
  for (const level of ["trace", "debug", "info", "warn", "error", "fatal", "silent"]) {
    expect(wrong({ LOG_LEVEL: level })).toEqual([]);
  }
  expect(wrong({ LOG_LEVEL: "INFO" })).toEqual([
    "LOG_LEVEL=INFO: takes one of trace, debug, info, warn, error, fatal, silent",
  ]);
  expect(wrong({ LIMITS: "on" })).toEqual([]);
  expect(wrong({ LIMITS: "false" })).toEqual(["LIMITS=false: takes one of on, off"]);
});

test("a ping that is not quicker than the idle timeout is refused", () => {
  for (const [ping, idle] of [
    ["15", "15"],
    ["20", "15"],
    ["60", undefined],
    [undefined, "15"],
  ]) {
    const env = { ...(ping ? { PING_INTERVAL: ping } : {}), ...(idle ? { IDLE_TIMEOUT: idle } : {}) };
    expect(wrong(env)).toEqual([
      `PING_INTERVAL=${ping ?? 15}: must be below IDLE_TIMEOUT (${idle ?? 60}), or quiet streams are cut`,
    ]);
  }
  expect(wrong({ PING_INTERVAL: "1", IDLE_TIMEOUT: "2" })).toEqual([]);
});

test("the documentation is public by itself only where nobody from elsewhere comes", () => {
  for (const [env, docs] of [
    [{}, true],
    [{ HOST: "localhost" }, true],
    [{ HOST: "127.0.0.2" }, true],
    [{ HOST: "::1" }, true],
    [{ HOST: "0.0.0.0" }, false], // the image
    [{ HOST: "::" }, false],
    [{ HOST: "10.0.0.5" }, false],
    [{ HOST: "127.0.0.1.example.com" }, false],
    [{ TRUST_PROXY: "1" }, false],
    [{ DOCS: "off" }, false],
    [{ DOCS: "on", HOST: "0.0.0.0", TRUST_PROXY: "1" }, true],
  ] as [Record<string, string>, boolean][]) {
    expect([env, readConfig(env).docs]).toEqual([env, docs]);
  }
});

test("the metrics' port is none that everybody comes to, and their token is long and never repeated", () => {
  expect(wrong({ PORT: "8080", METRICS_PORT: "8080" })).toEqual([
    "METRICS_PORT=8080: must be another than PORT, where everybody comes",
  ]);
  expect(wrong({ PORT: "0", METRICS_PORT: "0" })).toEqual([]);
  for (const bad of ["s3cret", "s3cret".padEnd(257, "x"), "s3cret with blanks", "s3crét-0123456789"]) {
    expect(wrong({ METRICS_TOKEN: bad })).toEqual([
      "METRICS_TOKEN: takes 16 to 256 characters of ASCII, none of them a blank",
    ]);
  }
  expect(wrong({ METRICS_TOKEN: "0123456789abcdef" })).toEqual([]);
});

test("an allowed origin is an origin, as a browser sends it", () => {
  for (const bad of [
    "chat.example.com",
    "https://chat.example.com/",
    "https://chat.example.com/app",
    "https://chat.example.com:443",
    "https://CHAT.example.com",
    "https://ada@chat.example.com",
    "*",
    "null",
    "file:///tmp",
  ]) {
    const [line, ...more] = wrong({ ALLOWED_ORIGINS: `https://good.example.com,${bad}` });
    expect(line).toStartWith(`ALLOWED_ORIGINS: ${bad} is no origin; takes origins such as`);
    expect(more).toEqual([]);
  }
});

test("everything that is wrong is told at once", () => {
  const lines = wrong({
    PORT: "http",
    IDLE_TIMEOUT: "0",
    DATABASE_URL: "mysql://db",
    ALLOWED_ORIGINS: "a b",
    LIMITS: "maybe",
    LOG_LEVEL: "loud",
  });
  expect(lines.map((line) => line.split(/[=:]/, 1)[0]).sort()).toEqual([
    "ALLOWED_ORIGINS",
    "ALLOWED_ORIGINS",
    "DATABASE_URL",
    "IDLE_TIMEOUT",
    "LIMITS",
    "LOG_LEVEL",
    "PORT",
  ]);
});

test("the database's password is never repeated", () => {
  for (const url of [
    "mysql://ada:s3cret@db/chat",
    "postgres:ada:s3cret@db/chat",
    "postgres://ada:s3cret@db:99999/chat",
    "postgres://ada:p/s3cret@db/chat",
    "postgres://ada:s3cret@/chat bad",
    "ada:s3cret@db",
    " s3cret",
  ]) {
    const lines = wrong({ DATABASE_URL: url, PORT: "x" });
    expect(lines.join("\n")).not.toContain("s3cret");
    expect(lines).toContain(
      "DATABASE_URL: takes postgres://user:password@host:port/database, percent-encoded",
    );
    expect(lines).toHaveLength(2);
  }
  expect(wrong({ DATABASE_URL: "postgresql://ada@localhost/chat?host=/run/postgresql" })).toEqual([]);
});

test("a server that is started wrongly names what is wrong, without a stack, and does not start", async () => {
  const server = Bun.spawn({
    cmd: [process.execPath, "src/main.ts"],
    cwd: new URL("..", import.meta.url).pathname,
    env: { PATH: process.env.PATH, PORT: "no", DATABASE_URL: "postgres://ada:s3cret@db:x/chat" },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await server.exited).toBe(1);
  expect(await new Response(server.stdout).text()).toBe("");
  expect((await new Response(server.stderr).text()).trimEnd().split("\n")).toEqual([
    "foyer: DATABASE_URL: takes postgres://user:password@host:port/database, percent-encoded",
    "foyer: PORT=no: takes a whole number from 0 to 65535",
  ]);
});
