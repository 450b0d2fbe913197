import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { Kind, OptionalKind, type TSchema } from "@sinclair/typebox";
import { MAX_BODY } from "../src/body.ts";
import type { Client } from "./support/client.ts";
import { problemOf } from "./support/problem.ts";
import { ROUTES } from "./support/requests.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
let ada: Client;
let ben: Client;
let roomId: number;

beforeAll(async () => {
  server = await testServer();
  // For who is no administrator there would be nothing under /admin.
  [ada, ben] = [await server.administrator("ada"), await server.person("ben")];
  ({ id: roomId } = await ada.openRoom("general", [ben]));
  await ada.send(roomId, "first");
});
afterAll(() => server.close());

const WRITES = ROUTES.filter(({ method }) => method !== "GET");

/** A path with its parameters filled in: ada's room, its first message, herself, an emoji. */
const fill = (path: string): string =>
  path
    .replace(/:id\b/, String(roomId))
    .replace(/:seq\b/, "1")
    .replace(/:userId\b/, String(ada.user.id))
    .replace(/:emoji\b/, encodeURIComponent("👍"));

const CONTENT: [string, string] = ["content-type", "application/json"];

/** Ada's; where somebody signs in, another browser's: that would take the place of her session. */
const headersFor = (method: string, path: string): Record<string, string> =>
  /^POST \/(users|session)$/.test(`${method} ${path}`) ? {} : ada.headers;

/** A request by ada, with whatever body; redirects and such are not followed. */
function send(method: string, path: string, body?: BodyInit, headers: Record<string, string> = {}) {
  const type = body === undefined ? {} : Object.fromEntries([CONTENT]);
  return fetch(server.api + path, {
    method,
    body,
    headers: { ...headersFor(method, path), ...type, ...headers },
  });
}

async function refused(response: Response, status: number, code: string): Promise<any> {
  const problem = await problemOf(response);
  expect({ status: response.status, code: problem.code }).toEqual({ status, code });
  return problem;
}

const bytes = (...parts: (string | number[])[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as string))));

test("a body that is no JSON in UTF-8 is refused, on every write", async () => {
  const bodies: BodyInit[] = [
    "{",
    "}",
    "nonsense",
    "{'name':'x'}",
    '{"name":"x",}',
    '{"name":"x"} trailing',
    "NaN",
    " ",
    "\0",
    bytes([0xff, 0xfe]), // UTF-16
    bytes('{"name":"', [0xff], '"}'),
    bytes('{"name":"', [0xed, 0xa0, 0x80], '"}'), // a surrogate in UTF-8
    bytes('{"name":"', [0xc0, 0x80], '"}'), // an overlong NUL
    bytes('{"name":"', [0xe2, 0x82]), // cut off
  ];
  for (const { method, path } of WRITES) {
    for (const body of bodies) await refused(await send(method, fill(path), body), 400, "bad-json");
  }
});

test("a body that is no object is refused, on every write", async () => {
  for (const { method, path } of WRITES) {
    for (const body of ["[]", "[1]", "[{}]", "0", "1", "-1.5e3", '""', '"text"', "true", "false", "null"]) {
      const problem = await refused(await send(method, fill(path), body), 422, "invalid");
      expect(problem.errors).toEqual([{ path: "", message: "takes a JSON object" }]);
    }
  }
});

test("where a body is needed, none or an empty one is refused", async () => {
  for (const { method, path, body } of WRITES) {
    if (!body?.required) continue;
    for (const none of [undefined, "", "{}"]) {
      const problem = await refused(await send(method, fill(path), none), 422, "invalid");
      expect(problem.errors.length).toBeGreaterThan(0);
    }
  }
});

/** A value that fits, for the fields that are not looked at. */
function fitting(schema: TSchema): unknown {
  if (schema.anyOf) return fitting(schema.anyOf[0]);
  if (schema.enum) return schema.enum[0];
  const fits = { string: "fitting-text", integer: schema.minimum, array: [], boolean: false };
  return fits[schema.type as keyof typeof fits];
}

/** JSON texts that do not fit. */
function unfitting(schema: TSchema): string[] {
  // The only union there is: something, or null.
  if (schema.anyOf) return unfitting(schema.anyOf[0]).filter((json) => json !== "null");
  const others = [
    "true",
    "false",
    "null",
    "{}",
    "[]",
    "[[]]",
    '{"a":1}',
    '{"toString":1}',
    "1",
    "0",
    "1.5",
    "-1",
    '"1"',
    '"\\u0000"',
  ];
  const not = (...fits: string[]) => others.filter((json) => !fits.includes(json));
  switch (schema.type) {
    case "string":
      if (schema.enum)
        return [...not(), ...[`${schema.enum[0]}x`, ` ${schema.enum[0]}`, ""].map((s) => JSON.stringify(s))];
      return [
        ...not('"1"'),
        '"\\ud800"',
        '"a\\udfffb"',
        '"\\ude00\\ud83d"',
        '"nul\\u0000nul"',
        JSON.stringify("x".repeat(schema.maxLength + 1)),
        JSON.stringify("😀".repeat(schema.maxLength + 1)),
        ...(schema.minLength > 0 ? ['""'] : []),
        ...(schema.pattern === "\\S" ? ['" "', '"\\n\\t"'] : []),
        ...(schema.pattern?.startsWith("^[") ? ['"ünï"', '"a\\u007f"'] : []),
      ];
    case "boolean":
      return [...not("true", "false"), '"true"', '""'];
    case "integer":
      return [
        ...not("1", ...(schema.minimum <= 0 ? ["0"] : [])),
        "9007199254740992",
        "-9007199254740992",
        "1e400",
        "1e-5",
        "18446744073709551616",
        '"12"',
        "[1]",
      ];
    case "array":
      return [
        ...not("[]"),
        ...unfitting(schema.items).map((json) => `[${json}]`),
        `[${"1,".repeat(schema.maxItems)}1]`,
      ];
    default:
      throw new Error(`no wrong values for ${schema[Kind]} ${schema.type}`);
  }
}

test("every field of every body is checked, and the answer says which and why", async () => {
  let checked = 0;
  for (const { method, path, body } of WRITES) {
    for (const [field, schema] of Object.entries<TSchema>(body?.properties ?? {})) {
      const rest = Object.entries<TSchema>(body?.properties ?? {})
        .filter(([name, other]) => name !== field && !(OptionalKind in other))
        .map(([name, other]) => `${JSON.stringify(name)}:${JSON.stringify(fitting(other))},`);
      for (const json of unfitting(schema)) {
        const response = await send(method, fill(path), `{${rest.join("")}"${field}":${json}}`);
        const { code, errors } = await problemOf(response);
        const got = { at: `${method} ${path}`, json: json.slice(0, 50), code, path: errors?.[0]?.path };
        expect(got).toEqual({
          ...got,
          code: "invalid",
          path: expect.stringMatching(new RegExp(`^/${field}(/0|$)`)),
        });
        expect(errors[0].message).toMatch(/^takes /);
        checked++;
      }
    }
  }
  expect(checked).toBeGreaterThan(300);
});

test("text is counted in characters, as people do", async () => {
  // Astral characters are two UTF-16 units each, and four bytes.
  expect((await ada.call("PATCH", "/users/me", { name: "😀".repeat(80) })).body.name).toBe("😀".repeat(80));
  await ada.must("PATCH", "/users/me", { name: ada.user.name });
  const sent = await ada.send(roomId, "😀".repeat(10_000));
  expect(sent.body).toBe("😀".repeat(10_000));
});

test("fields that are not asked for are ignored, and never stored", async () => {
  const { sql } = server.database;
  const more = `"id":77777,"ID":1,"role":"owner","userId":${ben.user.id},"created_at":"1999-01-01","createdAt":"1999-01-01",
    "__proto__":{"polluted":true,"role":"owner"},"constructor":{"prototype":{"polluted":true}},"toString":1,"hasOwnProperty":null`;
  const post = async (method: string, path: string, own: string) => {
    const response = await send(method, path, `{${more},${own}}`);
    return { status: response.status, body: (await response.json()) as any };
  };
  const stranger = await post(
    "POST",
    "/users",
    `"handle":"stranger","name":"S","password":"12345678","password_hash":"x"`,
  );
  expect(stranger.status).toBe(201);
  expect(stranger.body.id).not.toBe(77777);

  const renamed = await post("PATCH", "/users/me", `"name":"Ada","handle":"admin","password_hash":"x"`);
  expect(renamed.body).toEqual({ id: ada.user.id, handle: ada.user.handle, name: "Ada" });
  await ada.signInAgain();

  const room = await post(
    "POST",
    "/rooms",
    `"kind":"open","name":"x","lastSeq":9,"memberCount":9,"activeAt":"1999-01-01T00:00:00.000Z"`,
  );
  expect(room.body).toMatchObject({ lastSeq: 0, memberCount: 1, role: "owner" });
  const changed = await post(
    "PATCH",
    `/rooms/${roomId}`,
    `"topic":"x","lastSeq":99,"version":"1","deleted_at":"1999-01-01"`,
  );
  expect(changed.body).toMatchObject({
    id: roomId,
    topic: "x",
    name: "general",
    lastSeq: (await ada.room(roomId)).lastSeq,
  });
  expect(
    (await post("PATCH", `/rooms/${roomId}/members/me`, `"involvement":"all","lastReadSeq":0`)).body,
  ).toMatchObject({ role: "owner" });
  await post("PUT", `/rooms/${roomId}/members/${ben.user.id}`, `"role":"member","involvement":"none"`);
  expect((await ben.room(roomId)).involvement).toBe("all");

  const message = await post(
    "POST",
    `/rooms/${roomId}/messages`,
    `"body":"x","seq":1,"kind":"system","sender":{"id":${ben.user.id}},
    "senderId":${ben.user.id},"mentions":[${ben.user.id}],"editedAt":"1999-01-01","roomId":1`,
  );
  expect(message.body).toMatchObject({
    kind: "text",
    sender: { id: ada.user.id },
    mentions: [],
    editedAt: null,
    roomId,
  });
  expect(Date.parse(message.body.createdAt)).toBeGreaterThan(Date.parse("2020-01-01"));
  expect((await post("PUT", `/rooms/${roomId}/read`, `"seq":1`)).status).toBe(200);

  expect({}).not.toHaveProperty("polluted");
  expect(await sql`select from users where id = 77777`).toHaveLength(0);
  expect(await sql`select from messages where created_at < '2000-01-01'`).toHaveLength(0);
});

test("a body of another type is refused, on every write, also where none is needed", async () => {
  for (const { method, path } of WRITES) {
    const types = [
      "text/plain",
      "text/plain;charset=UTF-8",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonx",
      "application/json5",
      "application/problem+json",
      "text/json",
      "application",
      "nonsense",
    ];
    for (const type of types) {
      await refused(
        await send(method, fill(path), "{}", { "content-type": type }),
        415,
        "unsupported-media-type",
      );
    }
    // fetch names no type for bytes.
    const untyped = await fetch(server.api + fill(path), { method, body: bytes("{}"), headers: ada.headers });
    await refused(untyped, 415, "unsupported-media-type");
  }
});

test("application/json is taken with a charset, and whatever its letters", async () => {
  for (const type of [
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    "Application/JSON ; x=y",
  ]) {
    const response = await send("POST", "/tokens", '{"name":"x"}', { "content-type": type });
    expect([type, response.status]).toEqual([type, 201]);
  }
});

const padded = (size: number): string => {
  const [start, end] = ['{"name":"x","padding":"', '"}'];
  return start + "x".repeat(size - start.length - end.length) + end;
};

test("a body has 64 KiB at most, whether or not it tells its size", async () => {
  expect(MAX_BODY).toBe(64 * 1024);
  const chunked = (body: string) => new Blob([body]).stream();
  for (const form of [(body: string) => body, chunked]) {
    expect((await send("POST", "/tokens", form(padded(MAX_BODY)))).status).toBe(201);
    for (const { method, path } of WRITES) {
      await refused(await send(method, fill(path), form(padded(MAX_BODY + 1))), 413, "body-too-large");
    }
  }
});

/** One HTTP/1.1 connection, byte by byte. */
function open() {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let text = "";
  let closed = false;
  let arrived = () => {};
  socket.on("data", (data) => {
    text += data;
    arrived();
  });
  socket.on("error", () => {}); // a close follows
  socket.on("close", () => {
    closed = true;
    arrived();
  });
  return {
    socket,
    write: (data: string | Uint8Array) => new Promise<void>((resolve) => socket.write(data, () => resolve())),
    /** The next response, complete; or what came before the connection was closed. */
    async response() {
      while (true) {
        const [head = "", ...rest] = text.split("\r\n\r\n");
        const body = rest.join("\r\n\r\n");
        const size = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
        if ((rest.length > 0 && Buffer.byteLength(body) >= size) || closed) {
          text = body.slice(size);
          return {
            status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]),
            type: /^content-type: (.*)$/im.exec(head)?.[1],
            body: body.slice(0, size),
            closed,
          };
        }
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
    },
  };
}

const head = (method: string, path: string, ...headers: string[]) =>
  [
    `${method} ${path} HTTP/1.1`,
    `Host: ${new URL(server.url).host}`,
    `Cookie: ${ada.headers.cookie}`,
    ...headers,
    "",
    "",
  ].join("\r\n");

test("who keeps sending after a 413 is neither waited for nor kept in memory, and may go on", async () => {
  const megabyte = new Uint8Array(1 << 20).fill(0x61);
  const megabytes = 64;
  const announced = ["Content-Type: application/json", `Content-Length: ${megabytes << 20}`];
  const twice = [...announced, `Content-Length: ${megabytes << 20}`];
  const chunked = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
  const floods: [string, string[], number][] = [
    ["/chat/api/tokens", announced, 413],
    ["/chat/api/tokens", twice, 413],
    ["/chat/api/tokens", chunked, 413],
    ["/chat/api/tokens", ["Content-Type: text/plain", "Transfer-Encoding: chunked"], 415],
    ["/chat/api/nowhere", announced, 404],
  ];
  for (const [path, headers, status] of floods) {
    const connection = open();
    await connection.write(head("POST", path, ...headers));
    const inChunks = headers.includes("Transfer-Encoding: chunked");
    const before = process.memoryUsage.rss();
    let most = 0;
    for (let i = 0; i < megabytes; i++) {
      if (inChunks) await connection.write("100000\r\n");
      await connection.write(megabyte);
      if (inChunks) await connection.write("\r\n");
      most = Math.max(most, process.memoryUsage.rss() - before);
    }
    if (inChunks) await connection.write("0\r\n\r\n");
    const answer = await connection.response();
    expect(answer).toMatchObject({ status, type: "application/problem+json", closed: false });
    expect(JSON.parse(answer.body).status).toBe(status);
    expect(most).toBeLessThan((megabytes << 20) / 2);
    await connection.write(head("GET", "/chat/api/session"));
    expect(await connection.response()).toMatchObject({ status: 200 });
    connection.socket.destroy();
  }
});

test("a body that is announced too large is refused before any of it comes", async () => {
  for (const size of [MAX_BODY + 1, Number.MAX_SAFE_INTEGER]) {
    const connection = open();
    await connection.write(
      head("POST", "/chat/api/tokens", "Content-Type: application/json", `Content-Length: ${size}`),
    );
    expect(await connection.response()).toMatchObject({ status: 413, type: "application/problem+json" });
    connection.socket.destroy();
  }
});

test("a client that goes away in the middle of its body harms nobody", async () => {
  for (let i = 0; i < 20; i++) {
    const connection = open();
    await connection.write(
      head("POST", "/chat/api/tokens", "Content-Type: application/json", "Content-Length: 1000"),
    );
    await connection.write('{"name":');
    connection.socket.destroy();
  }
  expect((await ada.call("POST", "/tokens", { name: "x" })).status).toBe(201);
});

test("JSON nested as deep as a body can hold is refused at once, wherever it stands", async () => {
  const deep = (open: string, close: string, inner = "") => {
    const depth = Math.floor((60_000 - inner.length) / (open.length + close.length));
    return open.repeat(depth) + inner + close.repeat(depth);
  };
  for (const body of [
    deep("[", "]"),
    deep('{"name":', "}", "1"),
    `{"kind":"open","name":"x","members":${deep("[", "]")}}`,
    `{"kind":"open","name":${deep('{"a":', "}", "1")}}`,
    `{"kind":"open","name":"x","more":${deep("[", "]")}}`,
  ]) {
    await refused(await send("POST", "/rooms", body), 422, "invalid");
  }
  const levels = (count: number) => `{"name":"x","more":${"[".repeat(count)}${"]".repeat(count)}}`;
  expect((await send("POST", "/tokens", levels(31))).status).toBe(201);
  await refused(await send("POST", "/tokens", levels(32)), 422, "invalid");
});

test("a body that is wrong in very many places is told of some of them", async () => {
  for (const body of [
    `{"kind":"open","name":"x","members":[${'"",'.repeat(20_000)}1]}`,
    `{"kind":"open","name":"x","members":[${"[],".repeat(20_000)}1]}`,
    `{"kind":"open","name":[${"0,".repeat(32_000)}1]}`,
    `{"kind":[${"[[[[[[[[[[]]]]]]]]]],".repeat(3_000)}1]}`,
  ]) {
    const { errors } = await refused(await send("POST", "/rooms", body), 422, "invalid");
    expect(errors.length).toBeLessThan(100);
  }
});

test("a query parameter of the wrong form or out of range is refused by its name, on every route", async () => {
  let checked = 0;
  for (const { path, query } of ROUTES) {
    for (const [name, schema] of Object.entries<TSchema>(query?.properties ?? {})) {
      const rest = Object.entries<TSchema>(query?.properties ?? {})
        .filter(
          ([other, { default: left }]) =>
            other !== name && query?.required?.includes(other) && left === undefined,
        )
        .map(([other, schema]) => `&${other}=${fitting(schema)}`);
      const number = schema.anyOf?.find((part: TSchema) => part.type === "integer");
      const boolean = schema.anyOf?.some((part: TSchema) => part.type === "boolean");
      const values = number
        ? [
            "",
            "x",
            "1.5",
            "1e1",
            "0x10",
            " 1",
            "1 ",
            "+1",
            "--1",
            "1,2",
            "[1]",
            "NaN",
            "null",
            "99999999999999999999",
            String(number.minimum - 1),
            String(number.maximum + 1),
          ]
        : boolean
          ? ["", "maybe", "1", "TRUE", "null"]
          : schema.maxLength === undefined
            ? [] // a cursor: whatever it is, it is never an error
            : ["x".repeat(schema.maxLength + 1), ...(schema[Kind] === "Text" ? ["\0", "a\0b"] : [])];
      for (const value of values) {
        const problem = await refused(
          await send("GET", `${fill(path)}?${name}=${encodeURIComponent(value)}${rest.join("")}`),
          422,
          "invalid",
        );
        expect([name, value, problem.errors[0].path]).toEqual([name, value, `/${name}`]);
        expect(problem.errors[0].message).toMatch(/^takes (?!text, or)/);
        checked++;
      }
    }
  }
  expect(checked).toBeGreaterThan(80);
});

test("a query that is odd but says nothing wrong is taken", async () => {
  const ids = (await ada.list()).rooms.map(({ id }) => id);
  for (const query of [
    "?",
    "?&",
    "?&&=&",
    "?=1",
    "?x",
    "?x=1&x=2",
    "?__proto__=1&constructor=2",
    "?LIMIT=0",
    "?%zz=%zz",
    "?unread=false",
  ]) {
    expect((await ada.list(query)).rooms.map(({ id }) => id)).toEqual(ids);
  }
  // Of one that is there twice, the last counts.
  expect((await ada.list("?limit=0&limit=1")).rooms).toHaveLength(1);
  await refused(await send("GET", "/rooms?limit=1&limit=0"), 422, "invalid");
  // Percent signs that stand for nothing are what they look like.
  for (const q of ["%", "%zz", "%ff", "%ed%a0%80", "100%25"]) {
    expect((await send("GET", `/users?q=${q}`)).status).toBe(200);
  }
  for (const cursor of ["%00", "%ff", "nonsense", "'", "1.1", "😀"]) {
    expect((await ada.list(`?since=${cursor}`)).reset).toBe(true);
  }
});

test("an id that is none is a thing that is not there, byte for byte", async () => {
  const nonsense = [
    "0",
    "-1",
    "1.5",
    "1e3",
    "0x1",
    "01",
    "+1",
    "%201",
    "1%20",
    "NaN",
    "null",
    "x",
    "ME",
    "9007199254740992",
    "99999999999999999999",
    "1;drop",
    "1'",
    "😀",
    "%00",
    "%zz",
    "%",
    "%ff",
    "1%2f2",
    "..%2f1",
    "x".repeat(2000),
  ];
  const gone = "987654321";
  const paths: [method: string, of: (id: string) => string, body?: string][] = [
    ["GET", (id) => `/rooms/${id}`],
    ["DELETE", (id) => `/rooms/${id}`],
    ["PATCH", (id) => `/rooms/${id}`, "{}"],
    ["GET", (id) => `/rooms/${id}/members`],
    ["PUT", (id) => `/rooms/${id}/members/me`],
    ["GET", (id) => `/rooms/${id}/messages`],
    ["POST", (id) => `/rooms/${id}/messages`, '{"body":"x"}'],
    ["PUT", (id) => `/rooms/${id}/read`, '{"seq":1}'],
    ["GET", (id) => `/rooms/${id}/unread`],
    ["GET", (id) => `/rooms/${roomId}/messages/${id}`],
    ["PATCH", (id) => `/rooms/${roomId}/messages/${id}`, '{"body":"x"}'],
    ["PUT", (id) => `/rooms/${roomId}/members/${id}`],
  ];
  for (const [method, of, body] of paths) {
    const expected = await (await send(method, of(gone), body)).text();
    expect(JSON.parse(expected)).toMatchObject({
      status: 404,
      code: expect.stringMatching(/^(room|message|user)-not-found$/),
    });
    for (const id of nonsense) {
      const response = await send(method, of(id), body);
      // Some are no part of a path to Bun's URL; then there is nothing at all at that path.
      const answer = await response.clone().text();
      if (answer !== expected) await refused(response, 404, "not-found");
      else expect(response.status).toBe(404);
    }
  }
});

test("what is nowhere is 404, a long address included; slashes at the end do not matter", async () => {
  for (const path of [
    "",
    "/nowhere",
    "/rooms/1/nowhere",
    "/ROOMS",
    "/rooms/1/messages/1/2",
    "/%zz",
    "/..%2f..",
    `/${"x".repeat(8000)}`,
  ]) {
    await refused(await send("GET", path), 404, "not-found");
  }
  for (const path of [
    "/chat",
    "/chat/",
    "/assets",
    "/assets/nowhere.js",
    "/favicon.ico",
    "/.env",
    "/chat/API/rooms",
  ]) {
    await refused(await fetch(server.url + path, { headers: ada.headers }), 404, "not-found");
  }
  const list = await ada.call("GET", "/rooms");
  expect((await ada.call("GET", "/rooms/")).body).toEqual({ ...list.body, cursor: expect.any(String) });
  expect((await ada.call("GET", `/rooms/${roomId}/`)).body).toEqual(await ada.room(roomId));
});

test("a method that is not there is 404, without having done anything", async () => {
  for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
    await refused(await send(method, "/rooms"), 404, "not-found");
  }
  await refused(await send("POST", `/rooms/${roomId}`, "{}"), 404, "not-found");
  const preflight = { origin: "https://evil.example", "access-control-request-method": "POST" };
  const answer = await send("OPTIONS", "/rooms", undefined, preflight);
  expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  await refused(answer, 404, "not-found");
});

test("HEAD is GET without the body", async () => {
  for (const path of [
    "/session",
    "/rooms",
    `/rooms/${roomId}`,
    `/rooms/${roomId}/messages`,
    "/rooms/987654321",
    "/nowhere",
  ]) {
    const [get, headed] = [await send("GET", path), await send("HEAD", path)];
    expect([path, headed.status]).toEqual([path, get.status]);
    expect(headed.headers.get("content-type")).toBe(get.headers.get("content-type"));
    expect(await headed.text()).toBe("");
  }
});

test("a Host that is none is a bad request, whatever is asked for", async () => {
  for (const host of ["a b", "{}", "[::", "x:99999", "%zz", "a/b@c:d", "ada@chat", "a?b", ""]) {
    for (const path of ["/chat/api/rooms", "/chat/api/session", "/nowhere", "/docs"]) {
      const connection = open();
      await connection.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const { status, type, body } = await connection.response();
      connection.socket.destroy();
      expect({ host, path, status, type }).toEqual({
        host,
        path,
        status: 400,
        type: "application/problem+json",
      });
      expect(JSON.parse(body)).toMatchObject({ code: "bad-request", status: 400 });
    }
  }
});

test("what is no HTTP at all is refused by Bun itself, and the server lives on", async () => {
  const requests = [
    "nonsense\r\n\r\n",
    "GET /chat/api/rooms\r\n\r\n",
    "GET /chat/api/rooms HTTP/1.1\r\n\r\n", // no Host
    head("GET", "/chat/api/rooms", "Bad Header: x"),
    head("POST", "/chat/api/tokens", "Content-Length: x"),
    head("POST", "/chat/api/tokens", "Content-Length: 3", "Transfer-Encoding: chunked"),
    `${head("POST", "/chat/api/tokens", "Transfer-Encoding: chunked", "Content-Type: application/json")}zz\r\n`,
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", // TLS
    head("GET", `/chat/api/rooms?since=${"x".repeat(100_000)}`),
  ];
  for (const request of requests) {
    const connection = open();
    await connection.write(request);
    const { status, closed } = await connection.response();
    expect([request.slice(0, 40), [400, 431, 505, Number.NaN]]).toEqual([
      request.slice(0, 40),
      expect.arrayContaining([status]),
    ]);
    if (!closed) connection.socket.destroy();
  }
  expect((await ada.call("GET", "/session")).status).toBe(200);
});
