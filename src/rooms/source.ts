import type { Sql } from "../db/client.ts";
import type { ListSource } from "../live/lists/lists.ts";
import type { Cursors } from "./cursor.ts";
import { listRooms, roomsOf } from "./list.ts";

/** What the hub asks about room lists, answered by the same query as `GET /rooms`. */
export const listSource = (sql: Sql, cursors: Cursors): ListSource => ({
  rooms: (userIds) => roomsOf(sql, userIds),
  async list(asks) {
    const { cursor, revocations, asked } = await listRooms(sql, cursors, asks);
    return {
      cursor,
      revocations,
      asked: asked.map(({ entries, reset }) => ({
        reset,
        changes: entries.map((entry) => ({ ...entry, activeAt: Date.parse(entry.activeAt) })),
      })),
    };
  },
});
