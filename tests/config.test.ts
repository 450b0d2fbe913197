import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import type { JWK } from "jose";
import { ConfigError, readConfig } from "../src/config.ts";
import { RATE_NAMES, type Rates, settingOf } from "../src/limits/rates.ts";

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
    sessionDays: 30,
    sessionIdleDays: 14,
    limits: true,
    signup: "open",
    jwt: null,
    rates: {
      address: { burst: 1000, perSecond: 200 },
      account: { burst: 300, perSecond: 50 },
      "sign-in": { burst: 10, perSecond: 10 / 60 },
      "sign-in-address": { burst: 50, perSecond: 0.5 },
      "sign-in-account": { burst: 100, perSecond: 100 / 3600 },
      "sign-up": { burst: 50, perSecond: 50 / 3600 },
      send: { burst: 30, perSecond: 5 },
      edit: { burst: 60, perSecond: 10 },
      typing: { burst: 30, perSecond: 5 },
      search: { burst: 30, perSecond: 5 },
      room: { burst: 30, perSecond: 0.5 },
      member: { burst: 100, perSecond: 100 / 60 },
      token: { burst: 20, perSecond: 20 / 3600 },
      frame: { burst: 2500, perSecond: 50 },
    },
    streamsPerUser: 20,
    maxStreams: 20_000,
    bodyTimeout: 10,
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
    "SIGNUP",
    "AUTH_JWT_SECRET",
    "AUTH_JWKS",
    "AUTH_JWKS_URL",
    "AUTH_ISSUER",
    "AUTH_AUDIENCE",
    "LIMIT_SIGN_IN",
    "MAX_STREAMS",
    "PAGE",
    "DOCS",
    "METRICS_PORT",
    "METRICS_TOKEN",
    "LOG_LEVEL",
  ];
  expect(readConfig(Object.fromEntries(names.map((name) => [name, "  "])))).toEqual(readConfig({}));
  expect(readConfig({ PORT: " 8080 ", LOG_LEVEL: "warn\n" })).toMatchObject({ port: 8080, logLevel: "warn" });
});

test("a limit that is misspelled is refused", () => {
  expect(wrong({ LIMIT_SNED: "30+5/s" })).toEqual([
    expect.stringContaining("LIMIT_SNED: there is no such setting"),
  ]);
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
    SESSION_DAYS: "7",
    SESSION_IDLE_DAYS: "2",
    LIMITS: "off",
    SIGNUP: "invite",
    AUTH_JWT_SECRET: "0123456789abcdef0123456789abcdef",
    AUTH_ISSUER: "https://app.example.com",
    AUTH_AUDIENCE: "foyer",
    ...Object.fromEntries(RATE_NAMES.map((name, i) => [settingOf(name), `${i + 1}+6/m`])),
    LIMIT_STREAMS: "8",
    MAX_STREAMS: "900",
    BODY_TIMEOUT: "20",
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
    sessionDays: 7,
    sessionIdleDays: 2,
    limits: false,
    signup: "invite",
    jwt: {
      issuer: "https://app.example.com",
      audience: "foyer",
      keys: { secret: new TextEncoder().encode("0123456789abcdef0123456789abcdef") },
    },
    rates: Object.fromEntries(RATE_NAMES.map((name, i) => [name, { burst: i + 1, perSecond: 0.1 }])) as Rates,
    streamsPerUser: 8,
    maxStreams: 900,
    bodyTimeout: 20,
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
    LIMIT_STREAMS: [1, 1_000_000],
    MAX_STREAMS: [1, 1_000_000],
    BODY_TIMEOUT: [1, 600],
    SESSION_DAYS: [1, 400],
    SESSION_IDLE_DAYS: [1, 400],
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

test("a rate is a number at once and so many more in a time, or off", () => {
  const send = (given: string) => readConfig({ LIMIT_SEND: given }).rates.send;
  expect(send("1+1/h")).toEqual({ burst: 1, perSecond: 1 / 3600 });
  expect(send("999999+999999/s")).toEqual({ burst: 999_999, perSecond: 999_999 });
  expect(send("off")).toBeNull();
  for (const bad of [
    "30",
    "5/s",
    "30+5",
    "0+5/s",
    "30+0/s",
    "30 + 5/s",
    "30+5/d",
    "-1+5/s",
    "1e3+5/s",
    "1000000+5/s",
    "on",
  ]) {
    expect(wrong({ LIMIT_SEND: bad })).toEqual([
      `LIMIT_SEND=${bad}: takes a number at once and how many more a second, minute or hour (30+5/s), or off`,
    ]);
  }
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

const ISSUED = { AUTH_ISSUER: "https://app.example.com", AUTH_AUDIENCE: "foyer" };
const SECRET = "0123456789abcdef0123456789abcdef";
const jwksOf = (...keys: object[]) => JSON.stringify({ keys });
const publicKey = (type: "rsa" | "ec" | "ed25519" | "x25519" | "ed448", options: object = {}) =>
  generateKeyPairSync(type as "rsa", options as { modulusLength: number }).publicKey.export({
    format: "jwk",
  });

test("keys of JWTs are one secret, one set, or one address", () => {
  const jwk = publicKey("ec", { namedCurve: "P-256" });
  const good = {
    AUTH_JWT_SECRET: SECRET,
    AUTH_JWKS: jwksOf(jwk),
    AUTH_JWKS_URL: "https://app.example.com/.well-known/jwks.json",
  };
  for (const [name, value] of Object.entries(good)) expect(wrong({ ...ISSUED, [name]: value })).toEqual([]);
  expect(readConfig({ ...ISSUED, AUTH_JWKS: good.AUTH_JWKS }).jwt?.keys).toEqual({ jwks: [jwk as JWK] });
  expect(readConfig({ ...ISSUED, AUTH_JWKS_URL: good.AUTH_JWKS_URL }).jwt?.keys).toEqual({
    url: new URL(good.AUTH_JWKS_URL),
  });
  const one = "takes only one of AUTH_JWT_SECRET, AUTH_JWKS, AUTH_JWKS_URL";
  expect(wrong({ ...ISSUED, ...good })).toEqual([`AUTH_JWT_SECRET, AUTH_JWKS, AUTH_JWKS_URL: ${one}`]);
  for (const left of Object.keys(good)) {
    const two = Object.keys(good).filter((name) => name !== left);
    expect(wrong({ ...ISSUED, ...good, [left]: "" })).toEqual([`${two.join(", ")}: ${one}`]);
  }
});

test("JWTs need an issuer and an audience with their keys, and the other way round", () => {
  const issuer = 'AUTH_ISSUER: is needed with AUTH_JWT_SECRET: takes the tokens\' "iss", exactly';
  const audience = 'AUTH_AUDIENCE: is needed with AUTH_JWT_SECRET: takes an "aud" of the tokens';
  expect(wrong({ AUTH_JWT_SECRET: SECRET })).toEqual([issuer, audience]);
  expect(wrong({ AUTH_JWT_SECRET: SECRET, ...ISSUED, AUTH_ISSUER: " " })).toEqual([issuer]);
  expect(wrong({ AUTH_JWT_SECRET: SECRET, ...ISSUED, AUTH_AUDIENCE: "" })).toEqual([audience]);
  expect(wrong({ AUTH_JWT_SECRET: SECRET, ...ISSUED, AUTH_ISSUER: "x".repeat(401) })).toHaveLength(1);
  const keys = "needs keys as well: one of AUTH_JWT_SECRET, AUTH_JWKS, AUTH_JWKS_URL";
  expect(wrong(ISSUED)).toEqual([`AUTH_ISSUER, AUTH_AUDIENCE: ${keys}`]);
  expect(wrong({ AUTH_AUDIENCE: "foyer" })).toEqual([`AUTH_AUDIENCE: ${keys}`]);
});

test("a secret is long enough, and no key; it is never repeated", () => {
  for (const secret of ["short", SECRET.slice(1), "ü".repeat(15)]) {
    const [line, ...more] = wrong({ ...ISSUED, AUTH_JWT_SECRET: secret });
    expect(line).toStartWith("AUTH_JWT_SECRET: takes a secret of at least 32 bytes");
    expect(line).not.toContain(secret);
    expect(more).toEqual([]);
  }
  expect(wrong({ ...ISSUED, AUTH_JWT_SECRET: "ü".repeat(16) })).toEqual([]);
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  for (const key of [
    publicKey.export({ type: "spki", format: "pem" }).toString(),
    JSON.stringify(publicKey.export({ format: "jwk" })),
  ]) {
    expect(wrong({ ...ISSUED, AUTH_JWT_SECRET: key })).toEqual([
      "AUTH_JWT_SECRET: is a key, not a secret; public keys go into AUTH_JWKS",
    ]);
  }
});

test("a key set holds public keys that are strong enough", () => {
  const of = (AUTH_JWKS: string) => wrong({ ...ISSUED, AUTH_JWKS });
  for (const good of [
    publicKey("rsa", { modulusLength: 2048 }),
    publicKey("ec", { namedCurve: "P-384" }),
    publicKey("ec", { namedCurve: "P-521" }),
    publicKey("ed25519"),
  ]) {
    expect(of(jwksOf({ ...good, kid: "a", alg: "x" }))).toEqual([]);
  }
  for (const none of ["nonsense", "[]", "{}", "null", '"keys"', '{"keys":{}}']) {
    expect(of(none)).toEqual(['AUTH_JWKS: takes a JSON Web Key Set: { "keys": [ … ] }']);
  }
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  for (const secret of [privateKey.export({ format: "jwk" }), { kty: "oct", k: "c2VjcmV0" }]) {
    expect(of(jwksOf(secret))).toEqual(["AUTH_JWKS: holds a private or secret key; takes public ones only"]);
  }
  for (const weak of [
    publicKey("rsa", { modulusLength: 1024 }),
    publicKey("x25519"),
    { kty: "EC", crv: "secp256k1", x: "AA", y: "AA" },
    { kty: "EC", crv: "P-256", x: "AA", y: "AA" },
    { kty: "none" },
    {},
  ]) {
    expect(of(jwksOf(publicKey("ed25519"), weak))[0]).toStartWith(
      "AUTH_JWKS: takes public keys: RSA of 2048",
    );
  }
  expect(of(jwksOf())).toHaveLength(1);
});

test("keys come over https, or from this machine", () => {
  const of = (AUTH_JWKS_URL: string) => wrong({ ...ISSUED, AUTH_JWKS_URL });
  for (const good of [
    "https://app.example.com/jwks",
    "http://127.0.0.1:4000/jwks",
    "http://localhost/jwks",
    "http://[::1]:4000/jwks",
  ]) {
    expect(of(good)).toEqual([]);
  }
  for (const bad of [
    "http://app.example.com/jwks",
    "http://127.0.0.1.example.com/jwks",
    "http://localhost.example.com/",
    "http://10.0.0.1/jwks",
    "https://ada:s3cret@app.example.com/jwks",
    "file:///etc/jwks",
    "data:application/json,{}",
    "app.example.com/jwks",
    "/jwks",
  ]) {
    const [line, ...more] = of(bad);
    expect(line).toStartWith("AUTH_JWKS_URL: takes an https:// address");
    expect(line).not.toContain("s3cret");
    expect(more).toEqual([]);
  }
});

test("with people of another application, strangers sign up only if one says so", () => {
  const external = { ...ISSUED, AUTH_JWT_SECRET: SECRET };
  expect(readConfig(external).signup).toBe("closed");
  for (const SIGNUP of ["open", "invite", "closed"] as const) {
    expect(readConfig({ ...external, SIGNUP }).signup).toBe(SIGNUP);
    expect(readConfig({ SIGNUP }).signup).toBe(SIGNUP);
  }
  expect(wrong({ SIGNUP: "maybe" })).toEqual(["SIGNUP=maybe: takes one of open, invite, closed"]);
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
