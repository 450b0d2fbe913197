import type { Sql } from "../db/client.ts";
import { type Message, messageColumns } from "../messages/queries.ts";
import { notFound } from "../problem.ts";
import { MAX_ID } from "../schema.ts";
import { lexemesOf, type Snippet, snippetOf, wordsPattern } from "./snippet.ts";

export interface FoundMessage extends Message {
  snippet: Snippet;
}

export interface Search {
  q: string;
  room?: number;
  /** A place between two pages. */
  before?: string;
  limit: number;
}

/**
 * So many messages in all the rooms that are searched are little: room by room, each word and each room is at most so
 * many steps in the index, of 1.2 µs (measured). Of more, a word is sought wherever it is.
 */
const LITTLE = 500_000;
/** Room for the pages on which a word is, 64 bytes each, of 4 GB of messages; without it, all that is on them is searched. */
const WORK_MEM = "32MB";

/** A message's time (ms, from 2001 to 2286), room and seq: what it is ordered by. */
export const PLACE = "^([1-9]\\d{12})\\.([1-9]\\d{0,14})\\.([1-9]\\d{0,14})$";

/**
 * A query without the dashes that deny nothing. To Postgres "a - b" is "a, without b", and of more than 32 dashes in a
 * row it makes an internal error.
 */
const tidied = (q: string): string =>
  q.replace(/(?<![^\s"()&|!<>/])-+(?=(["(@#<]?[\p{L}\p{N}])?)/gu, (_, denied) => (denied ? "-" : " "));

const placeOf = ({ createdAt, roomId, seq }: Message): string => `${createdAt.getTime()}.${roomId}.${seq}`;

/**
 * Messages that match, in the rooms that this person is in; newest first.
 * @returns `before`: where the next page begins, null at the end
 * @throws Problem 404 `room-not-found`
 */
export async function searchMessages(
  sql: Sql,
  userId: number,
  search: Search,
): Promise<{ messages: FoundMessage[]; before: string | null }> {
  const { limit } = search;
  const first = await findMessages(sql, userId, search, true);
  const enough = first.isAll || first.found.length > limit;
  const { found, words } = enough ? first : await findMessages(sql, userId, search, false);
  const pattern = wordsPattern(lexemesOf(words ?? ""));
  const messages = found
    .slice(0, limit)
    .map((message) => ({ ...message, snippet: snippetOf(message.body ?? "", pattern) }));
  const last = messages.at(-1);
  return { messages, before: last && found.length > limit ? placeOf(last) : null };
}

/**
 * One message more than the page takes, if there are so many. "offset 0" keeps the index of words the only way to a
 * message, whatever the planner believes about how rare they are.
 * @param recent where there is very much to search, only the newest day there is, or the page's, and the two before it:
 *   a word that is everywhere fills the page from there, and what else there is of it costs nothing
 * @returns `words`: the query without what must not occur; null for one that asks for nothing. `isAll`: nothing was
 *   left out for being older
 */
async function findMessages(sql: Sql, userId: number, { q, room, before, limit }: Search, recent: boolean) {
  const [, ms, roomId = null, seq = null] = before?.match(PLACE) ?? [];
  const at = ms === undefined ? null : new Date(Number(ms));
  const rows = await sql<(Message & Asked)[]>`
    with mine as materialized (
      select m.room_id, r.last_seq, r.last_message_at
        from memberships m join rooms r on r.id = m.room_id
       where m.user_id = ${userId} and m.room_id between ${room ?? 1} and ${room ?? MAX_ID}
         and m.left_at is null and r.deleted_at is null
    ), asked as materialized (
      select query, words, is_member, words is null or is_little or not ${recent} as is_all, is_little or is_one as by_room,
             -- a day more than there can be: a clock was set back, perhaps
             format('''day %s'' | ''day %s'' | ''day %s''', newest, newest - 1, newest - 2)::tsquery as days,
             set_config('work_mem', ${WORK_MEM}, true) -- for this statement
        from (
               select query, nullif(nullif(querytree(query), ''), 'T') as words
                 from websearch_to_tsquery('simple', search_text(${tidied(q)})) as query
             ) given
       cross join (
               select count(*) > 0 as is_member, count(*) = 1 as is_one, coalesce(sum(last_seq), 0) <= ${LITTLE} as is_little,
                      search_day(least(${at}::timestamptz, max(last_message_at) + interval '1 day')) as newest
                 from mine
             ) held
    ), sought as (
      select case when is_all then this else this && days end as words
        from asked
       cross join lateral (
               select query && format('''room %s''', room_id)::tsquery as this from mine where by_room
                union all
               select query where not by_room
             ) each
       where words is not null
    ), found as materialized (
      select f.*
        from sought
       cross join lateral (
               select m.*
                 from (select room_id, seq, created_at from messages
                        where search_vector(room_id, created_at, body) @@ sought.words
                          and kind = 'text' and deleted_at is null
                          and (${at}::timestamptz is null
                               or (created_at, room_id, seq) < (${at}::timestamptz, ${roomId}::bigint, ${seq}::bigint))
                       offset 0) m
                where (m.room_id in (select room_id from mine)) is true -- a look into a hash table, not a join
                order by m.created_at desc, m.room_id desc, m.seq desc
                limit ${limit + 1}
             ) f
       order by f.created_at desc, f.room_id desc, f.seq desc
       limit ${limit + 1}
    )
    select is_member, is_all, words, ${messageColumns(sql)}
      from asked
      left join found f on true
      left join messages m on m.room_id = f.room_id and m.seq = f.seq
      left join users u on u.id = m.sender_id
     order by f.created_at desc, f.room_id desc, f.seq desc`;
  const [asked] = rows as unknown as [Asked];
  if (room !== undefined && !asked.is_member) throw notFound("room");
  return {
    words: asked.words,
    isAll: asked.is_all,
    found: rows.flatMap(({ is_member, is_all, words, ...message }) => (message.seq === null ? [] : message)),
  };
}

interface Asked {
  is_member: boolean;
  is_all: boolean;
  words: string | null;
}
