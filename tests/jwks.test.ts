import { afterEach, beforeEach, expect, test } from "bun:test";
import { exportJWK, type FlattenedJWSInput, generateKeyPair } from "jose";
import { RemoteKeys } from "../src/auth/jwks.ts";
import { Issuer } from "./support/issuer.ts";

const MINUTE = 60_000;
/** None of ours: what is looked for is the header's word alone. */
const TOKEN = {} as FlattenedJWSInput;

let issuer: Issuer;
let now: number;
let failures: unknown[];
let keys: RemoteKeys;

beforeEach(async () => {
  issuer = await Issuer.start("ES256");
  now = 1_000_000;
  failures = [];
  keys = new RemoteKeys(
    new URL(issuer.url),
    (error) => failures.push(error),
    () => now,
  );
});
afterEach(() => issuer.close());

/** Looks for a key, and says how that went. */
const found = (kid?: string, alg = "ES256"): Promise<string> =>
  keys.find({ alg, kid }, TOKEN).then(
    () => "found",
    (error) => error.name,
  );
const away = () => new Response("away", { status: 500 });

test("keys are fetched once, when the first is needed, however many need one", async () => {
  expect(await Promise.all(Array.from({ length: 50 }, () => found("ES256")))).toEqual(
    Array(50).fill("found"),
  );
  expect(await found("ES256")).toBe("found");
  expect(issuer.fetches).toBe(1);
});

test("a flood of keys that nobody has costs one fetch a minute", async () => {
  await found("ES256");
  now += MINUTE;
  for (let round = 0; round < 3; round++) {
    const kids = [
      "../../etc/passwd",
      "' or 1=1 --",
      "x".repeat(5_000),
      "",
      "http://evil.example.com",
      "ES256 ",
    ];
    const flood = Array.from({ length: 100 }, (_, i) => found(`${kids[i % kids.length]}${i > 5 ? i : ""}`));
    expect(new Set(await Promise.all(flood))).toEqual(new Set(["JWKSNoMatchingKey"]));
    now += MINUTE / 2 - 1;
  }
  expect(issuer.fetches).toBe(2);
  now += 3;
  expect(await found("one more")).toBe("JWKSNoMatchingKey");
  expect(issuer.fetches).toBe(3);
});

test("a new key is found a minute after the last look, at the latest; one that is withdrawn, forgotten after five", async () => {
  await found("ES256");
  const next = await issuer.newKey("next", "ES256");
  issuer.published = [next];
  expect(await found("next")).toBe("JWKSNoMatchingKey"); // fetched just now
  now += MINUTE;
  expect(await found("ES256")).toBe("found"); // that alone fetches nothing
  expect(await found("next")).toBe("found");
  expect(await found("ES256")).toBe("JWKSNoMatchingKey");
  expect(issuer.fetches).toBe(2);

  issuer.published = [await issuer.newKey("third", "ES256")];
  now += 5 * MINUTE - 1;
  expect(await found("next")).toBe("found");
  now += 1;
  expect(await found("next")).toBe("JWKSNoMatchingKey");
  expect(issuer.fetches).toBe(3);
});

test("while the host fails the old keys count, and a key that is not among them cannot be told", async () => {
  await found("ES256");
  issuer.answer = away;
  now += 6 * MINUTE;
  expect(await found("ES256")).toBe("found");
  expect(await found("next")).toBe("KeysUnavailable");
  expect(await found("ES256")).toBe("found");
  expect([issuer.fetches, failures.length]).toEqual([2, 1]); // once a minute
  now += 100 * MINUTE;
  expect(await found("ES256")).toBe("found");
  expect(issuer.fetches).toBe(3);

  issuer.answer = () => Response.json({ keys: issuer.published });
  now += MINUTE;
  expect(await found("next")).toBe("JWKSNoMatchingKey");
});

test("without any keys nothing can be told, and that is tried again soon", async () => {
  issuer.answer = away;
  for (let i = 0; i < 20; i++) expect(await found("ES256")).toBe("KeysUnavailable");
  expect(issuer.fetches).toBe(1);
  issuer.answer = () => Response.json({ keys: issuer.published });
  now += 5_000;
  expect(await found("ES256")).toBe("found");
});

test("what is no key set is a failure of the host, in whatever way", async () => {
  const key = issuer.published[0];
  const answers: ((request: Request) => Response)[] = [
    () => new Response("<html>"),
    () => new Response(""),
    () => Response.json([]),
    () => Response.json({ keys: [] }),
    () => Response.json({ keys: {} }),
    () => Response.json({ keys: [1, null, "x", {}] }),
    () => Response.json({ keys: [{ ...key, kty: "oct", k: "c2VjcmV0" }] }),
    () => Response.json({ keys: [key] }, { status: 404 }),
    ({ url }) =>
      url.endsWith("?elsewhere")
        ? Response.json({ keys: [key] })
        : Response.redirect(`${issuer.url}?elsewhere`),
    () => new Response(`${JSON.stringify({ keys: [key] })}${" ".repeat(256 * 1024)}`),
    () => new Response(JSON.stringify({ keys: [key], more: "x".repeat(256 * 1024) })),
  ];
  for (const [i, answer] of answers.entries()) {
    issuer.answer = answer;
    now += 5_000;
    expect([i, await found("ES256")]).toEqual([i, "KeysUnavailable"]);
  }
  expect(failures).toHaveLength(answers.length);
  await issuer.close();
  now += 5_000;
  expect(await found("ES256")).toBe("KeysUnavailable"); // nobody there
});

test("a host that never ends its answer is not waited for", async () => {
  const hung = Promise.withResolvers<Response>();
  const drip = new Response(
    new ReadableStream({
      async pull(controller) {
        await Bun.sleep(100);
        controller.enqueue(Buffer.from(" "));
      },
    }),
  );
  issuer.answer = ({ url }) => (url.endsWith("?drip") ? drip : hung.promise);
  const dripping = new RemoteKeys(new URL(`${issuer.url}?drip`), (error) => failures.push(error));
  const both = await Promise.allSettled([
    found("ES256"),
    dripping.find({ alg: "ES256", kid: "ES256" }, TOKEN),
  ]);
  expect(both).toMatchObject([{ value: "KeysUnavailable" }, { reason: { name: "KeysUnavailable" } }]);
  expect(failures.map((error) => (error as Error).name)).toEqual(["TimeoutError", "TimeoutError"]);
  hung.resolve(new Response());
}, 20_000);

test("keys that no signature should be checked by are left out: private, shared, weak, for encryption", async () => {
  const pair = await generateKeyPair("ES256", { extractable: true });
  const weak = await crypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 1024,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    true,
    ["sign", "verify"],
  );
  issuer.publish(
    { ...(await exportJWK(pair.privateKey)), kid: "private" },
    { kty: "oct", k: Buffer.alloc(32, 1).toString("base64url"), kid: "shared", alg: "HS256" },
    { ...(await exportJWK(weak.publicKey)), kid: "weak" },
    { ...(await exportJWK(pair.publicKey)), kid: "encryption", use: "enc" },
    { ...(await exportJWK(pair.publicKey)), kid: "other", alg: "ES384" },
    { ...(await exportJWK(pair.publicKey)), kid: "good" },
  );
  const outcomes = [
    await found("private"),
    await found("shared", "HS256"),
    await found("weak", "RS256"),
    await found("encryption"),
    await found("other"),
    await found("good"),
  ];
  const none = "JWKSNoMatchingKey";
  expect(outcomes).toEqual([none, "JOSENotSupported", none, none, none, "found"]);
});
