import { lapsed } from "../auth/queries.ts";
import type { Sql } from "../db/client.ts";
import type { Source } from "../live/hub.ts";
import type { Cursors } from "./cursor.ts";
import { listRooms, roomsOf } from "./list.ts";

/** What the hub asks, answered by the same query as `GET /rooms`. */
export const roomSource = (sql: Sql, cursors: Cursors): Source => ({
  rooms: (userIds) => roomsOf(sql, userIds),
  lapsed: (credentials) => lapsed(sql, credentials),
  async list(asks) {
    const { cursor, asked } = await listRooms(sql, cursors, asks);
    return {
      cursor,
      asked: asked.map(({ entries, reset }) => ({
        reset,
        changes: entries.map(({ roomId, version, activeAt, room }) => ({
          roomId,
          version,
          activeAt: activeAt.getTime(),
          json: room && JSON.stringify(room),
        })),
      })),
    };
  },
});
