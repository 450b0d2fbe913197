import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { User } from "../src/auth/queries.ts";
import { hashSecret } from "../src/auth/secrets.ts";
import { bearer, jwtOf, type Known, known, sessionByJwt } from "./support/cast.ts";
import { Client } from "./support/client.ts";
import type { EventReader } from "./support/events.ts";
import { Issuer } from "./support/issuer.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { askedFor, type SocketReader } from "./support/socket.ts";

// Every route of the document × everybody × every way to be known, against the rules below. What is said in a closed
// room is told to nobody outside: in no answer, no header and no event of what they have open all the while.

/** `outsider`: never in the room; `former`: not any more; `dead`: by what was an owner's or an administrator's. */
type Who = "anonymous" | "stranger" | "former" | "administrator" | "member" | "moderator" | "owner" | "dead";
const INSIDERS = ["member", "moderator", "owner"] as const;
type Insider = (typeof INSIDERS)[number];
const rank = (who: Who) => INSIDERS.indexOf(who as Insider); // -1: outside

// --- The rules: what each gets, as `200` or `404 room-not-found` -----------------------------------------------------

type Rule = (who: Who) => string;

const everybody =
  (well: string): Rule =>
  () =>
    well;
/** Whoever is known. */
const people =
  (well: string): Rule =>
  (who) =>
    who === "anonymous" || who === "dead" ? "401 unauthenticated" : well;
/** Who is in the room and at least this; for everybody else there is no room. */
const inside =
  (well: string, least: Insider = "member", refusal = "403 forbidden"): Rule =>
  (who) => {
    if (rank(who) < 0) return people("404 room-not-found")(who);
    return rank(who) >= rank(least) ? well : refusal;
  };
/** Who is in the room, each by their own word. */
const each =
  (words: Record<Insider, string>): Rule =>
  (who) =>
    words[who as Insider] ?? inside("")(who);
/** For everybody else there is nothing at all. */
const administrators =
  (well: string): Rule =>
  (who) =>
    who === "administrator" ? well : "404 not-found";

/** What is said in closed rooms, and must be told to nobody outside. */
const SECRETS = {
  body: "zqcanarybody",
  name: "zqcanaryname",
  topic: "zqcanarytopic",
  clientId: "zqcanaryclient",
  reaction: "🦤",
  /** Of somebody's token. */
  token: "zqcanarytoken",
};
type Secret = keyof typeof SECRETS;

/** A call of a route: to the room with the secrets in it, or to somebody's token, session or account. */
interface Call {
  rule: Rule;
  /** What is special about it. */
  of?: string;
  query?: string;
  body?: unknown | ((user: User) => unknown);
  /** Whose message `{seq}` is; the owner's. */
  seq?: Insider;
  /** Left out: the member. */
  userId?: "me" | "bystander" | Insider;
  /** What those whom it goes well for are told of. */
  tells?: Secret[];
  /** Ends the session that it is asked with. */
  ends?: true;
}

const TEXT = { body: "hello", clientId: "c", replyTo: 1 };
const ALL: Secret[] = ["body", "clientId", "reaction"];

const RULES: Record<string, Call[]> = {
  "GET /health/live": [{ rule: everybody("200") }],
  "GET /health/ready": [{ rule: everybody("200") }],

  "GET /session/ways": [{ rule: everybody("200") }],
  "GET /session": [{ rule: people("200") }],
  "GET /sessions": [{ rule: people("200") }],
  "DELETE /sessions/{id}": [{ of: "somebody else's", rule: people("204") }],
  "PUT /session/password": [
    {
      of: "without having one",
      body: { current: "x", next: "12345678" },
      rule: people("401 bad-credentials"),
    },
  ],
  "POST /tokens": [{ body: { name: "mine" }, rule: people("201") }],
  "GET /tokens": [{ rule: people("200") }],
  "DELETE /tokens/{id}": [{ of: "somebody else's", rule: people("204") }],
  "POST /invites": [
    { rule: (who) => (who === "administrator" ? "201" : people("403 forbidden")(who)), body: { days: 1 } },
  ],
  "GET /users": [{ query: "?q=own", rule: people("200") }],
  "GET /users/me": [{ rule: people("200") }],
  "PATCH /users/me": [{ body: ({ name }: User) => ({ name }), rule: people("200") }],

  "GET /rooms": [
    { rule: people("200"), tells: ["name", "topic", "body"] },
    { of: "unread", query: "?unread=true&limit=500", rule: people("200") },
    { of: "by a cursor of nobody", query: "?since=x", rule: people("200"), tells: ["name", "topic", "body"] },
  ],
  "POST /rooms": [{ body: { kind: "closed", name: "mine" }, rule: people("201") }],
  "GET /rooms/open": [{ query: "?limit=200&q=zq", rule: people("200") }],
  "PUT /rooms/read": [
    { rule: people("200") },
    { of: "by a cursor of nobody", query: "?since=x", rule: people("200"), tells: ["name", "topic", "body"] },
  ],
  "GET /rooms/{id}": [{ rule: inside("200"), tells: ["name", "topic", "body"] }],
  "PATCH /rooms/{id}": [
    { body: { topic: "else" }, rule: inside("200", "moderator") },
    { of: "opening it", body: { kind: "open" }, rule: inside("200", "moderator") },
  ],
  "DELETE /rooms/{id}": [{ rule: inside("204", "owner") }],
  "PUT /rooms/{id}/read": [{ body: { seq: 1 }, rule: inside("200"), tells: ["body"] }],
  "GET /rooms/{id}/unread": [{ rule: inside("200") }],
  "PUT /rooms/{id}/unread": [{ body: { seq: 1 }, rule: inside("200"), tells: ["body"] }],

  "GET /rooms/{id}/members": [{ rule: inside("200") }],
  "PUT /rooms/{id}/members/{userId}": [
    { of: "oneself", userId: "me", rule: inside("200") },
    { of: "oneself as owner", userId: "me", body: { role: "owner" }, rule: inside("200", "owner") },
    { of: "somebody new", userId: "bystander", rule: inside("200", "moderator") },
    { of: "somebody as owner", userId: "member", body: { role: "owner" }, rule: inside("200", "owner") },
  ],
  "PATCH /rooms/{id}/members/me": [{ body: { involvement: "none" }, rule: inside("200") }],
  "DELETE /rooms/{id}/members/{userId}": [
    {
      of: "oneself",
      userId: "me",
      rule: each({ member: "204", moderator: "204", owner: "409 last-owner" }),
    },
    { of: "the member", userId: "member", rule: inside("204") },
    { of: "the moderator", userId: "moderator", rule: inside("204", "moderator") },
    {
      of: "the owner",
      userId: "owner",
      rule: each({ member: "403 forbidden", moderator: "403 forbidden", owner: "409 last-owner" }),
    },
  ],

  "GET /rooms/{id}/messages": [
    { rule: inside("200"), tells: ALL },
    { of: "around one", query: "?around=1&limit=200", rule: inside("200"), tells: ALL },
  ],
  "POST /rooms/{id}/messages": [
    { body: TEXT, rule: inside("201") },
    { of: "again", body: { body: "else", clientId: SECRETS.clientId }, rule: inside("409 client-id-reused") },
  ],
  "GET /rooms/{id}/messages/{seq}": [{ rule: inside("200"), tells: ALL }],
  "PATCH /rooms/{id}/messages/{seq}": (["member", "moderator", "owner"] as const).map((sender) => ({
    of: `the ${sender}'s`,
    seq: sender,
    body: { body: "edited" },
    rule: each({
      member: "403 forbidden",
      moderator: "403 forbidden",
      owner: "403 forbidden",
      [sender]: "200",
    }),
  })),
  "DELETE /rooms/{id}/messages/{seq}": [
    { of: "the member's", seq: "member", rule: inside("204") },
    { of: "the moderator's", seq: "moderator", rule: inside("204", "moderator") },
    { of: "the owner's", seq: "owner", rule: inside("204", "moderator") },
  ],
  "PUT /rooms/{id}/messages/{seq}/reactions/{emoji}": [{ rule: inside("200"), tells: ALL }],
  "DELETE /rooms/{id}/messages/{seq}/reactions/{emoji}": [{ rule: inside("204") }],
  "POST /rooms/{id}/typing": [{ rule: inside("204") }],

  "GET /search": [
    { query: `?q=${SECRETS.body}`, rule: people("200"), tells: ["body"] },
    { of: "in the room", query: `?q=${SECRETS.body}&room={id}`, rule: inside("200"), tells: ["body"] },
  ],

  "GET /stream/rooms": [
    { rule: people("200"), tells: ["name", "topic", "body"] },
    { of: "by a cursor of nobody", query: "?cursor=x", rule: people("200"), tells: ["name", "body"] },
  ],
  "GET /stream/rooms/{id}": [
    { rule: inside("200"), tells: ALL },
    { of: "by the owner's cursor", query: "?cursor={cursor}", rule: inside("200") },
  ],
  "GET /ws": [{ of: "without being one", rule: people("426 upgrade-required") }],

  "GET /admin/users": [{ query: "?q=own", rule: administrators("200") }],
  "PATCH /admin/users/{id}": [
    { of: "nothing", body: {}, rule: administrators("200") },
    { of: "what is none", body: [], rule: administrators("422 invalid") },
    { of: "deactivating", body: { deactivated: true }, rule: administrators("200") },
    { of: "making an administrator", body: { administrator: true }, rule: administrators("200") },
  ],
  "POST /admin/users/{id}/password": [{ of: "who has none", rule: administrators("409 no-password") }],
  "DELETE /admin/users/{id}/credentials": [{ rule: administrators("204") }],
  "GET /admin/rooms": [{ query: "?q=zq&limit=200", rule: administrators("200"), tells: ["name", "topic"] }],
  "DELETE /admin/rooms/{id}": [{ rule: administrators("204") }],
  "GET /admin/audit": [{ query: "?limit=200", rule: administrators("200"), tells: ["name"] }],

  "POST /users": [
    {
      body: () => ({ handle: newHandle(), name: "New", password: Client.password }),
      rule: everybody("201"),
      ends: true,
    },
  ],
  "POST /session": [
    {
      body: () => ({ handle: doorkeeper.user.handle, password: Client.password }),
      rule: everybody("200"),
      ends: true,
    },
    {
      of: "by a wrong password",
      body: { handle: "owner", password: "x" },
      rule: everybody("401 bad-credentials"),
    },
  ],
  "POST /session/jwt": [
    { body: () => ({ token: jwtOf(bystander) }), rule: everybody("200"), ends: true },
    { of: "by none", body: { token: "a.b.c" }, rule: everybody("401 unauthenticated") },
  ],
  "DELETE /session": [{ rule: people("204"), ends: true }],
};

/** What administrators see of rooms that they are not in: that they are there. */
const SHOWN_TO_ADMINISTRATORS: Record<string, Secret[]> = {
  "GET /admin/rooms": ["name", "topic"],
  "GET /admin/audit": ["name"], // of those that they closed
};

// --- Who and where ---------------------------------------------------------------------------------------------------

let issuer: Issuer;
let server: TestServer;
let document: { paths: Record<string, Record<string, unknown>> };
const cast = {} as Record<Exclude<Who, "anonymous" | "dead">, Known>;
/** Somebody whose token, session and account others name. */
let bystander: Known;
let doorkeeper: Client;
const theirs = { token: 0, session: 0 };
let cursor: string;

/** A room, and the numbers of what each has said in it. */
interface Furnished {
  id: number;
  seqs: Record<Insider, number>;
}
let main: Furnished;
/** Rooms of others, that are not to be told from one that is not there. */
const others: number[] = [];
const NOWHERE = Number.MAX_SAFE_INTEGER;

/** Somebody, by one way to be known. */
interface Cell {
  who: Who;
  by: string;
  client: Client;
  /** For calls that end the session: another one, where there is one at all. */
  spare?: () => Promise<Client>;
}
const cells: Cell[] = [];
/** What those outside have open all the while. */
const outside: Record<string, EventReader | SocketReader> = {};
const insideToo: Record<string, EventReader | SocketReader> = {};
let lobby: number;
let handles = 0;
const newHandle = () => `new${++handles}`;

/**
 * Makes a closed room with the secrets in it.
 * @param former who has gone before there were any
 * @param more other moderators
 * @param before what happens before there are any
 */
async function furnish(
  former: Client[] = [],
  more: Client[] = [],
  before = async () => {},
): Promise<Furnished> {
  const { owner, moderator, member } = cast;
  const { id } = await owner.cookie.must("POST", "/rooms", {
    kind: "closed",
    name: "quiet",
    members: [moderator, member, ...former, ...more].map(({ user }) => user.id),
  });
  const at = `/rooms/${id}`;
  await owner.cookie.must("PUT", `${at}/members/${moderator.user.id}`, { role: "moderator" });
  for (const { user } of more)
    await owner.cookie.must("PUT", `${at}/members/${user.id}`, { role: "moderator" });
  for (const { user } of former) await owner.cookie.must("DELETE", `${at}/members/${user.id}`);
  await before();
  const { name, topic, body, clientId, reaction } = SECRETS;
  await owner.cookie.must("PATCH", at, { name, topic });
  const text = `${body} for @stranger @former @administrator @nobody`;
  const say = (who: Insider) => cast[who].cookie.send(id, text, { clientId });
  const seqs = { owner: (await say("owner")).seq, moderator: 0, member: 0 };
  for (const who of ["moderator", "member"] as const) seqs[who] = (await say(who)).seq;
  await owner.cookie.must("PUT", `${at}/messages/${seqs.owner}/reactions/${encodeURIComponent(reaction)}`);
  for (const who of INSIDERS) await cast[who].cookie.must("PUT", `${at}/read`, { seq: NOWHERE });
  return { id, seqs };
}

beforeAll(async () => {
  issuer = await Issuer.start("ES256");
  await issuer.newKey("unpublished", "ES256");
  server = await testServer({ ...issuer.settings, SIGNUP: "open" });
  document = await (await fetch(`${server.url}/docs/json`)).json();
  const someone = (name: string) => known(server, issuer, name);
  const promote = (user: User) =>
    server.database.sql`update users set administrator = true where id = ${user.id}`;

  for (const who of ["stranger", "former", "member", "moderator", "owner"] as const)
    cast[who] = await someone(who);
  // Administrators are made before anybody asks what they may: that is remembered for a moment.
  const adminJwt = await issuer.token("ES256", { sub: "administrator", preferred_username: "administrator" });
  await promote((await sessionByJwt(server, adminJwt)).user);
  cast.administrator = await someone("administrator");
  const ghostJwt = await issuer.token("ES256", { sub: "ghost", preferred_username: "ghost" });
  await promote((await sessionByJwt(server, ghostJwt)).user);
  const ghost = await someone("ghost");
  bystander = await someone("bystander");
  doorkeeper = await server.person("doorkeeper");
  const { owner, administrator, former, stranger, member } = cast;
  theirs.token = (await bystander.cookie.must("POST", "/tokens", { name: SECRETS.token })).id;
  theirs.session = (await bystander.cookie.must("GET", "/sessions")).sessions[0].id;
  ({ id: lobby } = await owner.cookie.openRoom(
    "lobby",
    [stranger, former, administrator].map((p) => p.cookie),
  ));

  // What those have open who will be outside: from before, where they were inside before.
  const { id } = await owner.cookie.must("POST", "/rooms", {
    kind: "closed",
    name: "before",
    members: [former.user.id, ghost.user.id],
  });
  const gone = await sessionByJwt(server, jwtOf(owner)); // will be signed out
  const late = await sessionByJwt(server, jwtOf(owner)); // will expire
  for (const [name, client] of Object.entries({ former: former.cookie, gone, late, ghost: ghost.jwt })) {
    outside[`${name}'s room`] = await client.watch(id);
    if (name !== "former") outside[`${name}'s list`] = await client.stream();
    const socket = await client.socket();
    socket.send({ subscribe: "room", id });
    if (name !== "former") socket.send({ subscribe: "rooms" });
    await socket.event("messages");
    outside[`${name}'s socket`] = socket;
  }
  for (const name of ["stranger", "former", "administrator"] as const) {
    outside[`${name}'s list`] = await cast[name].cookie.stream();
    const socket = await cast[name].token.socket();
    socket.send({ subscribe: "rooms" });
    outside[`${name}'s other socket`] = socket;
  }

  // By what nobody is known any more: each was an owner's, or an administrator's.
  const dead = (by: string, client: Client, spare?: Cell["spare"]) =>
    cells.push({ who: "dead", by, client, spare });
  const end = async (what: string, person: Known) => {
    const client = person.cookie;
    const { token, id } = await client.must("POST", "/tokens", { name: "short" });
    await client.with(bearer(token)).must("GET", "/session"); // known, and remembered
    await client.must("DELETE", `/tokens/${id}`);
    dead(`${what}'s deleted token`, client.with(bearer(token)));
    // What else the request shows does not count.
    const spare = async () =>
      client.with({ ...(await sessionByJwt(server, jwtOf(person))).headers, ...bearer(token) });
    dead(`${what}'s deleted token beside a good cookie`, await spare(), spare);
  };
  for (const [what, person] of Object.entries({ owner, administrator })) {
    await end(what, person);
    const out = what === "owner" ? gone : await sessionByJwt(server, jwtOf(person));
    await out.must("DELETE", "/session");
    dead(`${what}'s session, signed out`, out);
    const expiring = what === "owner" ? late : await sessionByJwt(server, jwtOf(person));
    await server.database.sql`
      update sessions set expires_at = now() - interval '1 second'
       where secret_hash = ${hashSecret(expiring.headers.cookie?.split("=")[1] ?? "")}`;
    dead(`${what}'s expired session`, expiring);
    const past = await issuer.token("ES256", { sub: what, exp: Math.floor(Date.now() / 1000) - 60 });
    dead(`${what}'s expired JWT`, person.jwt.with(bearer(past)));
  }

  main = await furnish([former.cookie], [ghost.cookie], async () => {
    await owner.cookie.must("DELETE", `/rooms/${id}/members/${former.user.id}`);
    await administrator.cookie.must("PATCH", `/admin/users/${ghost.user.id}`, { deactivated: true });
    // No hint tells that a session expires: the hub finds out by itself.
    const closed = Object.entries(outside).filter(([name]) => /^(gone|late|ghost|former's room)/.test(name));
    for (const [name, reader] of closed) await reader.until(() => isOver(reader), `the end of ${name}`);
  });
  dead("a deactivated moderator's and administrator's JWT", ghost.jwt);
  dead("their session", ghost.cookie);
  dead("their token", ghost.token);
  // Who has gone hears nothing of what is said after that.
  await owner.cookie.must("PATCH", `/rooms/${id}`, { name: SECRETS.name, topic: SECRETS.topic });
  await owner.cookie.send(id, SECRETS.body, { clientId: SECRETS.clientId });

  const direct = { kind: "direct", members: [member.user.id, bystander.user.id] };
  const removed = await furnish([former.cookie]);
  await owner.cookie.must("DELETE", `/rooms/${removed.id}`);
  others.push(main.id, (await owner.cookie.must("POST", "/rooms", direct)).id, removed.id, id);
  await owner.cookie.send(others[1] as number, SECRETS.body);
  ({ cursor } = await owner.cookie.page(main.id));
  // For the record of it: what it names is shown to administrators.
  await administrator.cookie.must("DELETE", `/admin/rooms/${(await furnish()).id}`);

  for (const [who, person] of Object.entries(cast) as [Who, Known][]) {
    cells.push({
      who,
      by: "cookie",
      client: person.cookie,
      spare: () => sessionByJwt(server, jwtOf(person)),
    });
    for (const by of ["token", "jwt"] as const) cells.push({ who, by, client: person[by] });
  }
  const forged = await issuer.sign("unpublished", JSON.stringify(issuer.claims({ sub: "owner" })), {
    kid: "ES256",
  });
  const nobody: Record<string, Record<string, string>> = {
    nothing: {},
    "an unknown cookie": { cookie: `foyer_session=${"x".repeat(43)}` },
    "an unknown token": bearer(`foyer_${"x".repeat(43)}`),
    "an empty token": bearer(""),
    "the id of a user": bearer(String(owner.user.id)),
    "a JWT by another key": bearer(forged),
  };
  for (const [by, headers] of Object.entries(nobody)) {
    cells.push({ who: "anonymous", by, client: owner.cookie.with(headers) });
  }

  insideToo["member's list"] = await member.cookie.stream();
  insideToo["member's room"] = await member.token.watch(main.id);
  const socket = await member.jwt.socket();
  socket.send({ subscribe: "rooms" });
  socket.send({ subscribe: "room", id: main.id });
  insideToo["member's socket"] = socket;
}, 60_000);

afterAll(async () => {
  for (const reader of Object.values({ ...outside, ...insideToo })) {
    if ("ended" in reader) reader.close();
    else reader.socket.close();
  }
  await server.close();
  await issuer.close();
});

// --- Asking ----------------------------------------------------------------------------------------------------------

interface Answer {
  status: number;
  /** As in a rule. */
  word: string;
  headers: Record<string, string>;
  text: string;
}

/** An answer as it is on the wire; of a stream, what comes up to its first event of substance. */
async function ask(client: Client, method: string, path: string, body?: unknown): Promise<Answer> {
  const abort = new AbortController();
  const response = await fetch((path.startsWith("/health/") ? server.url : client.api) + path, {
    method,
    headers: { ...client.headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: abort.signal,
  });
  const headers = Object.fromEntries(response.headers);
  delete headers.date;
  const text = await read(response);
  abort.abort();
  const { status } = response;
  const code = status < 300 || method === "HEAD" ? "" : ` ${JSON.parse(text).code}`;
  return { status, word: status + code, headers, text };
}

async function read(response: Response): Promise<string> {
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return response.text();
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (/^event: (rooms|messages)\n[\s\S]*\n\n/m.test(text)) break;
  }
  return text;
}

const isOver = (reader: EventReader | SocketReader): boolean =>
  "ended" in reader ? reader.ended : reader.closed !== null;

/** The secrets that are in it. */
const secretsIn = (seen: unknown): Secret[] => {
  const text = typeof seen === "string" ? seen : JSON.stringify(seen);
  return (Object.keys(SECRETS) as Secret[]).filter((name) => text.includes(SECRETS[name]));
};

/** A path with its parameters filled in. @param id of whatever the route is about */
const fill = (path: string, call: Call, id: string | number, seqs: Furnished["seqs"]): string =>
  (path + (call.query ?? ""))
    .replace("{id}", String(id))
    .replace("{seq}", String(seqs[call.seq ?? "owner"]))
    .replace("{emoji}", encodeURIComponent(SECRETS.reaction))
    .replace("{cursor}", encodeURIComponent(cursor))
    .replace("{userId}", call.userId === "me" ? "me" : String(named(call.userId).id));
const named = (who: Call["userId"]): User =>
  (who === "bystander" ? bystander : cast[(who ?? "member") as Insider]).user;

/** Of what else a refusal, or an answer that is no news, must not be told apart. */
function alike(path: string, query = ""): (string | number)[] {
  if (/^\/(stream\/)?rooms\/\{id\}/.test(path)) return [...others, NOWHERE, "abc", "0"];
  if (query.includes("{id}")) return [...others, NOWHERE];
  if (path === "/tokens/{id}") return [theirs.token, NOWHERE];
  return path === "/sessions/{id}" ? [theirs.session, NOWHERE] : [];
}

/** What of the main room and of the bystander no refused call may change. */
async function state() {
  const { owner } = cast;
  const [room, members, page] = [
    await owner.cookie.room(main.id),
    await owner.cookie.must("GET", `/rooms/${main.id}/members`),
    await owner.cookie.page(main.id),
  ];
  for (const { user } of members.members) delete user.online;
  await bystander.token.must("GET", "/session");
  const { sessions } = await bystander.cookie.must("GET", "/sessions");
  const { tokens } = await bystander.cookie.must("GET", "/tokens");
  const named = [
    sessions.some(({ id }: { id: number }) => id === theirs.session),
    tokens.some(({ id }: { id: number }) => id === theirs.token),
  ];
  return { room, members, messages: page.messages, named };
}

const isRefusal = (word: string) => Number(word.slice(0, 3)) >= 300;

test("every route of the document is here, and nothing else", () => {
  const told = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/^\/chat\/api/, "")}`),
  );
  expect(Object.keys(RULES).sort()).toEqual(told.sort());
});

for (const [route, calls] of Object.entries(RULES)) {
  const [method, path] = route.split(" ") as [string, string];
  for (const call of calls) {
    test(`${route}${call.of ? `, ${call.of}` : ""}`, async () => {
      const before = await state();
      const expected: Record<string, string> = {};
      const got: Record<string, string> = {};
      const wrong: unknown[] = [];

      /** Asks for one; what refuses is asked of the main room, what is done, of one of its own. */
      async function one({ who, by, client, spare }: Cell) {
        const rule = call.rule(who);
        const refused = isRefusal(rule);
        const { id, seqs } = await target(path, refused || method === "GET");
        const asking = (call.ends && (await spare?.())) || client;
        const body = typeof call.body === "function" ? call.body(client.user) : call.body;
        const answer = await ask(asking, method, fill(path, call, id, seqs), body);
        expected[`${who} by ${by}`] = rule;
        got[`${who} by ${by}`] = answer.word;

        const told = secretsIn(answer);
        if (rank(who) < 0) {
          const shown = who === "administrator" ? (SHOWN_TO_ADMINISTRATORS[route] ?? []) : [];
          const leaks = told.filter((secret) => !shown.includes(secret));
          if (leaks.length > 0) wrong.push({ who, by, leaks, answer });
        }
        const shouldTell = who === "administrator" || !route.includes("/admin/") ? (call.tells ?? []) : [];
        if (!refused && (rank(who) >= 0 || route.includes("/admin/"))) {
          const missing = shouldTell.filter((secret) => !told.includes(secret));
          if (missing.length > 0) wrong.push({ who, by, missing, answer });
        }
        if (rank(who) < 0) await compare(asking, { who, by }, answer, body);
        if (refused && method === "GET") {
          const head = await ask(asking, "HEAD", fill(path, call, id, seqs));
          if (head.status !== answer.status || head.text !== "") wrong.push({ who, by, head });
        }
      }

      /** Whatever else they name, it is not to be told from this. */
      async function compare(client: Client, cell: object, answer: Answer, body: unknown) {
        for (const id of alike(path, call.query)) {
          const other = await ask(client, method, fill(path, call, id, main.seqs), body);
          if (!Bun.deepEquals(other, answer)) wrong.push({ ...cell, id, other, answer });
        }
        if (!route.includes(" /admin/") || answer.word !== "404 not-found") return;
        const nothing = await ask(client, method, "/admin/nothing/at/all", body);
        if (!Bun.deepEquals(nothing, answer)) wrong.push({ ...cell, nothing, answer });
      }

      await Promise.all(cells.map(one));
      expect(got).toEqual(expected);
      expect(wrong).toEqual([]);
      expect(await state()).toEqual(before);
    }, 30_000);
  }
}

/** What a call is about: a room, or the id of somebody's session, token or account. */
async function target(path: string, refused: boolean): Promise<{ id: number; seqs: Furnished["seqs"] }> {
  if (path === "/tokens/{id}") return { ...main, id: theirs.token };
  if (path === "/sessions/{id}") return { ...main, id: theirs.session };
  if (path.startsWith("/admin/users/")) {
    return { ...main, id: (refused ? bystander : await known(server, issuer, newHandle())).user.id };
  }
  return refused || !path.includes("/rooms/{id}") ? main : furnish();
}

describe("a socket", () => {
  test("is there for whoever is known, and for nobody else", async () => {
    const expected: Record<string, string> = {};
    const got: Record<string, string> = {};
    for (const { who, by, client } of cells) {
      expected[`${who} by ${by}`] = people("101")(who);
      got[`${who} by ${by}`] = await askedFor(server.api, client.headers);
    }
    expect(got).toEqual(expected);
  });

  test("tells of rooms what the streams tell", async () => {
    for (const { who, by, client } of cells) {
      if (people("")(who) !== "") continue;
      const socket = await client.socket();
      socket.send({ subscribe: "rooms" });
      await socket.event("rooms");
      const ids = [...others, NOWHERE];
      for (const id of ids) {
        for (const frame of [{ subscribe: "room", id, cursor }, { subscribe: "room", id }, { typing: id }]) {
          socket.send(frame);
        }
      }
      socket.send("that is all");
      await socket.until(() => socket.of("error").some(({ re }) => re === "that is all"));
      const errors = socket.of("error").slice(0, -1);
      if (rank(who) >= 0) {
        await socket.until(() => socket.messages.get(main.id)?.has(main.seqs.owner) === true);
        expect([who, by, secretsIn(socket.frames)]).toEqual([
          who,
          by,
          ["body", "name", "topic", "clientId", "reaction"],
        ]);
        expect(errors.length).toBeGreaterThan(0); // of the room that is removed, and the one that never was
      } else {
        expect([who, by, secretsIn(socket.frames)]).toEqual([who, by, []]);
        expect(errors.map(({ data }) => data)).toEqual(Array(3 * ids.length).fill(errors[0]?.data));
        expect(errors[0]?.data.code).toBe("room-not-found");
      }
      await socket.close();
    }
  });
});

test("nobody outside has heard a word of it, and who is inside has heard it all", async () => {
  const { owner } = cast;
  // While they listen.
  const body = `${SECRETS.body} once more, for @stranger`;
  const { seq } = await owner.cookie.send(main.id, body, { clientId: `${SECRETS.clientId} 2` });
  await owner.cookie.must("PATCH", `/rooms/${main.id}/messages/${seq}`, { body: `${body}!` });
  const emoji = encodeURIComponent(SECRETS.reaction);
  await owner.cookie.must("PUT", `/rooms/${main.id}/messages/${seq}/reactions/${emoji}`);
  await owner.cookie.must("PUT", `/rooms/${main.id}/unread`, { seq });
  await owner.cookie.must("POST", `/rooms/${main.id}/typing`);
  // And once this has come, so has all that was before it.
  const { seq: last } = await owner.cookie.send(lobby, "that was all");
  const { seq: lastInside } = await owner.cookie.send(main.id, "that was all");
  for (const [name, reader] of Object.entries(outside)) {
    if (!isOver(reader) && (name.endsWith("list") || name.endsWith("other socket"))) {
      await reader.until(() => reader.rooms.get(lobby)?.lastSeq === last, `${name} brings the lobby`);
      expect([name, reader.rooms.has(main.id)]).toEqual([name, false]);
    }
    expect([name, secretsIn("events" in reader ? reader.events : reader.frames)]).toEqual([name, []]);
  }
  const [list, room, socket] = Object.values(insideToo) as [EventReader, EventReader, SocketReader];
  await list.until(() => list.rooms.get(main.id)?.lastSeq === lastInside);
  await room.until(() => room.messages.has(lastInside));
  await socket.until(() => socket.messages.get(main.id)?.has(lastInside) === true);
  expect(secretsIn(list.events)).toEqual(["body", "name", "topic"]);
  expect(secretsIn(room.events)).toEqual(["body", "name", "clientId", "reaction"]);
  expect(secretsIn(socket.frames)).toEqual(["body", "name", "topic", "clientId", "reaction"]);
});
