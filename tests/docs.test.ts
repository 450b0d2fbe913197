import { afterAll, beforeAll, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import packageJson from "../package.json" with { type: "json" };
import { createApp, type Parts } from "../src/app.ts";
import { readConfig } from "../src/config.ts";
import { ANSWERS } from "../src/docs/answers.ts";
import { describe, withoutSlash } from "../src/docs/document.ts";
import { NAMED, problem } from "../src/docs/schemas.ts";
import { Client } from "./support/client.ts";
import { Issuer } from "./support/issuer.ts";
import { type TestServer, testServer } from "./support/server.ts";
import { askedFor } from "./support/socket.ts";

let issuer: Issuer;
let server: TestServer;
let document: any;
/** Every operation of the document: `GET /chat/api/rooms/{id}`. */
let operations: Map<string, any>;

beforeAll(async () => {
  issuer = await Issuer.start("ES256");
  server = await testServer({ ...issuer.settings, SIGNUP: "open" });
  document = await (await fetch(`${server.url}/docs/json`)).json();
  operations = new Map(
    Object.entries<Record<string, any>>(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const,
      ),
    ),
  );
});
afterAll(async () => {
  await server.close();
  await issuer.close();
});

/** The app's own routes, without those of the page. Composed, not running: nothing here is called. */
const app = createApp({ config: readConfig({}), db: {} } as Parts);
const routes = app.routes.filter((route) => !route.hooks.detail?.hide);

const isWell = (status: string) => Number(status) < 400;

/** Every `$ref` in a part of the document. */
function refs(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) => (key === "$ref" ? [value as string] : refs(value)));
}

test("the document tells what this is, and how one is known", () => {
  expect(document.openapi).toStartWith("3.1");
  expect(document.info).toMatchObject({ title: "Foyer", version: packageJson.version });
  expect(document.info.description.length).toBeGreaterThan(20);
  expect(document.servers).toEqual([{ url: "/" }]);
  expect(document.components.securitySchemes).toMatchObject({
    cookie: { type: "apiKey", in: "cookie" },
    bearer: { type: "http", scheme: "bearer" },
  });
  for (const { name, description } of document.tags) {
    expect([name, description.length > 10]).toEqual([name, true]);
  }
});

test("every route is in the document, with its words, its parameters and its answers", () => {
  expect(operations.size).toBe(routes.length);
  const tags = new Set(document.tags.map(({ name }: { name: string }) => name));
  const ids = new Set<string>();
  for (const route of routes) {
    const key = `${route.method} ${withoutSlash(route.path).replace(/:(\w+)/g, "{$1}")}`;
    const operation = operations.get(key);
    expect({ key, found: operation !== undefined }).toEqual({ key, found: true });
    expect(operation.summary.length).toBeGreaterThan(1);
    expect(operation.tags.every((tag: string) => tags.has(tag))).toBe(true);
    ids.add(operation.operationId);

    const statuses = Object.keys(operation.responses);
    expect({ key, well: statuses.some(isWell) }).toEqual({ key, well: true });
    const parameters = (place: string) =>
      operation.parameters
        .filter((p: any) => p.in === place)
        .map((p: any) => p.name)
        .sort();
    expect(parameters("path")).toEqual([...key.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort());
    expect(parameters("query")).toEqual(Object.keys(route.hooks.query?.properties ?? {}).sort());
    for (const { name, schema, required, in: place } of operation.parameters) {
      expect(schema.type ?? schema.anyOf).toBeDefined();
      expect(schema.format).toBeUndefined();
      const needed = route.hooks.query?.required?.includes(name) && schema.default === undefined;
      expect(required === true).toBe(place === "path" || needed === true);
    }

    // What a body may be is what the route itself checks.
    const body = route.hooks.body as TSchema | undefined;
    const told = operation.requestBody?.content["application/json"].schema;
    expect(told?.properties && Object.keys(told.properties)).toEqual(body && Object.keys(body.properties));
    expect(told?.required).toEqual(body?.required);
    const problems = statuses.filter((status) => !isWell(status));
    if (route.path.startsWith("/chat/api")) {
      expect(problems).toEqual(expect.arrayContaining(["403", "429", "503"]));
      // Where there is something for administrators only, there is nothing for who is nobody.
      if (route.path.includes("/admin/")) expect(problems).toContain("404");
      else if (operation.security === undefined) expect(problems).toContain("401");
      else expect(operation.security).toEqual([]);
      if (route.method !== "GET")
        expect(problems).toEqual(expect.arrayContaining(["400", "408", "413", "415", "422"]));
      if (route.hooks.query) expect(problems).toContain("422");
      if (route.path.includes("/:")) expect(problems).toContain("404");
    }
    for (const [status, ...names] of [
      ["429", "Retry-After", "RateLimit-Policy", "RateLimit"],
      ["503", "Retry-After"],
    ] as const) {
      if (problems.includes(status))
        expect(Object.keys(operation.responses[status].headers)).toEqual([...names]);
    }
    for (const status of problems) {
      expect(operation.responses[status].content).toEqual({
        "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
      });
    }
  }
  expect(ids.size).toBe(operations.size);
  expect(Object.keys(ANSWERS)).toHaveLength(operations.size); // and it tells of nothing that is not there
});

test("every name that is used stands for something, and every one is used", () => {
  const used = new Set(refs(document));
  expect([...used].sort()).toEqual(
    Object.keys(document.components.schemas)
      .map((name) => `#/components/schemas/${name}`)
      .sort(),
  );
});

test("a route that the document would not describe is noticed", () => {
  const more = createApp({ config: readConfig({}), db: {} } as Parts).get("/new", () => "new");
  expect(() => describe(more)).toThrow("GET /new");
});

test("every route answers as the document says", async () => {
  const [ada, ben] = [await server.person("ada"), await server.person("ben")];
  const room = await ada.openRoom("general");
  const closed = await ben.must("POST", "/rooms", { kind: "closed", name: "closed", topic: "talk" });
  const { token, id: tokenId } = await ada.must("POST", "/tokens", { name: "script" });
  await ada.with({ authorization: `Bearer ${token}` }).must("GET", "/session");
  await ben.must("PUT", `/rooms/${room.id}/members/me`);
  for (const body of ["one", `two for @${ben.user.handle}`, "three"]) {
    await ada.send(room.id, body, { clientId: body.slice(0, 3) });
  }
  const admin = await server.administrator();
  const direct = { kind: "direct", members: [ben.user.id] };
  const nobody = ada.with({});
  const signUp = { handle: "carol", name: "Carol", password: Client.password };

  /** Method, the document's path, what stands for its parameters and after it, and the body; who: ada. */
  const calls: [string, string, (string | number)[] | string, unknown?, Client?][] = [
    ["POST", "/users", [], signUp, nobody],
    ["POST", "/users", [], signUp, nobody], // taken
    ["POST", "/session", [], { handle: "carol", password: Client.password }, nobody],
    ["POST", "/session", [], { handle: "carol", password: "wrong" }, nobody],
    ["GET", "/session", []],
    ["GET", "/session/ways", []],
    ["POST", "/session/jwt", [], { token: await issuer.token("ES256") }, nobody],
    ["POST", "/session/jwt", [], { token: "a.b.c" }, nobody],
    ["POST", "/invites", [], { days: 1 }, admin],
    ["POST", "/invites", [], { days: 1 }, ben], // not allowed
    ["POST", "/tokens", [], { name: "another" }],
    ["POST", "/tokens", [], {}],
    ["GET", "/tokens", []],
    ["DELETE", "/tokens/{id}", [tokenId]],
    ["DELETE", "/tokens/{id}", ["x"]],
    ["GET", "/sessions", []],
    ["DELETE", "/sessions/{id}", [987_654]],
    ["DELETE", "/sessions/{id}", ["x"]],
    ["GET", "/users", []],
    ["GET", "/users", "?q=ben&limit=1"],
    ["GET", "/users", "?limit=0"],
    ["GET", "/users/me", []],
    ["PATCH", "/users/me", [], { name: "Ada" }],
    ["POST", "/rooms", [], direct],
    ["POST", "/rooms", [], direct], // the same again
    ["POST", "/rooms", [], { kind: "direct", members: [987_654] }],
    ["GET", "/rooms", []],
    ["GET", "/rooms", [], undefined, ben],
    ["GET", "/rooms", "?limit=1&unread=false"],
    ["GET", "/rooms", "?limit=none"],
    ["GET", "/rooms/open", "?limit=1"],
    ["GET", "/rooms/open", []],
    ["GET", "/rooms/{id}", [room.id], undefined, ben],
    ["GET", "/rooms/{id}", [closed.id]],
    ["GET", "/rooms/{id}/unread", [room.id], undefined, ben],
    ["PUT", "/rooms/{id}/read", [room.id], { seq: 1 }, ben],
    ["PUT", "/rooms/{id}/unread", [room.id], { seq: 1 }, ben],
    ["PUT", "/rooms/read", [], undefined, ben],
    ["PATCH", "/rooms/{id}", [room.id], { topic: "all of it" }],
    ["PATCH", "/rooms/{id}", [room.id], { topic: "all of it" }, ben], // not allowed
    ["PATCH", "/rooms/{id}", [room.id], []],
    ["GET", "/rooms/{id}/members", [room.id]],
    ["PUT", "/rooms/{id}/members/{userId}", [room.id, ben.user.id], { role: "moderator" }],
    ["PUT", "/rooms/{id}/members/{userId}", [room.id, "me"]],
    ["PUT", "/rooms/{id}/members/{userId}", [room.id, 987_654]],
    ["PATCH", "/rooms/{id}/members/me", [room.id], { involvement: "none" }],
    ["DELETE", "/rooms/{id}/members/{userId}", [room.id, "me"]], // the last owner
    ["DELETE", "/rooms/{id}/members/{userId}", [room.id, "me"], undefined, ben],
    ["POST", "/rooms/{id}/messages", [room.id], { body: "hello", clientId: "a", replyTo: 1 }],
    ["POST", "/rooms/{id}/messages", [room.id], { body: "hello", clientId: "a", replyTo: 1 }],
    ["POST", "/rooms/{id}/messages", [room.id], { body: "other", clientId: "a" }],
    ["PATCH", "/rooms/{id}/messages/{seq}", [room.id, 2], { body: "edited" }],
    ["PUT", "/rooms/{id}/messages/{seq}/reactions/{emoji}", [room.id, 2, "👍"]],
    ["PUT", "/rooms/{id}/messages/{seq}/reactions/{emoji}", [room.id, 2, "x"]],
    ["GET", "/rooms/{id}/messages/{seq}", [room.id, 2]],
    ["DELETE", "/rooms/{id}/messages/{seq}/reactions/{emoji}", [room.id, 2, "👍"]],
    ["DELETE", "/rooms/{id}/messages/{seq}", [room.id, 3]],
    ["GET", "/rooms/{id}/messages/{seq}", [room.id, 3]],
    ["GET", "/rooms/{id}/messages/{seq}", [room.id, 99]],
    ["GET", "/rooms/{id}/messages", [room.id]],
    ["GET", "/search", "?q=hello"],
    ["GET", "/search", `?q=hello&room=987654`],
    ["GET", "/rooms", []],
    ["POST", "/rooms/{id}/typing", [room.id]],
    ["POST", "/rooms/{id}/typing", [closed.id]],
    ["GET", "/stream/rooms/{id}", [closed.id]],
    ["GET", "/ws", []],
    ["DELETE", "/rooms/{id}", [closed.id]],
    ["GET", "/admin/users", "?q=ben&limit=1", undefined, admin],
    ["GET", "/admin/users", "?limit=0", undefined, admin],
    ["PATCH", "/admin/users/{id}", [ben.user.id], { administrator: true }, admin],
    ["PATCH", "/admin/users/{id}", [ben.user.id], { deactivated: true, administrator: false }, admin],
    ["PATCH", "/admin/users/{id}", [admin.user.id], { deactivated: true }, admin], // the last one
    ["PATCH", "/admin/users/{id}", [987_654], {}, admin],
    ["POST", "/admin/users/{id}/password", [ben.user.id], undefined, admin],
    ["DELETE", "/admin/users/{id}/credentials", [ben.user.id], undefined, admin],
    ["DELETE", "/admin/users/{id}/credentials", ["x"], undefined, admin],
    ["GET", "/admin/rooms", [], undefined, admin],
    ["DELETE", "/admin/rooms/{id}", [closed.id], undefined, admin],
    ["DELETE", "/admin/rooms/{id}", [987_654], undefined, admin],
    ["GET", "/admin/audit", [], undefined, admin],
    ["GET", "/admin/audit", "?before=2&limit=1", undefined, admin],
    ["GET", "/admin/users", []], // ada is none
    ["DELETE", "/rooms/{id}", [room.id]],
    ["PUT", "/session/password", [], { current: "wrong", next: "battery staple" }],
    ["PUT", "/session/password", [], { current: Client.password, next: "battery staple" }],
    ["DELETE", "/session", []],
    ["GET", "/session", []],
  ];
  const unseen = new Set(
    [...operations].flatMap(([key, { responses }]) =>
      Object.keys(responses).flatMap((status) => (isWell(status) ? `${key} ${status}` : [])),
    ),
  );
  for (const path of ["/health/live", "/health/ready"]) {
    const response = await fetch(server.url + path);
    seen("GET", path, response.status, response.headers, await response.json());
  }
  for (const [path, stream] of [
    ["/chat/api/stream/rooms", await ada.stream()],
    ["/chat/api/stream/rooms/{id}", await ada.watch(room.id)],
  ] as const) {
    const { status, headers } = stream.response;
    seen("GET", path, status, headers, "");
    stream.close();
  }
  seen("GET", "/chat/api/ws", Number(await askedFor(server.api, ada.headers)), new Headers(), null);
  for (const [method, path, filling, body, who = ada] of calls) {
    const values = typeof filling === "string" ? [] : [...filling];
    const filled = path.replace(/\{\w+\}/g, () => String(values.shift()));
    const reply = await who.call(method, filled + (typeof filling === "string" ? filling : ""), body);
    seen(method, `/chat/api${path}`, reply.status, reply.headers, reply.body);
  }
  expect([...unseen]).toEqual([]);

  /** Holds an answer against the document. */
  function seen(method: string, path: string, status: number, headers: Headers, body: any) {
    const key = `${method} ${path}`;
    unseen.delete(`${key} ${status}`);
    const told = operations.get(key).responses[status];
    const schema =
      status < 300 ? ANSWERS[key.replace(/\{(\w+)\}/g, ":$1")]?.success[status] : (problem as TSchema);
    expect({ key, status, told: told !== undefined }).toEqual({ key, status, told: true });
    if (schema === null) {
      expect(body).toBeNull();
      return;
    }
    const [type] = Object.keys(told.content);
    expect(headers.get("content-type")?.split(";")[0]).toBe(type as string);
    const errors = [...Value.Errors(schema as TSchema, NAMED, body)].map(({ path, message }) => ({
      path,
      message,
    }));
    expect({ key, status, errors }).toEqual({ key, status, errors: [] });
    // And nothing that the document keeps to itself.
    expect(Value.Clean(schema as TSchema, NAMED, structuredClone(body))).toEqual(body);
    if (status >= 400) expect(told.description).toContain(`\`${body.code}\``);
  }
}, 60_000);

test("the page and all that it loads come from here", async () => {
  const page = await fetch(`${server.url}/docs`);
  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toStartWith("text/html");
  const html = await page.text();
  const links = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link as string);
  expect(links).toContain("/docs/swagger-ui.css");
  expect(links).toContain("/docs/swagger-ui-bundle.js");
  for (const link of links) {
    expect(link).toStartWith("/docs/");
    const response = await fetch(server.url + link);
    expect({ link, status: response.status }).toEqual({ link, status: 200 });
    expect((await response.bytes()).length).toBeGreaterThan(50);
    const extension = link.split(".")[1] ?? "json";
    const types: Record<string, string> = {
      css: "text/css",
      js: "text/javascript",
      png: "image/png",
      json: "application/json",
    };
    expect(response.headers.get("content-type")).toStartWith(types[extension] as string);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  }
  const own = html + (await (await fetch(`${server.url}/docs/page.js`)).text());
  expect(own).not.toMatch(/(https?:)?\/\/[a-z]/i);
  expect(own).toContain("validatorUrl: null");
  // What the style sheet draws with is in it.
  const css = await (await fetch(`${server.url}/docs/swagger-ui.css`)).text();
  expect(css).not.toMatch(/url\(["']?(?!["']?data:)/);
  expect(css).not.toContain("@import");
});

test("the page may load from here only, and runs no script that is not a file", async () => {
  const { headers } = await fetch(`${server.url}/docs`);
  const policy = Object.fromEntries(
    (headers.get("content-security-policy") ?? "").split("; ").map((part) => {
      const [name = "", ...sources] = part.split(" ");
      return [name, sources.join(" ")];
    }),
  );
  expect(policy).toEqual({
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
  });
  const html = await (await fetch(`${server.url}/docs`)).text();
  expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
  expect(html).not.toMatch(/\son\w+=/);
});

test("what a browser holds already is not sent again", async () => {
  const first = await fetch(`${server.url}/docs/swagger-ui-bundle.js`);
  expect(first.headers.get("cache-control")).toBe("public, max-age=86400");
  const etag = first.headers.get("etag") as string;
  const again = await fetch(first.url, { headers: { "if-none-match": etag } });
  expect(again.status).toBe(304);
  expect(again.headers.get("etag")).toBe(etag);
  expect(await again.text()).toBe("");
  const changed = await fetch(first.url, { headers: { "if-none-match": '"other"' } });
  expect(changed.status).toBe(200);
});

test("where it is off there is nothing of it", async () => {
  const closed = await testServer({ DOCS: "off" }, server.database);
  for (const path of ["/docs", "/docs/", "/docs/json", "/docs/page.js", "/docs/swagger-ui-bundle.js"]) {
    const [here, nowhere] = [await fetch(closed.url + path), await fetch(`${closed.url}/nowhere`)];
    expect([path, here.status, await here.text()]).toEqual([path, 404, await nowhere.text()]);
  }
  await closed.close();
});

test("nothing else of the packages is served", async () => {
  for (const path of [
    "/docs/package.json",
    "/docs/swagger-ui-bundle.js.map",
    "/docs/..%2fpackage.json",
    "/docs/%2e%2e/package.json",
  ]) {
    expect([path, (await fetch(server.url + path)).status]).toEqual([path, 404]);
  }
});
