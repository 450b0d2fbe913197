import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac, createPublicKey } from "node:crypto";
import { exportJWK, exportSPKI, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { changeAccount } from "../src/admin/queries.ts";
import { readConfig } from "../src/config.ts";
import { createLog } from "../src/log.ts";
import { startServer } from "../src/server.ts";
import { answer } from "./support/answer.ts";
import { Client } from "./support/client.ts";
import { Issuer } from "./support/issuer.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { askedFor } from "./support/socket.ts";

const SECRET = "a secret of the application and ours";
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

let issuer: Issuer;
/** Believes the issuer's keys at their address, and another one on the same database that shares a secret with it. */
let server: TestServer;
let secretServer: TestServer;

beforeAll(async () => {
  issuer = await Issuer.start(...ALGORITHMS);
  server = await testServer({ ...issuer.settings, SIGNUP: "open" });
  secretServer = await testServer(
    { ...issuer.settings, AUTH_JWKS_URL: "", AUTH_JWT_SECRET: SECRET, SIGNUP: "open" },
    server.database,
  );
});
afterAll(async () => {
  await secretServer.close();
  await server.close();
  await issuer.close();
});

let subjects = 0;
const newSubject = () => `subject-${++subjects}`;

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const exchange = (token: unknown, api = server.api) =>
  fetch(`${api}/session/jwt`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
const me = (token: string, api = server.api) => fetch(`${api}/session`, { headers: bearer(token) });

/** Somebody who is known by a JWT. */
async function person(claims: Record<string, unknown> = {}, api = server.api): Promise<Client> {
  const token = await issuer.token("ES256", { sub: newSubject(), ...claims });
  const response = await me(token, api);
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return Client.of(api, await response.json(), bearer(token));
}

/** How a token is judged, as a bearer and in exchange for a session: "in", or the problem's code. Both are one. */
async function judged(token: string, api = server.api): Promise<string> {
  const verdict = async (response: Response) => {
    const body: any = await response.json();
    if (response.status === 200) return "in";
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(JSON.stringify(body)).not.toMatch(/jose|signature|claim|aud\b|iss\b|exp\b|alg/i); // nothing to learn from
    return `${response.status} ${body.code}`;
  };
  const exchanged = await verdict(await exchange(token, api));
  // What no header can carry is no bearer's.
  if (/^[\x21-\x7e]+$/.test(token)) expect(await verdict(await me(token, api))).toBe(exchanged);
  return exchanged;
}
const REFUSED = "401 unauthenticated";

const encode = (part: string | object | Uint8Array): string =>
  Buffer.from(
    typeof part === "string" || part instanceof Uint8Array ? (part as string) : JSON.stringify(part),
  ).toString("base64url");

/** A token by hand: what its header and payload say is what is sent, whatever it is. */
function byHand(
  header: string | object,
  payload: string | object | Uint8Array,
  key: string | Uint8Array = SECRET,
): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
}
const HS256 = { alg: "HS256" };

describe("who is known", () => {
  test("a browser that exchanges a token again keeps its session, and another person's token ends it", async () => {
    const token = await issuer.token("ES256", { sub: newSubject() });
    const first = await exchange(token);
    const cookie = first.headers.getSetCookie()[0]?.split(";")[0] as string;
    const person = Client.of(server.api, (await first.json()) as any, { cookie });
    const stream = await person.stream();
    const again = (given: string) =>
      person.call("POST", "/session/jwt", { token: given }).then(({ headers }) => headers.getSetCookie()[0]);
    expect(await again(token)).toStartWith(`${cookie};`);
    const { sessions } = await person.must("GET", "/sessions");
    expect(sessions).toHaveLength(1);
    expect(await again(await issuer.token("ES256", { sub: newSubject() }))).not.toStartWith(`${cookie};`);
    await stream.event("bye");
    expect(await answer(person.call("GET", "/session"))).toBe(REFUSED);
  });

  test("a time of issue in the future does not freeze the name", async () => {
    const sub = newSubject();
    const future = Math.floor(Date.now() / 1000) + 3_000_000;
    const told = await issuer.token("ES256", { sub, name: "From the future", iat: future });
    expect((await (await me(told)).json()).name).toBe("From the future");
    const later = await issuer.token("ES256", { sub, name: "From now" });
    expect((await (await me(later)).json()).name).toBe("From now");
  });

  test("by every algorithm of a key that is published, and by a shared secret", async () => {
    for (const alg of ALGORITHMS) expect([alg, await judged(await issuer.token(alg))]).toEqual([alg, "in"]);
    for (const alg of ["HS256", "HS384", "HS512"]) {
      const token = await new SignJWT(issuer.claims())
        .setProtectedHeader({ alg })
        .sign(new TextEncoder().encode(SECRET));
      expect([alg, await judged(token, secretServer.api)]).toEqual([alg, "in"]);
    }
  });

  test("by a key that is set by itself", async () => {
    const jwks = JSON.stringify({ keys: issuer.published.filter(({ kid }) => kid === "ES256") });
    const inline = await testServer(
      { ...issuer.settings, AUTH_JWKS_URL: "", AUTH_JWKS: jwks },
      server.database,
    );
    try {
      expect(await judged(await issuer.token("ES256"), inline.api)).toBe("in");
      expect(await judged(await issuer.token("ES384"), inline.api)).toBe(REFUSED);
    } finally {
      await inline.close();
    }
  });

  test("on every route, on streams and over a socket; one's rooms are one's own", async () => {
    const [ada, ben] = [await person(), await person()];
    const room = await ada.openRoom("general");
    const [list, timeline, socket] = [await ada.stream(), await ada.watch(room.id), await ada.socket()];
    socket.send({ subscribe: "room", id: room.id });
    await Promise.all([list.event("rooms"), timeline.event("messages"), socket.event("messages")]);
    await ada.send(room.id, "hello");
    await Promise.all([list.event("rooms", 2), timeline.event("messages", 2), socket.event("messages", 2)]);
    expect(await answer(ben.call("GET", `/rooms/${room.id}/messages`))).toBe("404 room-not-found");
    expect(await answer(ada.call("DELETE", "/session"))).toBe("204"); // ends nothing
    await ada.send(room.id, "still here");
    await timeline.event("messages", 3);
    for (const reader of [list, timeline]) reader.close();
    await socket.close();
  });

  test("a token is exchanged for a session, which lasts as any other does", async () => {
    const token = await issuer.token("ES256", { sub: newSubject(), preferred_username: "grace" });
    const response = await exchange(token);
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const user: any = await response.json();
    expect(user).toEqual({ id: expect.any(Number), handle: "grace", name: "Ada" });
    const [cookie = ""] = response.headers.getSetCookie();
    expect(cookie).toMatch(/^foyer_session=[\w-]{43}; .*Max-Age=2592000/);
    const session = Client.of(server.api, user, { cookie: cookie.split(";")[0] as string });
    expect(await session.must("GET", "/session")).toEqual(user);
    const [row] = await server.database.sql`
      select ends_at > now() + interval '29 days' as long from sessions where user_id = ${user.id}`;
    expect(row?.long).toBe(true);
    expect(await answer(session.call("DELETE", "/session"))).toBe("204");
    expect(await answer(session.call("GET", "/session"))).toBe("401 unauthenticated");
    // And no password is theirs, nor can one be made up.
    for (const password of ["", "null", "correct horse"]) {
      expect(await answer(session.call("POST", "/session", { handle: "grace", password }))).toBe(
        "401 bad-credentials",
      );
    }
  });

  test("nothing of a token is kept", async () => {
    const { user, headers } = await person();
    await exchange((headers.authorization as string).slice("Bearer ".length));
    const { sql } = server.database;
    const [row] =
      await sql`select string_agg(i::text, ' ') as text from identities i where user_id = ${user.id}`;
    expect(row?.text).toContain(issuer.issuer);
    for (const part of headers.authorization?.slice("Bearer ".length).split(".") ?? []) {
      expect(row?.text).not.toContain(part);
    }
  });

  test("and nothing of it is logged: only why it was refused", async () => {
    const lines: string[] = [];
    const config = readConfig({ PORT: "0", LOG_LEVEL: "trace", ...issuer.settings });
    const log = createLog(config.logLevel, { write: (line) => void lines.push(line) });
    const logging = await startServer(config, server.database.target, log);
    const api = `${logging.url}/chat/api`;
    const secret = "s3cret".repeat(40);
    const tokens = [
      await issuer.token("ES256", { name: secret, sub: "s3cret-subject" }),
      await issuer.token("ES256", { iss: secret }),
      await issuer.token("ES256", { aud: [secret] }),
      await issuer.token("ES256", {}, { kid: secret }),
      await issuer.token("ES256", {}, { typ: secret }),
      byHand({ alg: "ES256", kid: "ES256", crit: [`x${secret}`] }, issuer.claims()),
      byHand({ alg: secret }, issuer.claims()),
      `${secret}.${secret}.${secret}`,
      `${encode(`{"s3cret`)}.${encode("s3cret")}.${encode("s3cret")}`,
    ];
    try {
      for (const token of tokens) await judged(token, api);
    } finally {
      await logging.stop();
    }
    const text = lines.join("");
    for (const token of tokens) for (const part of token.split(".")) expect(text).not.toContain(part);
    expect(text).not.toContain("s3cret");
    const refusals = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "a JWT was refused");
    expect(refusals).toHaveLength(2 * (tokens.length - 1));
    expect(refusals[0]).toMatchObject({ code: "ERR_JWT_CLAIM_VALIDATION_FAILED", claim: "iss" });
  });

  test("where no JWTs are set up, none counts, and the exchange says so", async () => {
    const plain = await testServer({}, server.database);
    try {
      const token = await issuer.token("ES256");
      expect((await me(token, plain.api)).status).toBe(401);
      const response = await exchange(token, plain.api);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: "jwt-off" });
    } finally {
      await plain.close();
    }
  });

  test("our own tokens still count beside JWTs", async () => {
    const ada = await person();
    const { token } = await ada.must("POST", "/tokens", { name: "script" });
    expect(await ada.with(bearer(token)).must("GET", "/session")).toEqual(ada.user);
  });
});

describe("who they become", () => {
  test("one user, however many requests come at once, at two servers", async () => {
    const sub = newSubject();
    const token = await issuer.token("ES256", { sub, preferred_username: "crowd" });
    const secret = byHand(HS256, issuer.claims({ sub, preferred_username: "crowd.2" }));
    const responses = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 ? me(token) : me(secret, secretServer.api))),
    );
    const users: any[] = await Promise.all(responses.map((response) => response.json()));
    expect(new Set(users.map(({ id }) => id)).size).toBe(1);
    expect(users[0].handle).toStartWith("crowd");
    const { sql } = server.database;
    expect(await sql`select from users where handle like 'crowd%'`).toHaveLength(1);
    expect(await sql`select from identities where subject = ${sub}`).toHaveLength(1);
  });

  test("never the user of a password, whatever the token says; a handle that is taken gets a suffix", async () => {
    const local = await Client.signUp(server.api, "victim");
    const seen = [];
    for (let i = 0; i < 8; i++) {
      const { user } = await person({ preferred_username: "victim", name: "Victim", id: local.user.id });
      seen.push(user);
    }
    expect(seen.map(({ handle }) => handle).slice(0, 3)).toEqual(["victim-2", "victim-3", "victim-4"]);
    for (const { handle } of seen) expect(handle).toMatch(/^victim-[a-z0-9]{1,8}$/);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(8);
    expect(seen.map(({ id }) => id)).not.toContain(local.user.id);
    // Many newcomers with one wish at the same moment.
    const together = await Promise.all(
      Array.from({ length: 12 }, () => person({ preferred_username: "wish" })),
    );
    expect(new Set(together.map(({ user }) => user.handle)).size).toBe(12);
    const long = "l".repeat(40);
    const [first, second] = [
      await person({ preferred_username: long }),
      await person({ preferred_username: long }),
    ];
    expect([first.user.handle, second.user.handle]).toEqual(["l".repeat(32), `${"l".repeat(30)}-2`]);
  });

  test("another subject is another user, to the letter; another issuer as well", async () => {
    const ids = new Set<number>();
    const subjects = [
      "Case",
      "case",
      "case ",
      " case",
      "ca\u0301se",
      "c\u00e1se",
      "case%",
      "ca_e",
      "0",
      "00",
    ];
    for (const sub of subjects) ids.add((await person({ sub })).user.id);
    expect(ids.size).toBe(subjects.length);
    const elsewhere = await testServer(
      { ...issuer.settings, AUTH_ISSUER: "https://other.example.com" },
      server.database,
    );
    try {
      const { user } = await person({ sub: "case", iss: "https://other.example.com" }, elsewhere.api);
      expect(ids.has(user.id)).toBe(false);
    } finally {
      await elsewhere.close();
    }
  });

  test.each([
    ["Ada.Lovelace", undefined, "ada.lovelace"],
    ["ada@example.com", undefined, "ada"],
    ["@Åsa Öberg", undefined, "asa-oberg"],
    ["  spaces  and\ttabs ", undefined, "spaces-and-tabs"],
    ["../../etc/passwd", undefined, "etc-passwd"],
    ["'; drop table users; --", undefined, "drop-table-users"],
    ["<script>", undefined, "script"],
    ["Ａｄａ", undefined, "ada"], // full width
    ["a\u202eb\0c", undefined, "a-b-c"],
    ["日本", "Taro Yamada", "taro-yamada"],
    ["x", "Xavier", "xavier"],
    ["@", undefined, "user"],
    [17, { a: 1 }, "user"],
    ["\ud800", "日本", "user"],
    ["z".repeat(40), undefined, "z".repeat(32)],
  ])("preferred_username %p with name %p becomes a handle", async (preferred_username, name, handle) => {
    const { user } = await person({ preferred_username, name });
    expect(user.handle).toMatch(new RegExp(`^${handle.slice(0, 30).replaceAll(".", "\\.")}`));
    expect(user.handle).toMatch(/^[a-z0-9._-]{2,32}$/);
  });

  test("a name is shown as it is told: one line, of at most 80 characters", async () => {
    const named = async (name: unknown, preferred_username?: unknown) =>
      (await person({ name, preferred_username })).user.name;
    for (const name of ["Łukasz Żółć", "李小龍", "👩‍👩‍👧 Família", "O'Brien <b>", "עברית"]) {
      expect(await named(name)).toBe(name);
    }
    expect(await named("  Two\n\tLines\u2028 ")).toBe("Two Lines");
    expect(await named("😀".repeat(100))).toBe("😀".repeat(80));
    expect(await named("a\0b")).toBe("a b");
    expect(await named(undefined, "Nick Name")).toBe("Nick Name");
    for (const none of ["", " \n", 17, ["Ada"], { first: "Ada" }, null, true, "\udc00"]) {
      expect([none, await named(none, "nick")]).toEqual([none, "nick"]);
    }
    expect(await named(undefined)).toMatch(/^user/);
  });

  test("the issuer's new name follows, with the rooms that show it; an older token changes nothing back", async () => {
    const sub = newSubject();
    const now = Math.floor(Date.now() / 1000);
    const of = async (name: string | undefined, iat: number | undefined) => {
      const token = await issuer.token("ES256", { sub, name, iat });
      return { token, user: (await (await me(token)).json()) as any };
    };
    const old = await of("Miss Ada", now - 60);
    const friend = await person();
    const room = await friend.openRoom("general", [Client.of(server.api, old.user, {})]);
    const ada = Client.of(server.api, old.user, bearer(old.token));
    await ada.send(room.id, "hello");
    const stream = await friend.stream();
    await stream.event("rooms");

    const { user } = await of("Mrs Ada", now - 30);
    expect(user).toEqual({ ...old.user, name: "Mrs Ada" });
    await stream.until(({ rooms }) => rooms.get(room.id)?.lastMessage?.sender.name === "Mrs Ada");
    stream.close();
    expect(await ada.must("GET", "/session")).toMatchObject({ name: "Mrs Ada" }); // by the old token
    expect((await of("Miss Ada", now - 59)).user.name).toBe("Mrs Ada");
    expect((await of(undefined, now - 20)).user.name).toBe("Mrs Ada");

    // A rename of their own stays until the issuer tells another name.
    await ada.must("PATCH", "/users/me", { name: "Countess" });
    expect((await of("Mrs Ada", now - 10)).user.name).toBe("Countess");
    expect((await of("Lady Ada", now - 9)).user.name).toBe("Lady Ada");
    // One that says it was issued in the future does not hold up those that follow.
    expect((await of("Future", now + 9_999_999)).user.name).toBe("Future");
    expect((await of("Present", undefined)).user.name).toBe("Present");
  });
});

describe("what is refused", () => {
  test("no algorithm at all, however it is written", async () => {
    const claims = issuer.claims();
    const [, , signature] = (await issuer.token("RS256")).split(".");
    for (const alg of [
      "none",
      "None",
      "NONE",
      "nOnE",
      "noNe",
      " none",
      "none ",
      "",
      null,
      0,
      false,
      ["none"],
      undefined,
    ]) {
      const input = `${encode({ alg, typ: "JWT" })}.${encode(claims)}`;
      for (const token of [input, `${input}.`, `${input}.${signature}`, `${input}.${encode("x")}`]) {
        expect([token, await judged(token)]).toEqual([token, REFUSED]);
        expect([token, await judged(token, secretServer.api)]).toEqual([token, REFUSED]);
      }
      const keyed = byHand({ alg }, claims);
      expect([keyed, await judged(keyed, secretServer.api)]).toEqual([keyed, REFUSED]);
    }
  });

  test("an algorithm of another kind: a public key is no secret, and a secret no key", async () => {
    for (const alg of ["RS256", "ES256", "EdDSA"]) {
      const jwk = issuer.published.find(({ kid }) => kid === alg) as JWK;
      const key = createPublicKey({ key: jwk as any, format: "jwk" });
      const pem = key.export({ type: "spki", format: "pem" }).toString();
      const secrets = [
        pem,
        pem.trimEnd(),
        await exportSPKI((await importJWK(jwk)) as any),
        key.export({ type: "spki", format: "der" }),
        JSON.stringify(jwk),
        Buffer.from(jwk.n ?? jwk.x ?? "", "base64url"),
        String(jwk.n ?? jwk.x),
        "",
      ];
      for (const secret of secrets) {
        for (const header of [HS256, { ...HS256, kid: alg }, { ...HS256, kid: alg, typ: "JWT" }]) {
          expect(await judged(byHand(header, issuer.claims(), secret))).toBe(REFUSED);
        }
      }
    }
    // Nor does the good secret of another server count where keys are public, or a key where there is a secret.
    expect(await judged(byHand(HS256, issuer.claims()))).toBe(REFUSED);
    for (const alg of ALGORITHMS) {
      expect(await judged(await issuer.token(alg), secretServer.api)).toBe(REFUSED);
    }
    for (const alg of ["HS1", "hs256", "HS256 ", "HS257", "A256KW", "dir", "RSA1_5", "ES256K"]) {
      expect(await judged(byHand({ alg }, issuer.claims()), secretServer.api)).toBe(REFUSED);
    }
  });

  test("a key of one algorithm for another one", async () => {
    for (const [kid, alg] of [
      ["RS256", "PS256"],
      ["RS256", "RS512"],
      ["ES256", "ES384"],
      ["EdDSA", "ES256"],
    ] as const) {
      const [, payload, signature] = (await issuer.token(kid)).split(".");
      expect(await judged(`${encode({ alg, kid })}.${payload}.${signature}`)).toBe(REFUSED);
    }
    expect(await judged(await issuer.token("RS256", {}, { kid: "ES256" }))).toBe(REFUSED);
  });

  const now = () => Math.floor(Date.now() / 1000);
  test.each<[string, () => Record<string, unknown>]>([
    ["no issuer", () => ({ iss: undefined })],
    ["another issuer", () => ({ iss: "https://evil.example.com" })],
    ["nearly the issuer", () => ({ iss: "https://app.example.com/" })],
    ["the issuer in other letters", () => ({ iss: "https://APP.example.com" })],
    ["a list of issuers", () => ({ iss: ["https://app.example.com"] })],
    ["no audience", () => ({ aud: undefined })],
    ["another audience", () => ({ aud: "shop" })],
    ["other audiences", () => ({ aud: ["shop", "blog", "foyer2", ["foyer"]] })],
    ["no audiences", () => ({ aud: [] })],
    ["an audience that is none", () => ({ aud: { foyer: true } })],
    ["no end", () => ({ exp: undefined })],
    ["an end that is null", () => ({ exp: null })],
    ["an end in words", () => ({ exp: String(now() + 300) })],
    ["an end that is past", () => ({ exp: now() - 6 })],
    ["an end long past", () => ({ exp: 0 })],
    ["an end before all time", () => ({ exp: -1e300 })],
    ["a beginning in the future", () => ({ nbf: now() + 60 })],
    ["a beginning in words", () => ({ nbf: "now" })],
    ["a beginning that is null", () => ({ nbf: null })],
    ["an issue in words", () => ({ iat: "yesterday" })],
    ["no subject", () => ({ sub: undefined })],
    ["an empty subject", () => ({ sub: "" })],
    ["a subject that is a number", () => ({ sub: 1 })],
    ["a subject that is null", () => ({ sub: null })],
    ["a subject that is true", () => ({ sub: true })],
    ["a subject that is a list", () => ({ sub: ["ada"] })],
    ["a subject that is an object", () => ({ sub: { toString: "ada" } })],
    ["a huge subject", () => ({ sub: "a".repeat(256) })],
    ["a subject with a NUL", () => ({ sub: "ada\0" })],
    ["a subject with half a character", () => ({ sub: "ada\ud800" })],
  ])("a token with %s", async (_what, wrong) => {
    expect(await judged(await issuer.token("ES256"))).toBe("in");
    expect(await judged(await issuer.token("ES256", wrong()))).toBe(REFUSED);
    expect(await judged(byHand(HS256, issuer.claims(wrong())), secretServer.api)).toBe(REFUSED);
  });

  test("clocks may differ by a little; a list of audiences that has ours is good, and so are 255 characters", async () => {
    for (const good of [
      { exp: now() - 2 },
      { nbf: now() + 3 },
      { nbf: 0 },
      { exp: now() + 60.5 },
      { exp: 9e15 },
      { aud: ["shop", "foyer"] },
      { sub: "😀".repeat(255) },
      { iat: 1e308 },
      { iat: -5 },
    ]) {
      expect([good, await judged(await issuer.token("ES256", good))]).toEqual([good, "in"]);
    }
  });

  test("numbers that JSON cannot hold", async () => {
    const text = JSON.stringify(issuer.claims({ exp: "EXP" }));
    for (const exp of [
      "1e400",
      "-1e400",
      "NaN",
      "Infinity",
      "0x7fffffffff",
      "[9999999999]",
      '"9999999999"',
    ]) {
      const token = byHand(HS256, text.replace('"EXP"', exp));
      expect([exp, await judged(token, secretServer.api)]).toEqual([exp, REFUSED]);
    }
  });

  test("claims that come twice: the last one counts, here as at the issuer", async () => {
    const { sub: _, ...rest } = issuer.claims();
    const [first, last] = [newSubject(), newSubject()];
    const text = `{"sub":"${first}","iss":"https://evil.example.com",${JSON.stringify(rest).slice(1, -1)},"sub":"${last}"}`;
    const double = await me(byHand(HS256, text), secretServer.api);
    const single = await me(byHand(HS256, issuer.claims({ sub: last })), secretServer.api);
    expect(double.status).toBe(200);
    expect(await double.json()).toEqual(await single.json());
    const evil = `${text.slice(0, -1)},"iss":"https://evil.example.com"}`;
    expect(await judged(byHand(HS256, evil), secretServer.api)).toBe(REFUSED);
    expect(await judged(byHand('{"alg":"HS256","alg":"none"}', issuer.claims()), secretServer.api)).toBe(
      REFUSED,
    );
    const proto = byHand(HS256, `{"__proto__":${JSON.stringify(issuer.claims())}}`);
    expect(await judged(proto, secretServer.api)).toBe(REFUSED);
  });

  test("a signature that is stripped, cut, changed, of another token or of zeros", async () => {
    for (const kid of ALGORITHMS) {
      const [header, payload, signature = ""] = (await issuer.token(kid)).split(".");
      const [, , other] = (await issuer.token(kid, { sub: "ben" })).split(".");
      const bytes = Buffer.from(signature, "base64url");
      const flipped = Buffer.from(bytes);
      flipped[0] = (flipped[0] as number) ^ 1;
      const n = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex"); // of P-256
      for (const wrong of [
        Buffer.alloc(0),
        Buffer.alloc(1),
        Buffer.alloc(bytes.length), // CVE-2022-21449, "psychic signatures"
        Buffer.alloc(bytes.length, 255),
        Buffer.concat([n, n]),
        Buffer.concat([n, Buffer.alloc(32)]),
        Buffer.from("3006020100020100", "hex"), // r = s = 0 in DER
        bytes.subarray(1),
        bytes.subarray(0, -1),
        Buffer.concat([bytes, Buffer.alloc(1)]),
        Buffer.concat([bytes, bytes]),
        flipped,
        Buffer.from(other as string, "base64url"),
      ]) {
        expect(await judged(`${header}.${payload}.${wrong.toString("base64url")}`)).toBe(REFUSED);
      }
      const root = encode(issuer.claims({ sub: "root" }));
      expect(await judged(`${header}.${root}.${signature}`)).toBe(REFUSED);
      expect(await judged(`${header}.${payload}`)).toBe(REFUSED);
    }
  });

  test("a key that the token itself brings or names: nothing is fetched, nothing is believed", async () => {
    const evil = await Issuer.start("RS256");
    try {
      const pair = await generateKeyPair("RS256", { extractable: true });
      const jwk = await exportJWK(pair.publicKey);
      const headers: Record<string, unknown>[] = [
        { jwk },
        { jwk, kid: "RS256" },
        { jku: evil.url },
        { jku: evil.url, kid: "RS256" },
        { x5u: evil.url, kid: "RS256" },
        { x5c: [encode("certificate")], x5t: "x", kid: "RS256" },
        { kid: evil.url },
        { kid: `${issuer.url}#RS256` },
      ];
      for (const header of headers) {
        const forged = await new SignJWT(issuer.claims())
          .setProtectedHeader({ alg: "RS256", ...header })
          .sign(pair.privateKey);
        expect([header, await judged(forged)]).toEqual([header, REFUSED]);
        expect(await judged(await evil.token("RS256", {}, header))).toBe(REFUSED);
      }
      // On a good token they mean nothing.
      const header = { jwk, jku: evil.url, x5u: evil.url };
      expect(await judged(await issuer.token("RS256", {}, header))).toBe("in");
      expect(evil.fetches).toBe(0);
    } finally {
      await evil.close();
    }
  });

  test("a kid that is none: paths, statements, addresses, huge ones; and they fetch the keys no more", async () => {
    await judged(await issuer.token("ES256"));
    const { fetches } = issuer;
    for (const kid of [
      "../../../../dev/null",
      "/dev/null",
      "file:///etc/passwd",
      "' or '1'='1",
      "x' union select 'secret' --",
      "| id",
      "$(id)",
      "\u0000",
      "__proto__",
      "constructor",
      "0",
      "k".repeat(4_000),
      "",
      0,
      null,
      ["ES256"],
      { kid: "ES256" },
      true,
    ]) {
      expect([kid, await judged(await issuer.token("ES256", {}, { kid }))]).toEqual([kid, REFUSED]);
      // Of an empty file, as a secret.
      expect(await judged(byHand({ ...HS256, kid }, issuer.claims(), ""))).toBe(REFUSED);
      expect(await judged(byHand({ ...HS256, kid }, issuer.claims(), ""), secretServer.api)).toBe(REFUSED);
    }
    const flood = await Promise.all(
      Array.from({ length: 200 }, async (_, i) =>
        judged(await issuer.token("ES256", {}, { kid: `kid-${i}` })),
      ),
    );
    expect(new Set(flood)).toEqual(new Set([REFUSED]));
    expect(issuer.fetches).toBe(fetches);
  });

  test("what a token says is critical, also what is known", async () => {
    const claims = issuer.claims();
    const b64 = { ...HS256, b64: false, crit: ["b64"] };
    for (const header of [
      { ...HS256, crit: ["exp"], exp: claims.exp },
      { ...HS256, crit: ["b64"], b64: true },
      { ...HS256, crit: ["http://example.com/x"], "http://example.com/x": true },
      { ...HS256, crit: [] },
      { ...HS256, crit: "b64" },
      { ...HS256, crit: null },
      b64,
    ]) {
      expect([header, await judged(byHand(header, claims), secretServer.api)]).toEqual([header, REFUSED]);
    }
    // An unencoded payload, signed as such (RFC 7797): its text has no dots.
    const raw = JSON.stringify({ ...claims, iss: "x" });
    const signature = createHmac("sha256", SECRET)
      .update(`${encode(b64)}.${raw}`)
      .digest("base64url");
    expect(await judged(`${encode(b64)}.${raw}.${signature}`, secretServer.api)).toBe(REFUSED);
  });

  test("a JWT of another kind that the same keys have signed", async () => {
    for (const typ of ["logout+jwt", "application/secevent+jwt", "dpop+jwt", "JOSE", "", 1, ["JWT"]]) {
      const token = await issuer.token("ES256", {}, { typ });
      expect([typ, await judged(token)]).toEqual([typ, REFUSED]);
    }
    for (const typ of ["JWT", "jwt", "at+jwt", "application/at+jwt", undefined]) {
      expect([typ, await judged(await issuer.token("ES256", {}, { typ }))]).toEqual([typ, "in"]);
    }
  });

  test("what is no JWT: garbage, nested, encrypted, of no object, not in UTF-8", async () => {
    const good = await issuer.token("ES256");
    const [header = "", payload = "", signature = ""] = good.split(".");
    const nested = await issuer.sign("ES256", good, { cty: "JWT" });
    const tokens = [
      ".",
      "..",
      "...",
      "a.b",
      "a.b.c",
      "....",
      `.${payload}.${signature}`,
      `${header}..${signature}`,
      `${good}.`,
      `.${good}`,
      `${good}.${good}`,
      `${header}.${payload}.${signature}.${signature}`,
      `${header}.${payload}.${signature}.${signature}.${signature}`,
      `${payload}.${header}.${signature}`,
      `${encode("[]")}.${payload}.${signature}`,
      `${encode("null")}.${payload}.${signature}`,
      `${encode('"x"')}.${payload}.${signature}`,
      `${encode("{")}.${payload}.${signature}`,
      `${encode({ alg: "dir", enc: "A256GCM" })}..${payload}.${payload}.${signature}`,
      nested,
      await issuer.sign("ES256", ""),
      await issuer.sign("ES256", "[]"),
      await issuer.sign("ES256", "null"),
      await issuer.sign("ES256", JSON.stringify([issuer.claims()])),
      await issuer.sign("ES256", JSON.stringify(JSON.stringify(issuer.claims()))),
      await issuer.sign("ES256", Buffer.from(JSON.stringify(issuer.claims({ name: "\u00fc" })), "latin1")),
      await issuer.sign("ES256", Buffer.from(JSON.stringify(issuer.claims()), "utf16le")),
      JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
      "\u{1f600}.\u{1f600}.\u{1f600}",
    ];
    for (const token of tokens) expect([token, await judged(token)]).toEqual([token, REFUSED]);
    for (const none of ["", 1, null, {}, [good], "x".repeat(8193), `${good}\0`, `${good}\ud800`])
      expect((await exchange(none)).status).toBe(422);
  });

  test("another spelling of the same bytes", async () => {
    const token = await issuer.token("ES512"); // 132 bytes of signature, the payload with bits to spare
    const [header = "", payload = "", signature = ""] = token.split(".");
    expect(await judged(token)).toBe("in");
    const standard = (part: string) => Buffer.from(part, "base64url").toString("base64");
    const variants = [
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      token.replace(".", ". "),
      token.replace(".", "\n."),
      `${token}=`,
      `${token}==`,
      `${header}=.${payload}=.${signature}=`,
      `${standard(header)}.${standard(payload)}.${standard(signature)}!`,
      `${header}.${payload}.${signature.slice(0, 4)}+${signature.slice(5)}`,
      `${header}.${payload}.${signature.slice(0, 4)}/${signature.slice(5)}`,
      `${header}.${payload}.${signature.slice(0, 4)} ${signature.slice(4)}`,
      `${header}.${payload}.${signature.slice(0, 4)}%2D${signature.slice(5)}`,
    ];
    for (const variant of variants) {
      // Blanks after a header's value are not part of it.
      const spelt = await exchange(variant);
      expect([variant, spelt.status]).toEqual([variant, 401]);
    }
    // The last character's spare bits: of 1 byte more than a multiple of 3, four of them.
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const hs = byHand(HS256, issuer.claims()); // 32 bytes: two spare bits
    const last = alphabet.indexOf(hs.at(-1) as string);
    const twin = hs.slice(0, -1) + alphabet[last ^ 1];
    expect(Buffer.from(twin.split(".")[2] as string, "base64url")).toEqual(
      Buffer.from(hs.split(".")[2] as string, "base64url"),
    );
    expect(await judged(hs, secretServer.api)).toBe("in");
    expect(await judged(twin, secretServer.api)).toBe(REFUSED);
  });

  test("a token that is too long, however good", async () => {
    const padded = (size: number) => issuer.token("ES256", { padding: "x".repeat(size) });
    const spare = 8 * 1024 - (await padded(0)).length;
    const fits = await padded(Math.floor((spare * 3) / 4) - 2);
    expect(fits.length).toBeLessThanOrEqual(8 * 1024);
    expect(await judged(fits)).toBe("in");
    const long = await padded(spare);
    expect((await me(long)).status).toBe(401);
    expect((await exchange(long)).status).toBe(422);
  });
});

describe("when the right ends", () => {
  test("a stream and a socket end when their token does; those by a session or another token stay", async () => {
    const sub = newSubject();
    const long = await issuer.token("ES256", { sub });
    const user: any = await (await me(long)).json();
    const cookie = (await exchange(long)).headers.getSetCookie()[0]?.split(";")[0] as string;
    // The tolerance is 5 s: it ends in some 2 s.
    const short = await issuer.token("ES256", { sub, exp: Math.floor(Date.now() / 1000) - 3 });
    const of = (headers: Record<string, string>) => Client.of(server.api, user, headers);
    const [brief, lasting, session] = [of(bearer(short)), of(bearer(long)), of({ cookie })];
    const room = await lasting.openRoom("general");
    const stream = await brief.stream();
    const timeline = await brief.watch(room.id);
    const socket = await brief.socket();
    const others = [await lasting.stream(), await session.stream()];
    await Promise.all([stream, ...others].map((reader) => reader.event("rooms")));
    await Promise.all([stream, timeline].map((reader) => reader.until(({ ended }) => ended)));
    expect([stream.bye, timeline.bye]).toEqual(["signed-out", "signed-out"]);
    expect(await socket.end()).toEqual({ code: 1008, reason: "signed-out" });
    expect((await me(short)).status).toBe(401); // also if it was believed a moment ago
    await expect(brief.stream()).rejects.toMatchObject({ status: 401 });
    expect(await askedFor(server.api, bearer(short))).toBe("401 unauthenticated");
    await lasting.send(room.id, "still here");
    for (const reader of others) {
      await reader.until(({ rooms }) => rooms.get(room.id)?.lastMessage?.body === "still here");
      expect(reader.ended).toBe(false);
      reader.close();
    }
  });

  test("who is deactivated comes in no more, by whatever token, at any server, until they are reactivated", async () => {
    const admin = await server.administrator();
    const sub = newSubject();
    const token = await issuer.token("ES256", { sub });
    const user: any = await (await me(token)).json();
    const there = byHand(HS256, issuer.claims({ sub }));
    const of = (api: string, headers: Record<string, string>) => Client.of(api, user, headers);
    const [here, elsewhere] = [of(server.api, bearer(token)), of(secretServer.api, bearer(there))];
    const room = await here.openRoom("general");
    const readers = [await here.stream(), await here.watch(room.id), await elsewhere.stream()];
    await Promise.all(readers.map((reader) => reader.until(({ events }) => events.length > 1)));
    const patch = (deactivated: boolean) => admin.must("PATCH", `/admin/users/${user.id}`, { deactivated });
    await patch(true);
    const nextId = async () =>
      (await server.database.sql`select last_value from users_id_seq`)[0]?.last_value;
    const before = await nextId();
    expect(await judged(token)).toBe(REFUSED);
    expect(await judged(await issuer.token("ES256", { sub, name: "Another" }))).toBe(REFUSED);
    for (const reader of readers) {
      await reader.until(({ ended }) => ended);
      expect(reader.bye).toBe("signed-out");
    }
    expect(await judged(there, secretServer.api)).toBe(REFUSED);
    expect(await server.database.sql`select from users where name = 'Another'`).toHaveLength(0);
    expect(await nextId()).toBe(before); // nobody was made and taken back
    await patch(false);
    expect(await (await me(token)).json()).toEqual(user);
    for (const client of [here, elsewhere]) {
      const stream = await client.stream();
      await stream.event("rooms");
      stream.close();
    }
  });

  test("nothing that is committed after a deactivation is told to a stream by JWT, hint or no hint", async () => {
    const admin = await server.administrator();
    const sub = newSubject();
    const member = Client.of(
      secretServer.api,
      (await (await me(await issuer.token("ES256", { sub }))).json()) as any,
      bearer(byHand(HS256, issuer.claims({ sub }))),
    );
    const room = await admin.openRoom("general", [member]);
    const stream = await member.watch(room.id);
    await stream.event("messages");
    // Done without a word to anybody, as by a server whose hints are lost.
    await server.database.sql.begin((tx) =>
      changeAccount(tx, { userId: admin.user.id, address: null }, member.user.id, { deactivated: true }),
    );
    await admin.send(room.id, "canary");
    await stream.until(({ ended }) => ended);
    expect(stream.bye).toBe("signed-out");
    expect(JSON.stringify(stream.events)).not.toContain("canary");
  });

  test("an identity that ends takes the streams of all its tokens with it, at every server", async () => {
    const sub = newSubject();
    const at = async (api: string, token: string) => {
      const client = Client.of(api, (await (await me(token, api)).json()) as any, bearer(token));
      const stream = await client.stream();
      await stream.event("rooms");
      return { client, stream };
    };
    const [one, two] = [
      await at(server.api, await issuer.token("ES256", { sub })),
      await at(secretServer.api, byHand(HS256, issuer.claims({ sub }))),
    ];
    expect(one.client.user).toEqual(two.client.user);
    await server.database.sql`delete from identities where subject = ${sub}`;
    // Whoever ends it says that the person has changed; here, a rename at the one server says so.
    await one.client.must("PATCH", "/users/me", { name: "Renamed" });
    for (const { stream } of [one, two]) {
      await stream.until(({ ended }) => ended);
      expect(stream.bye).toBe("signed-out");
    }
  });
});

describe("where the keys are", () => {
  // How a server takes up new keys, and forgets those that are withdrawn, as time goes by: tests/jwks.test.ts.
  test("each server has the keys that it has fetched", async () => {
    const rotating = await Issuer.start("ES256");
    const [before, after] = [
      await testServer(rotating.settings, server.database),
      await testServer(rotating.settings, server.database),
    ];
    try {
      const sub = newSubject();
      const old = await rotating.token("ES256", { sub });
      expect(await judged(old, before.api)).toBe("in");
      rotating.published = [await rotating.newKey("next", "RS256")];
      const next = await rotating.token("next", { sub });
      expect(await judged(next, before.api)).toBe(REFUSED); // it has asked a moment ago
      expect(await judged(next, after.api)).toBe("in");
      expect(await judged(old, after.api)).toBe(REFUSED);
      expect(await judged(old, before.api)).toBe("in");
      expect(rotating.fetches).toBe(2);
      expect(await (await me(old, before.api)).json()).toEqual(await (await me(next, after.api)).json());
    } finally {
      await after.close();
      await before.close();
      await rotating.close();
    }
  });

  test("while the host of the keys is away, that is a 503, and not the token's fault", async () => {
    const away = await Issuer.start("ES256");
    away.answer = () => new Response("away", { status: 502 });
    const here = await testServer(away.settings, server.database);
    try {
      const token = await away.token("ES256");
      for (const response of [await me(token, here.api), await exchange(token, here.api)]) {
        expect(response.status).toBe(503);
        expect(response.headers.get("retry-after")).toBe("2");
        expect(await response.json()).toMatchObject({ code: "unavailable" });
      }
      expect(await askedFor(here.api, bearer(token))).toBe("503 unavailable");
      // What is wrong whatever the keys are is told as ever.
      expect((await me("a.b.c", here.api)).status).toBe(401);
      expect((await me(byHand(HS256, away.claims()), here.api)).status).toBe(401);
      expect(away.fetches).toBe(1);
      // Others come in meanwhile.
      const { status } = await fetch(`${here.api}/session`, { headers: { cookie: "foyer_session=x" } });
      expect(status).toBe(401);
    } finally {
      await here.close();
      await away.close();
    }
  });
});
