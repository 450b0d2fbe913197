import type { Connection } from "../db/borrow.ts";
import type { Sql } from "../db/client.ts";

export interface Size {
  users: number;
  rooms: number;
  messages: number;
  seed: number;
}

/** Any number that the other programs do not take: "demo" in ASCII. */
const LOCK = 0x64656d6f;

/** What a demo put into the database: people and rooms have consecutive ids. */
export interface Fill extends Size {
  id: number;
  handle: string;
  demoUserId: number;
  firstUserId: number;
}

/**
 * Takes the right to fill, for as long as the connection lives, and makes the table that tells the demo's people from
 * real ones. Not a migration: a database without a demo does not have it.
 * @returns false if another process has the right
 */
export async function lockFills(connection: Connection): Promise<boolean> {
  const [row] = await connection`select pg_try_advisory_lock(${LOCK}::bigint) as locked`;
  if (!row?.locked) return false;
  await connection`
    create table if not exists demo_fills (
      id bigint generated always as identity primary key,
      seed bigint not null,
      users bigint not null,
      rooms bigint not null,
      messages bigint not null,
      first_user_id bigint not null,
      first_room_id bigint not null,
      demo_user_id bigint,
      started_at timestamptz(3) not null default now(), -- to the millisecond, as all times that are counted from it
      finished_at timestamptz -- null: broken off, or under way
    )`;
  return true;
}

/** The finished fills, newest first. */
export const ownFills = (sql: Sql): Promise<Fill[]> =>
  sql<Fill[]>`
    select f.id, f.seed, f.users, f.rooms, f.messages, u.handle,
           f.demo_user_id as "demoUserId", f.first_user_id as "firstUserId"
      from demo_fills f join users u on u.id = f.demo_user_id
     where f.finished_at is not null
     order by f.id desc`.then((rows) => [...rows]);

/**
 * Sets ids aside for a fill's people and rooms, so that messages can name them before they are there.
 * @returns the fill's id
 */
export async function reserve(connection: Connection, size: Size): Promise<number> {
  const [row] = await connection.begin(async (tx) => {
    // An insert takes its lock before it draws an id: while we hold ours, nobody draws one in between.
    await tx`lock table users, rooms in share row exclusive mode`;
    return tx`
      with first as materialized (
        select nextval(pg_get_serial_sequence('users', 'id')) as user_id,
               nextval(pg_get_serial_sequence('rooms', 'id')) as room_id
      ), made as (
        insert into demo_fills (seed, users, rooms, messages, first_user_id, first_room_id)
        select ${size.seed}, ${size.users}, ${size.rooms}, ${size.messages}, user_id, room_id from first
        returning id
      )
      select made.id,
             setval(pg_get_serial_sequence('users', 'id'), user_id + ${size.users}::bigint - 1),
             setval(pg_get_serial_sequence('rooms', 'id'), room_id + ${size.rooms}::bigint - 1)
        from first, made`;
  });
  return row?.id;
}

/** Removes the messages of fills that were broken off: their rooms were never made. */
export async function removeUnfinished(connection: Connection): Promise<void> {
  const unfinished =
    await connection`select id, first_room_id, rooms from demo_fills where finished_at is null`;
  if (unfinished.length === 0) return;
  await connection.begin(async (tx) => {
    await tx`lock table rooms in share mode`;
    const [row] = await tx`select exists (select from rooms) as has_rooms`;
    if (!row?.has_rooms) await tx`truncate messages, uncounted`;
    else {
      for (const { first_room_id, rooms } of unfinished) {
        const theirs = tx`room_id between ${first_room_id}::bigint and ${first_room_id}::bigint + ${rooms}::bigint - 1`;
        await tx`delete from messages where ${theirs}`;
        await tx`delete from uncounted where ${theirs}`;
      }
    }
    await tx`delete from demo_fills where finished_at is null`;
  });
}
