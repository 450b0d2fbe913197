import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { deviceOf } from "../src/auth/device.ts";
import { sweepSome } from "../src/auth/sweep.ts";
import { Client } from "./support/client.ts";
import { type TestServer, testServer } from "./support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.close());

interface Listed {
  id: number;
  device: string | null;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
  current: boolean;
}

const DAY = 24 * 3600 * 1000;
const daysUntil = (time: string) => (Date.parse(time) - Date.now()) / DAY;

const sessionsOf = async (who: Client) =>
  (await who.must<{ sessions: Listed[] }>("GET", "/sessions")).sessions;
const status = async (who: Client) => (await who.call("GET", "/session")).status;
const current = async (who: Client) => (await sessionsOf(who)).find((session) => session.current) as Listed;

/** Signs in by the browser that holds this cookie. */
async function signInWith(cookie: string, who: Client, more: Record<string, string> = {}) {
  const response = await fetch(`${server.api}/session`, {
    method: "POST",
    headers: { "content-type": "application/json", cookie, ...more },
    body: JSON.stringify({ handle: who.user.handle, password: Client.password }),
  });
  const [pair = ""] = response.headers.getSetCookie()[0]?.split(";") ?? [];
  return { status: response.status, client: who.with({ cookie: pair }) };
}

describe("a sign-in", () => {
  test("takes the place of the session that its own cookie names, whose streams end", async () => {
    const ada = await server.person("ada");
    const stream = await ada.stream();
    await stream.event("rooms");
    const { client } = await signInWith(ada.headers.cookie as string, ada);
    await stream.until(() => stream.ended);
    expect(stream.bye).toBe("signed-out");
    expect([await status(ada), await status(client)]).toEqual([401, 200]);
    expect(await sessionsOf(client)).toHaveLength(1);
  });

  test("by somebody else in the same browser ends the session of who was there before", async () => {
    const [ada, ben] = [await server.person("ada"), await server.person("ben")];
    await signInWith(ada.headers.cookie as string, ben);
    expect(await status(ada)).toBe(401);
  });

  test("so does a sign-up", async () => {
    const ada = await server.person("ada");
    const body = { handle: `${ada.user.handle}-two`, name: "Two", password: Client.password };
    expect((await ada.call("POST", "/users", body)).status).toBe(201);
    expect(await status(ada)).toBe(401);
  });

  test("that fails ends nothing; one by another browser neither", async () => {
    const ada = await server.person("ada");
    expect((await ada.call("POST", "/session", { handle: ada.user.handle, password: "wrong" })).status).toBe(
      401,
    );
    expect(await status(ada)).toBe(200);
    const elsewhere = await ada.signInAgain();
    expect([await status(ada), await status(elsewhere)]).toEqual([200, 200]);
  });
});

describe("the list of my sessions", () => {
  test("shows each with its device and times, the asking one first and marked, and nobody else's", async () => {
    const [ada, ben] = [await server.person("ada"), await server.person("ben")];
    const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const { client } = await signInWith("", ada, { "user-agent": firefox });
    await ben.signInAgain();
    const reply = await client.call("GET", "/sessions");
    expect(reply.headers.get("cache-control")).toBe("no-store");
    const [mine, other, ...rest] = reply.body.sessions as Listed[];
    expect(rest).toEqual([]);
    expect(mine).toMatchObject({ device: "Firefox, Linux", current: true });
    expect(other).toMatchObject({ device: "Bun", current: false });
    for (const session of [mine, other] as Listed[]) {
      expect(Object.keys(session).sort()).toEqual(
        ["createdAt", "current", "device", "expiresAt", "id", "lastUsedAt"].sort(),
      );
      expect(daysUntil(session.expiresAt)).toBeWithin(13.99, 14.01);
    }
    expect((await sessionsOf(ada)).map(({ id }) => id)).toEqual([other?.id, mine?.id] as number[]);
  });

  test("asked for by a token, it marks none", async () => {
    const ada = await server.person("ada");
    const { token } = await ada.must("POST", "/tokens", { name: "script" });
    const listed = await sessionsOf(ada.with({ authorization: `Bearer ${token}` }));
    expect(listed.map((session) => session.current)).toEqual([false]);
  });

  test("leaves out what has expired", async () => {
    const ada = await server.person("ada");
    const elsewhere = await ada.signInAgain();
    const { id } = await current(elsewhere);
    await server.database.sql`update sessions set expires_at = now() where id = ${id}`;
    expect(await sessionsOf(ada)).toHaveLength(1);
  });
});

describe("ending one of my sessions", () => {
  test("ends it with its streams, and no other; a second time is as good", async () => {
    const ada = await server.person("ada");
    const elsewhere = await ada.signInAgain();
    const { id } = await current(elsewhere);
    const [theirs, mine] = [await elsewhere.stream(), await ada.stream()];
    await Promise.all([theirs.event("rooms"), mine.event("rooms")]);
    for (let i = 0; i < 2; i++) {
      const reply = await ada.call("DELETE", `/sessions/${id}`);
      expect([reply.status, reply.headers.get("set-cookie")]).toEqual([204, null]);
    }
    expect([await status(elsewhere), await status(ada)]).toEqual([401, 200]);
    await theirs.until(() => theirs.ended);
    expect(theirs.bye).toBe("signed-out");
    await ada.openRoom();
    await mine.event("rooms", 2);
    mine.close();
  });

  test("the asking one too: that is a sign-out, and takes the cookie away", async () => {
    const ada = await server.person("ada");
    const reply = await ada.call("DELETE", `/sessions/${(await current(ada)).id}`);
    expect(reply.status).toBe(204);
    expect(reply.headers.get("set-cookie")).toMatch(/^foyer_session=; .*Max-Age=0/);
    expect(await status(ada)).toBe(401);
  });

  test("nobody ends somebody else's, and is told nothing of it", async () => {
    const [ada, ben] = [await server.person("ada"), await server.person("ben")];
    const { id } = await current(ada);
    expect((await ben.call("DELETE", `/sessions/${id}`)).status).toBe(204);
    expect((await ben.call("DELETE", `/sessions/${Number.MAX_SAFE_INTEGER}`)).status).toBe(204);
    expect(await status(ada)).toBe(200);
    expect((await ben.call("DELETE", "/sessions/0")).body.code).toBe("not-found");
  });
});

describe("expiry", () => {
  /** Moves a session into the past by so many days. */
  const age = (session: Listed, days: number) => server.database.sql`
    update sessions
       set created_at = created_at - make_interval(days => ${days}), expires_at = expires_at - make_interval(days => ${days}),
           ends_at = ends_at - make_interval(days => ${days}), last_used_at = last_used_at - make_interval(days => ${days})
     where id = ${session.id}`;

  test("one that is not used for SESSION_IDLE_DAYS ends", async () => {
    const ada = await server.person("ada");
    const elsewhere = await ada.signInAgain();
    const session = await current(elsewhere);
    await age(session, 14);
    // Believed for a moment where it was just used; elsewhere never.
    const other = await testServer({}, server.database);
    try {
      expect(await status(elsewhere.with(elsewhere.headers, other.api))).toBe(401);
    } finally {
      await other.close();
    }
  });

  test("one that is used lasts on, to the hour, but never beyond SESSION_DAYS", async () => {
    const short = await testServer({ SESSION_DAYS: "20", SESSION_IDLE_DAYS: "5" }, server.database);
    try {
      const ada = await Client.signUp(short.api, "shortlived");
      const session = await current(ada);
      const used = async (days: number) => {
        await age(session, days);
        // A server that remembers nothing.
        const fresh = await testServer({ SESSION_DAYS: "20", SESSION_IDLE_DAYS: "5" }, server.database);
        try {
          const there = ada.with(ada.headers, fresh.api);
          if ((await status(there)) !== 200) return null;
          return daysUntil(
            ((await sessionsOf(there)).find(({ id }) => id === session.id) as Listed).expiresAt,
          );
        } finally {
          await fresh.close();
        }
      };
      expect(daysUntil(session.expiresAt)).toBeWithin(4.99, 5.01);
      for (const day of [4, 8, 12]) expect([day, await used(4)]).toEqual([day, expect.closeTo(5, 1)]);
      expect(await used(4)).toBeCloseTo(4, 1); // day 16: the end is nearer
      expect(await used(3)).toBeCloseTo(1, 1); // day 19
      expect(await used(1)).toBeNull(); // day 20, used a day before
    } finally {
      await short.close();
    }
  });

  test("the cookie lasts for SESSION_DAYS; an idle time above that changes nothing", async () => {
    const short = await testServer({ SESSION_DAYS: "2", SESSION_IDLE_DAYS: "9" }, server.database);
    try {
      const response = await fetch(`${short.api}/users`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ handle: "two-days", name: "Two", password: Client.password }),
      });
      const [cookie = ""] = response.headers.getSetCookie();
      expect(cookie).toContain(`Max-Age=${2 * 24 * 3600}`);
      const [session] = await server.database.sql`
        select extract(epoch from expires_at - created_at) / 86400 as days from sessions
         where user_id = ${((await response.json()) as { id: number }).id}`;
      expect(Number(session?.days)).toBeCloseTo(2, 3);
    } finally {
      await short.close();
    }
  });

  test("a stream does not outlive its session", async () => {
    const ada = await server.person("ada");
    const stream = await ada.stream();
    await stream.event("rooms");
    await age(await current(ada), 14);
    server.hub.sweep();
    await stream.until(() => stream.ended);
    expect(stream.bye).toBe("signed-out");
  });

  test("what has expired is swept out, whosever it is, so many at a time, and nothing else", async () => {
    const { sql } = server.database;
    const ada = await server.person("ada");
    await sweepSome(sql, 1_000);
    for (let i = 0; i < 5; i++) await ada.signInAgain();
    for (const session of await sessionsOf(ada)) if (!session.current) await age(session, 14);
    await sql.begin(async (tx) => {
      // One that another server is removing right now is left to it.
      await tx`select from sessions where user_id = ${ada.user.id} and expires_at <= now() order by expires_at limit 1 for update`;
      expect([await sweepSome(sql, 3), await sweepSome(sql, 3)]).toEqual([3, 1]);
    });
    expect([await sweepSome(sql, 3), await sweepSome(sql, 3)]).toEqual([1, 0]);
    expect(await sessionsOf(ada)).toHaveLength(1);
  });
});

describe("the device", () => {
  test.each([
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
      "Chrome, Windows",
    ],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
      "Edge, Windows",
    ],
    [
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
      "Safari, macOS",
    ],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
      "Safari, iPhone",
    ],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1",
      "Chrome, iPhone",
    ],
    [
      "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
      "Chrome, Android",
    ],
    [
      "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
      "Samsung Internet, Android",
    ],
    ["Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox, Android"],
    [
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0",
      "Opera, Linux",
    ],
    [
      "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
      "Chrome, ChromeOS",
    ],
    ["Mozilla/5.0 (Windows NT 10.0) SomethingNew/1.0", "Windows"],
    ["curl/8.14.1", "curl"],
    ["python-requests/2.32.4", "python-requests"],
    ["Bun/1.4.5", "Bun"],
    ["", null],
    ["<script>alert(1)</script>", null],
    ["名前/1.0", null],
    ["x".repeat(200), null],
  ])("%s", (userAgent, device) => {
    expect(deviceOf(userAgent)).toBe(device);
  });

  test("is kept cut to 200 characters, whatever it is", async () => {
    const ada = await server.person("ada");
    for (const userAgent of ["a".repeat(5_000), "' or 1=1 --", "é".repeat(300)]) {
      const { client, status } = await signInWith("", ada, { "user-agent": userAgent });
      expect(status).toBe(200);
      const [row] = await server.database.sql`
        select user_agent from sessions where id = ${(await current(client)).id}`;
      expect(row?.user_agent.length).toBeLessThanOrEqual(200);
    }
  });
});
