import type { Database } from "../src/db/client.ts";

/** How many people and rooms, and in how many of them each is. */
export interface CrowdSize {
  users: number;
  rooms: number;
  each: number;
}

/** Fills an empty database with people in rooms; each room has one message. The ids of both begin at 1. */
export async function fillCrowd({ sql }: Database, { users, rooms, each }: CrowdSize): Promise<void> {
  await sql`
    insert into users (handle, name)
    select 'person-' || n, 'Person ' || n from generate_series(1, ${users}::int) n order by n`;
  await sql`
    insert into rooms (kind, name, last_seq, last_message_seq, last_message_sender_id, last_message_at, last_message_preview)
    select 'open', 'Room ' || n, 1, 1, 1, now(), 'Lunch at twelve, as always?'
      from generate_series(1, ${rooms}::int) n order by n`;
  await sql`
    insert into messages (room_id, seq, sender_id, body) select id, 1, 1, 'Lunch at twelve, as always?' from rooms`;
  await sql`
    insert into memberships (user_id, room_id)
    select u.id, 1 + (u.id * 7 + n) % ${rooms}::int from users u, generate_series(1, ${each}::int) n`;
  await sql`
    update rooms r set member_count = (select count(*) from memberships where room_id = r.id)`;
  await sql`vacuum analyze`;
}
