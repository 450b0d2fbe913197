import { hashSecret, newToken } from "../auth/secrets.ts";
import { arrayLiteral, type Sql } from "../db/client.ts";
import type { Fill } from "./fills.ts";

/** By this name tokens of a talk that was killed are found again. */
const TOKEN_NAME = "demo talk";
const MOST_ROOMS = 30;
const MOST_TALKERS = 12;

export interface Talker {
  handle: string;
  /** A bearer token, for as long as the talk lasts. */
  token: string;
}

/** A room of the demo's account where some of the talkers are. */
export interface Stage {
  roomId: number;
  /** As people say it: `#general`, or `@demo` for a direct room. */
  name: string;
  talkers: Talker[];
}

/**
 * Chooses who talks where, and gives them tokens: the people who share the most of the demo account's busiest rooms.
 * @returns the rooms, busiest first
 */
export async function gather(sql: Sql, fill: Fill): Promise<Stage[]> {
  await dismiss(sql, fill);
  const parts = await sql<{ roomId: number; name: string; userId: number; handle: string }[]>`
    with busy as (
      select r.id, coalesce('#' || r.name, '@' || ${fill.handle}) as name, r.kind, r.last_seq
        from memberships m join rooms r on r.id = m.room_id and r.deleted_at is null
       where m.user_id = ${fill.demoUserId} and m.left_at is null
       order by r.last_seq desc, r.id
       limit ${MOST_ROOMS}
    ), talker as (
      select m.user_id
        from busy join memberships m on m.room_id = busy.id and m.left_at is null
       where m.user_id <> ${fill.demoUserId}
         and m.user_id between ${fill.firstUserId} and ${fill.firstUserId} + ${fill.users}::bigint - 1
       group by m.user_id
       order by bool_or(busy.kind = 'direct') desc, count(*) desc, m.user_id
       limit ${MOST_TALKERS}
    )
    select busy.id as "roomId", busy.name, u.id as "userId", u.handle
      from busy
      join memberships m on m.room_id = busy.id and m.left_at is null
      join talker on talker.user_id = m.user_id
      join users u on u.id = m.user_id
     order by busy.last_seq desc, busy.id, u.id`;

  const talkers = new Map<number, Talker>();
  const stages = new Map<number, Stage>();
  for (const { roomId, name, userId, handle } of parts) {
    const talker = talkers.get(userId) ?? { handle, token: newToken() };
    talkers.set(userId, talker);
    const stage = stages.get(roomId) ?? { roomId, name, talkers: [] };
    stages.set(roomId, stage);
    stage.talkers.push(talker);
  }
  const hashes = [...talkers.values()].map(({ token }) => hashSecret(token).toString("hex"));
  await sql`
    insert into tokens (user_id, name, secret_hash)
    select user_id, ${TOKEN_NAME}, decode(hash, 'hex')
      from unnest(${arrayLiteral(talkers.keys())}::bigint[], ${arrayLiteral(hashes)}::text[]) as t (user_id, hash)`;
  return [...stages.values()];
}

/** Takes the talkers' tokens away, also those that a killed talk left behind. */
export async function dismiss(sql: Sql, fill: Fill): Promise<void> {
  await sql`
    delete from tokens
     where name = ${TOKEN_NAME}
       and user_id between ${fill.firstUserId} and ${fill.firstUserId} + ${fill.users}::bigint - 1`;
}
