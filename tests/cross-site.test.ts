import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Client } from "./support/client.ts";
import { contentsOf } from "./support/contents.ts";
import { BODY, fill, type Operation, operationsOf } from "./support/operations.ts";
import { type TestServer, testServer } from "./support/server.ts";

const FRIEND = "https://app.example.com";

let server: TestServer;
let ada: Client;
let ben: Client;
let roomId: number;
let writes: Operation[];

beforeAll(async () => {
  server = await testServer({ ALLOWED_ORIGINS: FRIEND, LIMITS: "off" });
  ada = await server.administrator("ada");
  ben = await server.person("ben");
  ({ id: roomId } = await ada.openRoom("general", [ben]));
  await ada.send(roomId, "first");
  await ada.must("POST", "/tokens", { name: "script" });
  writes = (await operationsOf(server.url)).filter(({ method }) => method !== "GET");
});
afterAll(() => server.close());

type Body = { body?: BodyInit; type?: string };
const JSON_TEXT = JSON.stringify(BODY);

/** What a page can make a browser send. The first ones go without a preflight: their types are those of forms. */
const FORMS: Record<string, () => Body> = {
  form: () => ({ body: new URLSearchParams({ name: "planted" }) }),
  "JSON in a form": () => ({ body: JSON_TEXT, type: "application/x-www-form-urlencoded" }),
  "text/plain": () => ({ body: JSON_TEXT, type: "text/plain" }),
  "text/plain that names JSON": () => ({ body: JSON_TEXT, type: "text/plain; application/json" }),
  multipart: () => {
    const body = new FormData();
    body.append("name", "planted");
    return { body };
  },
  "no type": () => ({ body: new Blob([JSON_TEXT]) }),
};
const PLAIN: Record<string, () => Body> = {
  none: () => ({}),
  "an empty form": () => ({ body: "", type: "application/x-www-form-urlencoded" }),
  JSON: () => ({ body: JSON_TEXT, type: "application/json" }),
};

async function send({ method, path }: Operation, { body, type }: Body, origin: string | null) {
  const given = {
    id: path.includes("/admin/users/") ? ben.user.id : roomId,
    seq: 1,
    userId: "me",
    emoji: "👍",
  };
  const response = await fetch(server.url + fill(path, given), {
    method,
    body,
    headers: { ...ada.headers, ...(type ? { "content-type": type } : {}), ...(origin ? { origin } : {}) },
  });
  const text = await response.text();
  return { response, status: response.status, code: response.ok ? "" : JSON.parse(text).code };
}

const foreign = (): string[] => {
  const port = Number(new URL(server.url).port);
  return [server.url.replace(String(port), String(port + 1)), "https://evil.example", "null"];
};

test("no write is done for another origin, whatever it sends, nor for any form", async () => {
  expect(writes.length).toBeGreaterThan(15);
  const before = await contentsOf(server.database);
  for (const operation of writes) {
    const { method, path } = operation;
    for (const origin of foreign()) {
      for (const [what, make] of Object.entries({ ...FORMS, ...PLAIN })) {
        const { response, status, code } = await send(operation, make(), origin);
        const expected = what in FORMS ? [415, "unsupported-media-type"] : [403, "bad-origin"];
        expect({ method, path, what, origin, answer: [status, code] }).toEqual({
          method,
          path,
          what,
          origin,
          answer: expected as [number, string],
        });
        expect(response.headers.getSetCookie()).toEqual([]);
        expect(response.headers.get("access-control-allow-origin")).toBeNull();
      }
    }
    for (const origin of [null, server.url, FRIEND]) {
      for (const [what, make] of Object.entries(FORMS)) {
        const { status } = await send(operation, make(), origin);
        expect({ method, path, what, origin, status }).toEqual({ method, path, what, origin, status: 415 });
      }
    }
  }
  expect(await contentsOf(server.database)).toEqual(before);
}, 120_000);

test("the same writes are let through for our own page, for a program and for an origin of ALLOWED_ORIGINS", async () => {
  const done = new Set<string>();
  for (const operation of writes) {
    const { method, path } = operation;
    for (const origin of [null, server.url, FRIEND]) {
      for (const [what, make] of Object.entries(PLAIN)) {
        if ((await ada.call("GET", "/session")).status === 401) ada = await ada.signInAgain();
        const { status, code } = await send(operation, make(), origin);
        expect({ method, path, what, origin, status }).not.toMatchObject({ status: 415 });
        expect({ method, path, what, origin, code }).not.toMatchObject({ code: "bad-origin" });
        if (status < 300) done.add(`${method} ${path}`);
      }
    }
  }
  // What was refused above would have done something.
  for (const write of [
    "POST /chat/api/tokens",
    "POST /chat/api/rooms",
    "POST /chat/api/admin/users/{id}/password",
    "DELETE /chat/api/session",
  ]) {
    expect([...done]).toContain(write);
  }
}, 120_000);
