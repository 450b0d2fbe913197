import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./support/client.ts";
import { quietCursor } from "./support/cursor.ts";
import { eventually } from "./support/eventually.ts";

const ROOT = join(import.meta.dir, "..");

let folder: string;
let started: Started[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foyer-main-"));
  started = [];
});
afterEach(async () => {
  for (const server of started) if (server.child.exitCode === null) server.child.kill("SIGKILL");
  const pid = await postmaster();
  if (pid !== null) process.kill(pid, "SIGQUIT");
  await eventually(async () => pid === null || !isAlive(pid));
  await rm(folder, { recursive: true, force: true });
});

interface Started {
  child: ReturnType<typeof Bun.spawn>;
  api: string;
  banner: string;
  output: () => string;
}

/** Starts the program as `bun start` does, on a port of its own; with its own data folder unless settings say otherwise. */
async function start(settings: Record<string, string> = {}): Promise<Started> {
  const child = Bun.spawn([process.execPath, "src/main.ts"], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH ?? "",
      PORT: "0",
      DATA_DIR: folder,
      LOG_LEVEL: "info",
      LIMITS: "off",
      ...settings,
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    void (async () => {
      for await (const chunk of stream) output += Buffer.from(chunk).toString();
    })();
  }
  await eventually(
    () => /address +\S/.test(output) || child.exitCode !== null,
    "the program has started",
    60_000,
  );
  const server = {
    child,
    api: /address +(\S+)/.exec(output)?.[1] ?? "",
    banner: output,
    output: () => output,
  };
  started.push(server);
  return server;
}

/** The process id of the cluster's postmaster, if it is alive. */
async function postmaster(): Promise<number | null> {
  const pid = Number.parseInt(
    await readFile(join(folder, "postgres/postmaster.pid"), "utf8").catch(() => ""),
    10,
  );
  return pid > 0 && isAlive(pid) ? pid : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("start", () => {
  test("the banner tells address, database, version and the timeouts in force", async () => {
    const { banner } = await start({ IDLE_TIMEOUT: "33", PING_INTERVAL: "7", DRAIN_TIMEOUT: "3" });
    expect(banner).toMatch(/Foyer \d+\.\d+\.\d+/);
    expect(banner).toMatch(/page +http:\/\/127\.0\.0\.1:\d+\/\n/);
    expect(banner).toMatch(
      /address +http:\/\/127\.0\.0\.1:\d+\/chat\/api {5}docs http:\/\/127\.0\.0\.1:\d+\/docs\n/,
    );
    expect(banner).not.toContain("metrics");
    expect(banner).toContain(`embedded Postgres 18.4 in ${folder}`);
    expect(banner).toContain("idle 33 s, ping 7 s, statement 5 s, drain 3 s");
  });

  test("the banner names the documentation and the metrics only where they are", async () => {
    const { banner } = await start({ DOCS: "off", METRICS_PORT: "0" });
    expect(banner).not.toContain("docs");
    const [, metrics = ""] = /^ {2}metrics {4}(\S+)$/m.exec(banner) ?? [];
    expect(await (await fetch(metrics)).text()).toContain("foyer_streams");
  });

  test.each([
    [{ PORT: "http" }, "PORT"],
    [{ IDLE_TIMEOUT: "1000" }, "IDLE_TIMEOUT"],
    [{ LOG_LEVEL: "loud" }, "LOG_LEVEL"],
    [{ DATABASE_URL: "mysql://secret@localhost/x" }, "DATABASE_URL"],
  ])("a wrong setting is refused by its name, and exit status 1: %p", async (settings, name) => {
    const { child, output } = await start(settings as unknown as Record<string, string>);
    expect(await child.exited).toBe(1);
    expect(output()).toContain(`foyer: ${name}`);
    expect(output()).toContain("takes");
    expect(output()).not.toContain("secret");
  });

  test("a database that is not there is told in one line, and exit status 1", async () => {
    const { child, output } = await start({ DATABASE_URL: "postgres://nobody:hidden@127.0.0.1:1/none" });
    expect(await child.exited).toBe(1);
    expect(output()).toContain("foyer: cannot start: DATABASE_URL: ");
    expect(output()).toContain("ECONNREFUSED");
    expect(output()).not.toContain("hidden");
  });

  test("a port that is taken is told in one line, exit status 1, and the embedded Postgres is stopped", async () => {
    using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    const { child, output } = await start({ PORT: String(taken.port) });
    expect(await child.exited).toBe(1);
    expect(output()).toContain(`foyer: cannot start: HOST=127.0.0.1, PORT=${taken.port}: `);
    expect(await postmaster()).toBeNull();
  });

  test("a data folder that cannot be is told by its setting, and exit status 1", async () => {
    const { child, output } = await start({ DATA_DIR: "/etc/passwd/data" });
    expect(await child.exited).toBe(1);
    expect(output()).toContain("foyer: cannot start: DATA_DIR=/etc/passwd/data: ");
  });
});

describe("stop", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s says bye to every stream, lets requests finish, stops the database, exit status 0",
    async (signal) => {
      const { child, api } = await start();
      const ada = await Client.signUp(api, "ada");
      const room = await ada.openRoom();
      const stream = await ada.stream();
      await stream.event("rooms");
      const sends = Array.from({ length: 10 }, () =>
        ada.call("POST", `/rooms/${room.id}/messages`, { body: "x" }),
      );
      await Promise.any(sends);
      child.kill(signal);
      const replies = await Promise.allSettled(sends);
      await stream.until(() => stream.ended);
      expect(stream.bye).toBe("shutdown");
      for (const reply of replies)
        if (reply.status === "fulfilled") expect([201, 503]).toContain(reply.value.status);
      expect(await child.exited).toBe(0);
      expect(await postmaster()).toBeNull();
    },
  );

  test("a reader that takes nothing does not hold the shutdown up beyond DRAIN_TIMEOUT", async () => {
    const { child, api } = await start({ DRAIN_TIMEOUT: "1" });
    const ada = await Client.signUp(api, "ada");
    // A request whose body never comes is under way for as long as it likes.
    const { hostname, port } = new URL(api);
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: { data() {}, open: () => resolve() },
    });
    await connected;
    socket.write(
      `POST /chat/api/rooms HTTP/1.1\r\nhost: x\r\ncookie: ${ada.headers.cookie}\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{`,
    );
    await ada.list();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    socket.end();
  });
});

test("a restart in good order keeps cursors: only what changed meanwhile comes", async () => {
  const first = await start();
  const ada = await Client.signUp(first.api, "ada");
  await ada.openRoom("quiet");
  const room = await ada.openRoom("busy");
  const cursor = await quietCursor(ada);
  await ada.send(room.id);
  first.child.kill("SIGTERM");
  expect(await first.child.exited).toBe(0);
  const second = await start();
  const stream = await ada.with(ada.headers, second.api).stream(cursor);
  const { data } = await stream.event("rooms");
  expect([data.reset, data.rooms.map(({ id }: { id: number }) => id)]).toEqual([false, [room.id]]);
  stream.close();
});

describe("killed", () => {
  test.each([
    ["the server", ["server"]],
    ["the database", ["postgres"]],
    ["both", ["server", "postgres"]],
  ])("after kill -9 of %s a new start has every acknowledged message", async (_, victims) => {
    const first = await start();
    const ada = await Client.signUp(first.api, "ada");
    const room = await ada.openRoom();
    let acknowledged = 0;
    const senders = Array.from({ length: 8 }, async () => {
      while (acknowledged < 10_000) {
        const reply = await ada.call("POST", `/rooms/${room.id}/messages`, { body: "x" }).catch(() => null);
        if (reply?.status !== 201) return;
        acknowledged = Math.max(acknowledged, reply.body.seq);
      }
    });
    await eventually(() => acknowledged > 50);
    if (victims.includes("server")) first.child.kill("SIGKILL");
    if (victims.includes("postgres")) process.kill((await postmaster()) as number, "SIGKILL");
    await Promise.all(senders);
    // The server of a database that was killed lives on, without one: as an operator would, we start anew.
    first.child.kill("SIGKILL");
    await first.child.exited;

    const second = await start();
    const again = ada.with(ada.headers, second.api);
    expect((await again.room(room.id)).lastSeq).toBeGreaterThanOrEqual(acknowledged);
    const { messages } = await again.must("GET", `/rooms/${room.id}/messages?limit=200`);
    expect(messages.length).toBeGreaterThan(50);
    second.child.kill("SIGTERM");
    expect(await second.child.exited).toBe(0);
  });

  test("an embedded database that is killed is brought up again by the server that uses it", async () => {
    const { api } = await start();
    const ada = await Client.signUp(api, "ada");
    const room = await ada.openRoom();
    const stream = await ada.stream();
    await stream.event("rooms");
    const { cursor } = await ada.list();
    const killed = (await postmaster()) as number;
    process.kill(killed, "SIGKILL");
    // What it had started answers on for a moment.
    await eventually(async () => ![null, killed].includes(await postmaster()), "another one", 60_000);
    await eventually(
      async () =>
        (await ada.call("POST", `/rooms/${room.id}/messages`, { body: "x", clientId: "1" })).status < 300,
      "a message is taken again",
      60_000,
    );
    await stream.until(() => stream.rooms.get(room.id)?.lastSeq === 1, "the stream shows it", 60_000);
    // Transaction numbers that were lost are given out again: a cursor of before means nothing any more.
    expect((await ada.list(`?since=${cursor}`)).reset).toBe(true);
    stream.close();
  });

  test("a second server on the same data folder joins, and the first's stop leaves it its database", async () => {
    const [first, second] = await Promise.all([start(), start()]);
    const ada = await Client.signUp(first.api, "ada");
    const elsewhere = ada.with(ada.headers, second.api);
    const stream = await elsewhere.stream();
    await stream.event("rooms");
    const room = await ada.openRoom();
    await stream.until(() => stream.rooms.has(room.id));
    first.child.kill("SIGTERM");
    expect(await first.child.exited).toBe(0);
    await elsewhere.send(room.id);
    await stream.until(() => stream.rooms.get(room.id)?.lastSeq === 1);
    second.child.kill("SIGTERM");
    expect(await second.child.exited).toBe(0);
    expect(await postmaster()).toBeNull();
  });
});
