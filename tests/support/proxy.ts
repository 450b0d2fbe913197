import { connect, createServer, type NetConnectOpts, type Socket } from "node:net";
import type { Target } from "../../src/db/client.ts";

/** Between the server and Postgres: counts, holds back, cuts. */
export interface Proxy {
  /** The database by way of this proxy. */
  readonly target: Target;
  /** Connections that are open now. */
  readonly connections: number;
  /** The text of every statement that was run, in order. */
  readonly statements: readonly string[];
  /** Lets nothing through any more, in neither direction, and closes nothing: a network that swallows. */
  pause(): void;
  /** Lets through again, beginning with what was held back. */
  resume(): void;
  /** Lets nothing through any more to connections that listen for notifications, now or later; all others go on. */
  deafen(): void;
  /** Breaks every connection that is open. */
  cut(): void;
  close(): Promise<void>;
}

/** Stands between a server and its database. */
export async function startProxy(target: Target): Promise<Proxy> {
  const statements: string[] = [];
  const open = new Set<Socket>();
  let held: (() => void)[] | null = null;
  let deaf = false;

  const through = (deliver: () => void) => {
    if (held) held.push(deliver);
    else deliver();
  };

  const server = createServer((client) => {
    through(() => {
      const database = connect(addressOf(target));
      let listens = false;
      const read = statementReader((statement) => {
        statements.push(statement);
        listens ||= /^listen /i.test(statement);
      });
      for (const [from, to] of [
        [client, database],
        [database, client],
      ] as const) {
        open.add(from);
        from.on("data", (chunk: Buffer) => {
          if (from === client) read(chunk);
          if (deaf && listens && from === database) return;
          through(() => to.write(chunk));
        });
        from.on("error", () => {});
        from.on("close", () => {
          open.delete(from);
          through(() => to.destroy());
        });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };

  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    target: by(target, port),
    get connections() {
      return open.size / 2;
    },
    statements,
    pause() {
      held ??= [];
    },
    resume() {
      const waiting = held ?? [];
      held = null;
      for (const deliver of waiting) deliver();
    },
    deafen() {
      deaf = true;
    },
    cut,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      return closed;
    },
  };
}

/** Where Postgres is: a port, or the socket in a folder. */
function addressOf(target: Target): NetConnectOpts {
  const { hostname, port, searchParams } =
    typeof target === "string" ? new URL(target) : { ...target, hostname: target.host, searchParams: null };
  const host = searchParams?.get("host") ?? hostname;
  return host.startsWith("/")
    ? { path: `${host}/.s.PGSQL.${port || 5432}` }
    : { host, port: Number(port || 5432) };
}

/** The same database at the proxy's port. */
function by(target: Target, port: number): Target {
  if (typeof target !== "string") return { ...target, host: "127.0.0.1", port };
  const url = new URL(target);
  url.searchParams.delete("host");
  url.host = `127.0.0.1:${port}`;
  return url.href;
}

/** Reads a client's side of the protocol (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
function statementReader(run: (statement: string) => void): (chunk: Buffer) => void {
  const prepared = new Map<string, string>();
  let buffer = Buffer.alloc(0);
  let typed = 0; // bytes before the length: none in the first message, then the type
  return (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= typed + 4) {
      const end = typed + buffer.readUInt32BE(typed);
      if (buffer.length < end) return;
      const type = typed === 0 ? "startup" : String.fromCharCode(buffer[0] as number);
      const [first = "", second = ""] = buffer.toString("utf8", typed + 4, end).split("\0", 2);
      if (type === "P") prepared.set(first, second); // Parse: name, statement
      if (type === "B") run(prepared.get(second) ?? ""); // Bind: portal, name
      if (type === "Q") run(first);
      typed = 1;
      buffer = buffer.subarray(end);
    }
  };
}
