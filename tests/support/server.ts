import { readConfig } from "../../src/config.ts";
import { createLog } from "../../src/log.ts";
import type { Pace } from "../../src/presence/presence.ts";
import { type Server, startServer } from "../../src/server.ts";
import { Client } from "./client.ts";
import { freshDatabase, type TestDatabase } from "./database.ts";

export interface TestServer extends Server {
  database: TestDatabase;
  /** The address of the API. */
  api: string;
  /** Signs somebody new up; their handle begins with `name`. */
  person(name?: string): Promise<Client>;
  /** Signs up an administrator. */
  administrator(name?: string): Promise<Client>;
  /** Stops the server and drops its database. */
  close(): Promise<void>;
}

let people = 0;

/**
 * A server in this process on a port of its own.
 * @param settings as in the environment; without rate limits unless they say otherwise
 * @param database one that another server is on, or a fresh one
 * @param pace of presence
 */
export async function testServer(
  settings: Record<string, string> = {},
  database?: TestDatabase,
  pace?: Pace,
): Promise<TestServer> {
  const mine = database ?? (await freshDatabase());
  const config = readConfig({ PORT: "0", LOG_LEVEL: "silent", LIMITS: "off", ...settings });
  const server = await startServer(config, mine.target, createLog(config.logLevel), pace);
  const api = `${server.url}/chat/api`;
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= server.stop();
    return stopped;
  };
  const person = (name = "person") => Client.signUp(api, `${name}${++people}`);
  return {
    ...server,
    database: mine,
    api,
    person,
    async administrator(name = "admin") {
      const client = await person(name);
      // Nobody has asked yet what they may: that would be remembered for a moment.
      await mine.sql`update users set administrator = true where id = ${client.user.id}`;
      return client;
    },
    stop,
    async close() {
      await stop();
      if (!database) await mine.drop();
    },
  };
}

/** Two servers on one database: what one commits, the other's streams must show as well. The first owns the database. */
export async function twoServers(pace?: Pace): Promise<[TestServer, TestServer]> {
  const first = await testServer({}, undefined, pace);
  return [first, await testServer({}, first.database, pace)];
}
