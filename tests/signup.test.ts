import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hashSecret, newInviteCode } from "../src/auth/secrets.ts";
import { readOptions } from "../src/invites/options.ts";
import { createInvite } from "../src/invites/queries.ts";
import { answer, answers } from "./support/answer.ts";
import { visit } from "./support/browser.ts";
import { Client, type Reply } from "./support/client.ts";
import { type TestServer, testServer } from "./support/server.ts";

/** Three doors to one database. */
let open: TestServer;
let byInvite: TestServer;
let closed: TestServer;

beforeAll(async () => {
  open = await testServer();
  byInvite = await testServer({ SIGNUP: "invite" }, open.database);
  closed = await testServer({ SIGNUP: "closed" }, open.database);
});
afterAll(async () => {
  await closed.close();
  await byInvite.close();
  await open.close();
});

let handles = 0;
const someone = () => ({ handle: `newcomer${++handles}`, name: "Newcomer", password: Client.password });

async function invite(days = 7): Promise<string> {
  const code = newInviteCode();
  await createInvite(open.database.sql, { secretHash: hashSecret(code), days, createdBy: null });
  return code;
}
const signUp = (server: TestServer, body: object): Promise<Reply<any>> =>
  Client.of(server.api, { id: 0, handle: "", name: "" }, {}).call("POST", "/users", body);
const isUsed = async (code: string): Promise<boolean> => {
  const [row] = await open.database.sql`
    select used_by, used_at is not null as used from invites where secret_hash = ${hashSecret(code)}`;
  expect(row?.used).toBe(row?.used_by !== null);
  return row?.used;
};

test("a page is told how one can come in, without a session", async () => {
  for (const [server, signup] of [
    [open, "open"],
    [byInvite, "invite"],
    [closed, "closed"],
  ] as const) {
    const response = await fetch(`${server.api}/session/ways`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ signup, jwt: false });
  }
});

describe("where sign-up is closed", () => {
  test("nobody signs up, an invite or not; who is there already signs in", async () => {
    const code = await invite();
    for (const more of [{}, { invite: code }, { invite: "x" }]) {
      expect(await answer(signUp(closed, { ...someone(), ...more }))).toBe("403 signup-closed");
    }
    expect(await isUsed(code)).toBe(false);
    const ada = await open.person("ada");
    await ada.with({}, closed.api).signInAgain();
  });

  test("it does not tell whether a handle is taken", async () => {
    const ada = await open.person("ada");
    const taken = await signUp(closed, { ...someone(), handle: ada.user.handle });
    const free = await signUp(closed, someone());
    expect(taken.body).toEqual(free.body);
  });
});

describe("by invite", () => {
  test("an invite lets one person in, once", async () => {
    const code = await invite();
    const who = someone();
    const reply = await signUp(byInvite, { ...who, invite: code });
    expect(reply).toMatchObject({ status: 201, body: { handle: who.handle } });
    expect(reply.headers.getSetCookie()[0]).toStartWith("foyer_session=");
    const [row] = await open.database
      .sql`select used_by from invites where secret_hash = ${hashSecret(code)}`;
    expect(row?.used_by).toBe(reply.body.id);
    expect(await answer(signUp(byInvite, { ...someone(), invite: code }))).toBe("403 bad-invite");
  });

  test("none, one that nobody made, one that has expired: refused alike, before a handle is looked at", async () => {
    const expired = await invite();
    await open.database.sql`
      update invites set expires_at = now() where secret_hash = ${hashSecret(expired)}`;
    const used = await invite();
    await signUp(byInvite, { ...someone(), invite: used });
    const ada = await open.person("ada");
    const bodies = new Set<string>();
    for (const invite of [
      undefined,
      "x",
      "A".repeat(24),
      expired,
      used,
      `${await makeGood()} `,
      "' or 1=1 --",
    ]) {
      for (const handle of [ada.user.handle, someone().handle]) {
        const { status, body } = await signUp(byInvite, { ...someone(), handle, invite });
        expect({ invite, status, code: body.code }).toEqual({ invite, status: 403, code: "bad-invite" });
        bodies.add(JSON.stringify(body));
      }
    }
    expect(bodies.size).toBe(1);
    function makeGood() {
      return invite();
    }
  });

  test("of two at once one wins; the other makes nobody", async () => {
    for (let round = 0; round < 3; round++) {
      const code = await invite();
      const people = Array.from({ length: 6 }, someone);
      const told = await answers(people.map((who) => signUp(byInvite, { ...who, invite: code })));
      expect(told).toEqual({ "201": 1, "403 bad-invite": 5 });
      const made = await open.database.sql`
        select from users where handle in ${open.database.sql(people.map(({ handle }) => handle))}`;
      expect(made).toHaveLength(1);
    }
  });

  test("a sign-up that comes to nothing uses none up", async () => {
    const code = await invite();
    const ada = await open.person("ada");
    const taken = { ...someone(), handle: ada.user.handle, invite: code };
    expect(await answer(signUp(byInvite, taken))).toBe("409 handle-taken");
    expect(await answer(signUp(byInvite, { ...someone(), name: " ", invite: code }))).toBe("422 invalid");
    expect(await isUsed(code)).toBe(false);
    // While one is under way that will come to nothing, the next one waits, and gets in.
    const { promise: failing, resolve: fail } = Promise.withResolvers<void>();
    const under = open.database.sql
      .begin(async (tx) => {
        await tx`update invites set used_at = now(), used_by = ${ada.user.id} where secret_hash = ${hashSecret(code)}`;
        await failing;
        throw new Error("comes to nothing");
      })
      .catch(() => {});
    const next = signUp(byInvite, { ...someone(), invite: code });
    const waits = () => open.database.sql`
      select from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like '%update invites%'`;
    while ((await waits()).length === 0);
    fail();
    await under;
    expect(await answer(next)).toBe("201");
  });

  test("an invite is kept only as its hash, and is not asked for where sign-up is open", async () => {
    const code = await invite();
    const [row] = await open.database.sql`select string_agg(i::text, ' ') as stored from invites i`;
    expect(row?.stored).toContain(hashSecret(code).toString("hex"));
    expect(row?.stored).not.toContain(code);
    expect(row?.stored).not.toContain(Buffer.from(code).toString("hex"));
    expect(await answer(signUp(open, { ...someone(), invite: code }))).toBe("201");
    expect(await isUsed(code)).toBe(false);
    expect(await answer(signUp(open, { ...someone(), invite: "x".repeat(101) }))).toBe("422 invalid");
  });
});

describe("POST /invites", () => {
  test("an administrator makes links, and nobody else does", async () => {
    const [admin, ada] = [await open.administrator(), await open.person("ada")];
    const made = await admin.call("POST", "/invites", { days: 2 });
    expect(made.status).toBe(201);
    expect(made.headers.get("cache-control")).toBe("no-store");
    const { id, invite, link, expiresAt } = made.body;
    expect(link).toBe(`${open.url}/#/invite/${invite}`);
    const [row] = await open.database.sql`
      select created_by, expires_at, expires_at - created_at = interval '2 days' as right from invites where id = ${id}`;
    expect(row).toEqual({ created_by: admin.user.id, expires_at: new Date(expiresAt), right: true });
    expect(await answer(signUp(byInvite, { ...someone(), invite }))).toBe("201");

    expect((await admin.call("POST", "/invites")).status).toBe(201); // 7 days
    for (const days of [0, 366, 1.5, "7", null]) {
      expect(await answer(admin.call("POST", "/invites", { days }))).toBe("422 invalid");
    }
    expect(await answer(ada.call("POST", "/invites", {}))).toBe("403 forbidden");
    expect(await answer(ada.with({}).call("POST", "/invites", {}))).toBe("401 unauthenticated");
  });

  test("a link counts as long as who made it is an administrator", async () => {
    const [root, admin] = [await open.administrator(), await open.administrator()];
    const { invite } = await admin.must("POST", "/invites");
    for (const [change, expected] of [
      [{ administrator: false }, "403 bad-invite"],
      [{ administrator: true, deactivated: true }, "403 bad-invite"],
      [{ deactivated: false }, "201"],
    ] as const) {
      await root.must("PATCH", `/admin/users/${admin.user.id}`, change);
      expect(await answer(signUp(byInvite, { ...someone(), invite }))).toBe(expected);
    }
  });
});

describe("bun run invite", () => {
  async function run(args: string[], env: Record<string, string> = {}) {
    const child = Bun.spawn({
      cmd: [process.execPath, "src/invites/main.ts", ...args],
      cwd: new URL("..", import.meta.url).pathname,
      env: { PATH: process.env.PATH, SIGNUP: "invite", DATABASE_URL: open.database.url, ...env },
      stdout: "pipe",
      stderr: "pipe",
    });
    const out = await new Response(child.stdout).text();
    const err = await new Response(child.stderr).text();
    return { status: await child.exited, out, err };
  }

  test("prints a link that lets one person in", async () => {
    const { status, out, err } = await run(["--days", "3", "--url", "https://chat.example.com/"]);
    expect({ status, err }).toEqual({
      status: 0,
      err: expect.stringMatching(/^Good for one person, until .* UTC, in the database of DATABASE_URL:\n$/),
    });
    const code = /^https:\/\/chat\.example\.com\/#\/invite\/([\w-]{24})\n$/.exec(out)?.[1] as string;
    const [row] = await open.database.sql`
      select expires_at - created_at = interval '3 days' as right from invites where secret_hash = ${hashSecret(code)}`;
    expect(row?.right).toBe(true);
    expect(await answer(signUp(byInvite, { ...someone(), invite: code }))).toBe("201");
  });

  test("says where the link leads, and that nobody needs it", async () => {
    const { out, err } = await run([], { SIGNUP: "open", HOST: "0.0.0.0", PORT: "4000" });
    expect(out).toStartWith("http://127.0.0.1:4000/#/invite/");
    expect(err).toContain("SIGNUP is open in this shell");
  });

  test("takes what it says it takes", async () => {
    expect(readOptions([])).toEqual({ days: 7, url: null, help: false });
    expect(readOptions(["--days=365", "--url", "http://x:1//"])).toMatchObject({
      days: 365,
      url: "http://x:1",
    });
    for (const bad of [
      ["--days=0"],
      ["--days=366"],
      ["--days=1.5"],
      ["--days=-1"],
      ["--url=x"],
      ["--url=ftp://x"],
    ]) {
      expect(() => readOptions(bad)).toThrow(/^--(days|url)=.*: takes/);
    }
    expect(() => readOptions(["--weeks=1"])).toThrow("--weeks");
    expect(() => readOptions(["7"])).toThrow("7");
    const { status, out, err } = await run(["--days", "never"]);
    expect({ status, out, err }).toEqual({
      status: 2,
      out: "",
      err: "invite: --days=never: takes a whole number from 1 to 365\n",
    });
  });
});

describe("the page", () => {
  const NEW = "New here? Make an account";
  async function welcome(server: TestServer, place = "") {
    const visitor = await visit(server.url);
    visitor.expected.push(/Failed to load resource/);
    return visitor.open(place);
  }

  test("offers an account where one can be had", async () => {
    const page = await welcome(open);
    await page.getByRole("button", { name: NEW }).waitFor();
    for (const server of [closed, byInvite]) {
      const shut = await welcome(server);
      const told = shut.waitForResponse(/session\/ways/);
      await shut.reload();
      await told;
      await shut.getByRole("button", { name: "Sign in" }).waitFor();
      expect(await shut.getByRole("button", { name: NEW }).count()).toBe(0);
    }
  });

  test("takes an invite's link, says when it counts no more, and forgets it once it is used", async () => {
    const code = await invite();
    const page = await welcome(byInvite, `#/invite/${code}`);
    const { handle } = someone();
    await page.getByLabel("Handle", { exact: true }).fill(handle);
    await page.getByLabel("Name", { exact: true }).fill("Newcomer");
    await page.getByLabel("Password", { exact: true }).fill(Client.password);
    await page.getByRole("button", { name: "Make an account", exact: true }).click();
    await page.getByText("You are in no room yet.").waitFor();
    expect(new URL(page.url()).hash).toBe("#/");
    expect(await isUsed(code)).toBe(true);

    const late = await welcome(byInvite, `#/invite/${code}`);
    await late.getByLabel("Handle", { exact: true }).fill(someone().handle);
    await late.getByLabel("Name", { exact: true }).fill("Late");
    await late.getByLabel("Password", { exact: true }).fill(Client.password);
    await late.getByRole("button", { name: "Make an account", exact: true }).click();
    await late.getByRole("alert").filter({ hasText: "This invite" }).waitFor();
  });
});
