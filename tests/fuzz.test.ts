import { heapStats } from "bun:jsc";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import fc from "fast-check";
import { hashPassword } from "../src/auth/passwords.ts";
import { jwtOf, type Known, known, sessionByJwt } from "./support/cast.ts";
import { Client } from "./support/client.ts";
import { type EventReader, inOrder } from "./support/events.ts";
import { eventually } from "./support/eventually.ts";
import { Issuer } from "./support/issuer.ts";
import { checkProblem, INNER } from "./support/problem.ts";
import {
  type AnyRequest,
  anyRequest,
  CANARY,
  type Credential,
  junk,
  ROUTES,
  type Route,
} from "./support/requests.ts";
import { type TestServer, testServer } from "./support/server.ts";

// Anything at all, many at once. FUZZ_SEED=… throws the same again, FUZZ_REQUESTS=… more or fewer.

const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 20_000);
const AT_ONCE = 25;
const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Milliseconds in which all of a batch must have been answered: nothing may hang. */
const PATIENCE_MS = 30_000;
/**
 * What may be more on the heap after three quarters of the requests than after the first one. A single object or key
 * that were kept of each would be 15,000 of them; what comes and goes with the cache of callers, the rooms and the
 * machine code was 3,000 and 2 MB at the most.
 */
const MOST_MORE = { objects: 7_000, bytes: 6_000_000 };

let issuer: Issuer;
let server: TestServer;
let document: any;
const cast: Record<string, Known> = {};
const flyPassword = Client.password;
let stream: EventReader;

beforeAll(async () => {
  issuer = await Issuer.start("ES256");
  // Slow machines have time: a statement that is cut off would be a 503.
  server = await testServer({ ...issuer.settings, SIGNUP: "open", STATEMENT_TIMEOUT: "60", PAGE: "off" });
  document = await (await fetch(`${server.url}/docs/json`)).json();
  // The first ids are those that are deactivated, added and removed by chance: nobody's who asks.
  for (let i = 1; i <= 5; i++) await server.person("victim");
  const jwt = await issuer.token("ES256", { sub: "ada", preferred_username: "ada" });
  const { user } = await sessionByJwt(server, jwt);
  await server.database.sql`update users set administrator = true where id = ${user.id}`;
  for (const name of ["ada", "ben", "fly"]) cast[name] = await known(server, issuer, name);
  const { ada, ben, fly } = cast as Record<"ada" | "ben" | "fly", Known>;
  await server.database
    .sql`update users set password_hash = ${await hashPassword(flyPassword)} where id = ${fly.user.id}`;
  for (const name of ["first", "second", "third"]) {
    const { id } = await ada.cookie.openRoom(name, [ben.cookie, fly.cookie]);
    for (const who of [ada, ben])
      await who.token.send(id, `hello from ${who.user.handle}`, { clientId: "c" });
  }
  const carol = await server.person("carol");
  const { id } = await carol.must("POST", "/rooms", { kind: "closed", name: "closed" });
  await carol.send(id, CANARY); // none of them is in there
  stream = await ada.cookie.stream();
  await stream.event("rooms");
}, 60_000);
afterAll(async () => {
  stream.close();
  await server.close();
  await issuer.close();
});

const FITTING = {
  handle: fc.oneof(fc.constant("fly"), fc.stringMatching(/^[a-z][a-z0-9._-]{3,12}$/)),
  password: fc.oneof(
    fc.constantFrom(Client.password, "wrong horse"),
    fc.nat().map(() => flyPassword),
  ),
  current: fc.nat().map(() => flyPassword),
  next: fc.nat().map(() => flyPassword),
  token: fc.nat().map(() => jwtOf(cast.fly as Known)),
  clientId: fc.constantFrom("a", "b", "c"),
  members: fc.subarray([1, 2, 6, 7, 8]), // 6 to 8: those who ask
};

const named = ({ method, path }: Route) => `${method} ${path}`;
/** What ends the session that it is asked with, or somebody's by name. */
const ENDS = new Set(["DELETE /session", "DELETE /sessions/:id", "PUT /session/password"]);
const STARTS = new Set(["POST /users", "POST /session", "POST /session/jwt"]);
/** What hashes passwords takes some 30 ms of a core, each. */
const HASHES = new Set([
  "POST /users",
  "POST /session",
  "PUT /session/password",
  "POST /admin/users/:id/password",
]);
/** What takes rooms away: the others want some. */
const REMOVES = new Set([
  "DELETE /rooms/:id",
  "DELETE /admin/rooms/:id",
  "DELETE /rooms/:id/members/:userId",
]);
/** What makes something to ask for, and what seldom finds what it asks for. */
const SELDOM = new Set([
  "POST /rooms",
  "POST /rooms/:id/messages",
  "GET /rooms/:id/messages/:seq",
  "PATCH /rooms/:id/messages/:seq",
  "DELETE /rooms/:id/messages/:seq",
  "PUT /rooms/:id/messages/:seq/reactions/:emoji",
  "DELETE /rooms/:id/messages/:seq/reactions/:emoji",
]);
function often(route: Route): number {
  const name = named(route);
  if (HASHES.has(name)) return 0.2;
  if (REMOVES.has(name)) return 0.3;
  return SELDOM.has(name) ? 3 : 1;
}
const request = anyRequest(["ada", "ben"], FITTING, often);

/** Somebody's by whom it may be asked: ada's and ben's own sessions and tokens stay. */
function headersOf({ route, method, target, credential, headers }: AnyRequest): Record<string, string> {
  const { ...given } = "headers" in credential ? credential.headers : identity(credential);
  return { ...given, ...headers };

  function identity({ who, by }: Exclude<Credential, { headers: unknown }>) {
    const risky = route
      ? ENDS.has(named(route)) || STARTS.has(named(route)) || named(route) === "DELETE /tokens/:id"
      : /session|users|tokens/i.test(target) && method !== "GET";
    return (cast[risky ? "fly" : who] as Known)[by].headers;
  }
}

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** Bun's own refusal of what is no HTTP: it has no body. */
  isBuns?: boolean;
}

async function ask(wanted: AnyRequest, signal: AbortSignal): Promise<Answer> {
  const { method, body } = wanted;
  // The newest rooms that there are.
  const target = wanted.target.replace(/~(\d)/, (_, nth) => String([...stream.rooms.keys()].at(-nth) ?? 1));
  const headers = {
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...headersOf(wanted),
  };
  if (wanted.raw) return askRaw({ ...wanted, target }, headers, signal);
  const abort = new AbortController();
  const response = await fetch(server.url + target, {
    method,
    headers,
    body,
    redirect: "manual",
    signal: AbortSignal.any([signal, abort.signal]),
  });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const text = isStream ? "" : await response.text();
  if (isStream) abort.abort();
  return { status: response.status, headers: response.headers, text };
}

/** Asks by bytes: what stands in the target is sent as it is, but for what would end the line. */
async function askRaw(
  { method, target, body }: AnyRequest,
  headers: Record<string, string>,
  signal: AbortSignal,
) {
  const { hostname, port, host } = new URL(server.url);
  const bytes = Buffer.from((body ?? "") as string);
  const lines = [
    `${method} ${decoded(target)} HTTP/1.1`,
    `host: ${host}`,
    "connection: close",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`content-length: ${bytes.length}`]),
  ];
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  socket.on("data", (chunk) => {
    chunks.push(Buffer.from(chunk as Buffer));
    if (String(chunk).includes("text/event-stream")) resolve();
  });
  socket.on("close", () => resolve());
  socket.on("error", () => resolve());
  socket.write(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), bytes]));
  try {
    await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
  const [head = "", ...rest] = Buffer.concat(chunks).toString().split("\r\n\r\n");
  const [first = "", ...fields] = head.split("\r\n");
  const text = rest.join("\r\n\r\n");
  return {
    status: Number(first.split(" ")[1]),
    headers: new Headers(fields.map((field) => field.split(/: ?(.*)/s).slice(0, 2) as [string, string])),
    text,
    isBuns: text === "",
  };
}

/** Without percent signs where a byte of its own can stand: `%0d` and such would be the end of the line, or of the target. */
const decoded = (target: string): string =>
  target.replace(/%([0-9a-f]{2})/gi, (as, hex) => {
    const code = Number.parseInt(hex, 16);
    return code > 0x20 && code !== 0x7f && code !== 0x25 ? String.fromCharCode(code) : as;
  });

/** What a body that went well must not hold either, whatever people have said. */
const INNARDS =
  /node_modules|\/src\/\w+|\bat .+:\d+:\d+|password_hash|secret_hash|\$argon2|pg_catalog|PostgresError/;

const wellAnswered = new Set<string>();

function check({ route, method, target }: AnyRequest, { status, headers, text, isBuns }: Answer): void {
  expect(text).not.toContain(CANARY);
  expect([...headers].join("\n")).not.toMatch(INNARDS);
  if (isBuns && [400, 414, 431, 505].includes(status)) return;
  if (isBuns && method === "X" && Number.isNaN(status)) return; // it hangs up
  expect(status).toBeLessThan(500);
  expect(status).toBeGreaterThan(100);
  if (status < 400) {
    expect(text).not.toMatch(INNARDS);
    if (route) wellAnswered.add(named(route));
  } else if (method === "HEAD") {
    expect(headers.get("content-type")).toBe("application/problem+json");
  } else {
    const { code } = checkProblem({ status, headers }, text);
    if (!route || ["not-found", "bad-request"].includes(code)) return; // its path may be another's, or none
    const path = `/chat/api${route.path.replace(/:(\w+)/g, "{$1}")}`;
    if (!target.startsWith("/chat/api") || /%2e|\.\.|[#?]/i.test(target.split("?", 1)[0] as string)) return;
    expect(document.paths[path][method.toLowerCase()].responses[status]?.description).toContain(
      `\`${code}\``,
    );
  }
}

/** Sends them all at once. @throws with the request that was not answered as it should be */
async function batch(requests: AnyRequest[]): Promise<void> {
  const abort = new AbortController();
  const clock = setTimeout(() => abort.abort(new Error("no answer")), PATIENCE_MS);
  try {
    await Promise.all(
      requests.map(async (wanted) => {
        let answer: Answer | undefined;
        try {
          answer = await ask(wanted, abort.signal);
          check(wanted, answer);
        } catch (error) {
          const { body, ...rest } = wanted;
          const sent = JSON.stringify({ ...rest, route: undefined, body: String(body) }).slice(0, 3_000);
          throw new Error(
            `${error}\nFUZZ_SEED=${SEED}\nasked ${sent}\nanswer ${JSON.stringify(answer)?.slice(0, 3_000)}`,
          );
        }
      }),
    );
  } finally {
    clearTimeout(clock);
  }
  stream.events.length = 0; // what they made of the list is held; they themselves would be a leak
  const { fly } = cast as { fly: Known };
  if ((await fly.cookie.call("GET", "/session")).status === 401) {
    cast.fly = { ...fly, cookie: await sessionByJwt(server, jwtOf(fly)) };
  }
}

/** What is still held. */
function held() {
  Bun.gc(true);
  const { objectCount, heapSize } = heapStats();
  return { objects: objectCount, bytes: heapSize };
}

const property = (requests: number, seed: number) =>
  fc.assert(fc.asyncProperty(fc.array(request, { minLength: AT_ONCE, maxLength: AT_ONCE }), batch), {
    numRuns: Math.ceil(requests / AT_ONCE),
    seed,
    endOnFailure: true, // what came before has made the state that it failed in
    reporter: ({ failed, errorInstance }) => {
      if (failed) throw errorInstance; // it tells all that is needed
    },
  });

test(`${REQUESTS.toLocaleString("en")} requests at random: no error of ours, nothing from within, and nothing left behind`, async () => {
  const warmUp = Math.ceil(REQUESTS / 4);
  await property(warmUp, SEED);
  const before = held();
  await property(REQUESTS - warmUp, SEED + 1);
  const after = held();
  expect(after.objects - before.objects).toBeLessThan(MOST_MORE.objects);
  expect(after.bytes - before.bytes).toBeLessThan(MOST_MORE.bytes);
  // Random as they are, they have reached what they asked for: all but the socket, for which one must ask otherwise.
  expect(ROUTES.map(named).filter((route) => !wellAnswered.has(route))).toEqual(["GET /ws"]);
}, 600_000);

test("frames at random over a socket are answered or refused, and it lives on", async () => {
  const frame = fc.oneof(
    fc.record(
      {
        subscribe: fc.oneof(fc.constantFrom("rooms", "room"), junk),
        id: fc.oneof(fc.integer({ min: 1, max: 60 }), junk),
        cursor: fc.oneof(fc.constantFrom("0.0", "1.1", "9007199254740991.0"), junk),
      },
      { requiredKeys: ["subscribe", "id"] },
    ),
    fc.record({ unsubscribe: fc.oneof(fc.constantFrom("rooms", "room"), junk), id: junk }),
    fc.record({ typing: fc.oneof(fc.integer({ min: 1, max: 60 }), junk) }),
    junk,
  );
  const frames = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: frame.map((value) => JSON.stringify(value)) },
      {
        weight: 1,
        arbitrary: fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("", "{", "[".repeat(9_000))),
      },
    ),
    { minLength: 20, maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(frames, async (sent) => {
      const socket = await (cast.ben as Known).token.socket();
      for (const text of sent) socket.send(text);
      socket.send("that is all");
      await socket.until(() => socket.of("error").some(({ re }) => re === "that is all"));
      for (const { data } of socket.of("error")) {
        expect(data.code).toMatch(/^[a-z]+(-[a-z]+)*$/);
        expect(data.status).toBeLessThan(500);
        expect(JSON.stringify(data)).not.toMatch(INNER);
      }
      expect(JSON.stringify(socket.frames)).not.toContain(CANARY);
      await socket.close();
    }),
    { numRuns: 100, seed: SEED, endOnFailure: true },
  );
}, 60_000);

test("after that the server serves, and what streams and lists tell is what is there", async () => {
  const { ada, ben } = cast as Record<"ada" | "ben", Known>;
  expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  const { id } = await ada.token.openRoom("after", [ben.cookie]);
  await ada.cookie.send(id, "still here");
  expect(await ben.jwt.room(id)).toMatchObject({ unreadCount: 1, lastMessage: { body: "still here" } });

  expect(stream.ended).toBe(false);
  await eventually(async () => Bun.deepEquals(inOrder(stream.rooms), (await ada.cookie.list()).rooms));
  for (const { cookie, user } of [ada, ben]) {
    // From the first message on, so that there is something to count.
    for (const { id } of (await cookie.list()).rooms) {
      await cookie.must("PUT", `/rooms/${id}/unread`, { seq: 1 });
    }
    const counted = await server.database.sql`
      select r.id, coalesce(max(m.seq), 0)::int as "lastSeq", count(m.seq)::int as "messages",
             (count(*) filter (where m.kind = 'text' and m.deleted_at is null and m.sender_id <> ${user.id}
                                 and m.seq > x.last_read_seq))::int as "unreadCount",
             max(m.seq) filter (where m.kind = 'text' and m.deleted_at is null)::int as "lastMessage"
        from memberships x join rooms r on r.id = x.room_id and r.deleted_at is null
        left join messages m on m.room_id = r.id
       where x.user_id = ${user.id} and x.left_at is null
       group by r.id order by r.id`;
    const { rooms } = await cookie.list();
    expect(rooms.length).toBeGreaterThan(0);
    const told = rooms.map(({ id, lastSeq, unreadCount, lastMessage }) => ({
      id,
      lastSeq,
      messages: lastSeq,
      unreadCount,
      lastMessage: lastMessage?.seq ?? null,
    }));
    expect(told.sort((a, b) => a.id - b.id)).toEqual(counted as never);
  }
});
