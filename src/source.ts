import { lapsed } from "./auth/queries.ts";
import type { Sql } from "./db/client.ts";
import type { Source } from "./live/hub.ts";
import { timelineSource } from "./messages/timeline.ts";
import type { Cursors } from "./rooms/cursor.ts";
import { listSource } from "./rooms/source.ts";

/** All that the hub asks, of the features that know. */
export const liveSource = (sql: Sql, cursors: Cursors): Source => ({
  ...listSource(sql, cursors),
  ...timelineSource(sql),
  lapsed: (credentials) => lapsed(sql, credentials),
});
