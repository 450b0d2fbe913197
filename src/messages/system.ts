import type { Sql } from "../db/client.ts";

/** What the server tells in a room, as a predicate of the message's sender. */
export const roomTold = {
  joined: "joined the room",
  left: "left the room",
  added: (name: string) => `added ${name}`,
  removed: (name: string) => `removed ${name}`,
  renamed: (name: string) => `renamed the room to “${name}”`,
};

/**
 * Adds a system message; it never counts as unread and is nobody's last message.
 * @returns its seq
 */
export async function tell(tx: Sql, roomId: number, senderId: number, body: string): Promise<number> {
  const [message] = await tx<{ seq: number }[]>`
    with room as (
      update rooms
         set last_seq = last_seq + 1, last_uncounted_seq = last_seq + 1, version = pg_current_xact_id()
       where id = ${roomId}
      returning id, last_seq
    )
    insert into messages (room_id, seq, sender_id, kind, body)
    select id, last_seq, ${senderId}::bigint, 'system', ${body} from room
    returning seq`;
  return message?.seq as number;
}
