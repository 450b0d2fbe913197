import type { Client } from "./client.ts";
import { eventually } from "./eventually.ts";

/**
 * A cursor since which nothing has changed. A fresh one may still bring what came just before it: other
 * transactions of the same Postgres, of whatever database, hold it back.
 */
export async function quietCursor(client: Client): Promise<string> {
  let cursor = "";
  await eventually(async () => {
    ({ cursor } = await client.list());
    const { rooms, left } = await client.list(`?since=${cursor}`);
    return rooms.length + left.length === 0;
  });
  return cursor;
}
