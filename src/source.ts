import { lapsed } from "./auth/queries.ts";
import type { Sql } from "./db/client.ts";
import type { Source } from "./live/hub.ts";
import { timelineSource } from "./messages/timeline.ts";
import type { Cursors } from "./rooms/cursor.ts";
import { listSource } from "./rooms/source.ts";

/**
 * All that the hub asks, of the features that know.
 * @param onEnded told of a session or token that the hub found to have ended before its hint came: where a stream has
 *   ended for it, no request of it may be let in any more
 */
export const liveSource = (sql: Sql, cursors: Cursors, onEnded: (credential: string) => void): Source => ({
  ...listSource(sql, cursors),
  ...timelineSource(sql),
  async lapsed(credentials) {
    const ended = await lapsed(sql, credentials);
    ended.forEach(onEnded);
    return ended;
  },
});
