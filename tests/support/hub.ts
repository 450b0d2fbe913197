import { connect, type Database } from "../../src/db/client.ts";
import { Connection, type Wire } from "../../src/live/connection.ts";
import type { Frame } from "../../src/live/frame.ts";
import { Hub, type Source } from "../../src/live/hub.ts";
import { Outgoing } from "../../src/messages/outgoing.ts";
import { readCursors } from "../../src/rooms/cursor.ts";
import { liveSource } from "../../src/source.ts";
import type { RoomList } from "./client.ts";
import { freshDatabase, type TestDatabase } from "./database.ts";

/** A wire into a test, full whenever the test says so. */
export class Reader implements Wire {
  full = false;
  readonly frames: Uint8Array[] = [];
  readonly events: { event: string; data: any; id: string }[] = [];
  writable = () => !this.full;
  send({ sse }: Frame): void {
    this.frames.push(sse);
    for (const [, event, id, data] of Buffer.from(sse)
      .toString()
      .matchAll(/^event: (.*)\n(?:id: (.*)\n)?data: (.*)\n\n/gm)) {
      this.events.push({ event: event as string, data: JSON.parse(data as string), id: id ?? "" });
    }
  }
  close(): void {}
  drop(): void {}

  /** The data of every event of a name. */
  all = (name: string) => this.events.flatMap(({ event, data }) => (event === name ? [data] : []));
  get lists(): RoomList[] {
    return this.all("rooms");
  }
  /** The first room's newest message, as the list tells it. */
  get lastSeq(): number {
    return this.lists.at(-1)?.rooms[0]?.lastSeq ?? 0;
  }
}

/** A database of people, and hubs over it. */
export class HubBench {
  /** Of a session that the streams of a test hang on. */
  credential = "";
  /** No hub is told by it: the tests do that. */
  readonly #outgoing: Outgoing;

  private constructor(
    readonly database: TestDatabase,
    readonly db: Database,
  ) {
    this.#outgoing = new Outgoing(db.sql, () => {});
  }

  static async open(): Promise<HubBench> {
    const database = await freshDatabase();
    return new HubBench(database, connect(database.target, { pool: 8, statementTimeout: 5 }));
  }

  async close(): Promise<void> {
    await this.db.close();
    await this.database.drop();
  }

  /** So many people in one room, and a session. */
  async crowd(people: number): Promise<{ userIds: number[]; roomId: number }> {
    const { sql } = this.database;
    const [room] =
      await sql`insert into rooms (kind, name, member_count) values ('open', 'crowd', ${people}) returning id`;
    const users = await sql`
      with u as (
        insert into users (handle, name) select 'u' || ${room?.id} || '.' || i, 'U' || i from generate_series(1, ${people}::int) i returning id
      ), m as (insert into memberships (user_id, room_id) select id, ${room?.id} from u)
      select id from u`;
    const [session] = await sql`
      insert into sessions (user_id, secret_hash, expires_at)
      values (${users[0]?.id}, sha256(${`${room?.id}`}::bytea), now() + interval '1 day') returning 's' || id as credential`;
    this.credential = session?.credential;
    return { userIds: users.map(({ id }) => id), roomId: room?.id };
  }

  send = (userId: number, roomId: number, body = "x") =>
    this.#outgoing.send({ roomId, senderId: userId, body, clientId: null, replyTo: null });

  /** The real source, watched: how many queries, and how many at once. */
  async watched() {
    const real = liveSource(this.db.sql, await readCursors(this.db.sql), () => {});
    const seen = { lists: 0, asks: 0, timelines: 0, timelineAsks: 0, read: 0, most: 0, now: 0 };
    const watch =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A) => {
        seen.most = Math.max(seen.most, ++seen.now);
        try {
          return await call(...args);
        } finally {
          seen.now--;
        }
      };
    const source: Source = {
      rooms: watch(real.rooms),
      members: watch(real.members),
      lapsed: watch(real.lapsed),
      list: watch((asks) => {
        seen.lists++;
        seen.asks += asks.length;
        return real.list(asks);
      }),
      timelines: watch(async (asks, pairs) => {
        seen.timelines++;
        seen.timelineAsks += asks.length;
        const answer = await real.timelines(asks, pairs);
        seen.read += answer.stretches.reduce((sum, { messages }) => sum + messages.length, 0);
        return answer;
      }),
    };
    return { source, seen };
  }

  connect(hub: Hub, userId: number, wire: Reader): Connection {
    const connection = new Connection(userId, this.credential, wire, Date.now(), () => {});
    hub.join(connection);
    return connection;
  }

  openList(hub: Hub, userId: number, wire: Reader, cursor = ""): Connection {
    const connection = this.connect(hub, userId, wire);
    hub.openList(connection, cursor);
    return connection;
  }

  openTimeline(hub: Hub, userId: number, roomId: number, wire: Reader, cursor = ""): Connection {
    const connection = this.connect(hub, userId, wire);
    hub.openTimeline(connection, roomId, cursor, () => hub.end(connection, "removed"));
    return connection;
  }
}

export const newHub = (
  source: Source,
  onFailure = (error: unknown): void => Promise.reject(error) as never,
) => new Hub(source, { pingMs: 15_000, idleMs: 60_000 }, onFailure);
