-- The room list: the one query behind GET /rooms, the list since a cursor, one room, and the hub's batch.
--
--   $1 bigint[]  whose rooms
--   $2 bigint[]  which room, entry by entry; null: every room of that person
--   $3 xid8[]    only what changed since, entry by entry; null, or in the future: everything
--   $4 boolean   only rooms with something unread
--   $5 bigint    only what follows this room in the first person's list; null: from the top
--   $6 bigint    at most so many rooms; null: all
--
-- One row an entry that has something to be told, and at least one row: where nothing is, it holds the cursor
-- alone. `ask` counts the entries from 1. `rooms` has a line a room, newest activity first; `heads` a line each as well,
-- its id, version and time, and further ones: of rooms that were left or removed, which are told to those
-- who asked for them, or for what changed. Unread is arithmetic (sequence numbers have no gaps),
-- not counting: the cost does not grow with history or backlog. What needs a look elsewhere is looked
-- up only where there can be something to find (case). Rooms, senders and who is online are each
-- fetched by one scan for all their keys: a room that a thousand members ask for is read once, and
-- from Postgres 17 on an index page that holds many keys is. "offset 0" keeps a look-up what it is
-- written as, whatever the planner believes about the sizes of the tables and arrays.
--
-- A room comes as the JSON that clients get, byte for byte as JSON.stringify would make it: that costs Postgres a
-- tenth more and spares the server most of its work (bench/NOTES.md). Kinds, roles, involvements and handles have
-- nothing that JSON escapes: checks of their columns see to it. By ||: concat and json_build_object take up to five times
-- as long. What may be null is wrapped in coalesce, for || makes null of everything.
-- The colons of a time are quoted for pgbench, which takes what follows one for the name of a variable.
with snapshot as materialized (
  select pg_snapshot_xmin(s) as xmin, pg_snapshot_xmax(s) as xmax,
         coalesce(pg_stat_get_bgwriter_stat_reset_time()::text, '') as epoch, -- see src/rooms/cursor.ts
         (select count from revocations) as revocations -- see src/live/rights.ts
    from pg_current_snapshot() s
),
asked as (
  select a.ask, a.user_id, a.room_id, case when a.since <= s.xmax then a.since end as since
    from snapshot s,
         unnest($1::bigint[], $2::bigint[], $3::xid8[]) with ordinality as a (user_id, room_id, since, ask)
),
mine as materialized (
  select a.ask, a.since, a.room_id is not null as named, m.*
    from asked a
   cross join lateral (
           select * from memberships
            where user_id = a.user_id
              and room_id between coalesce(a.room_id, 1) and coalesce(a.room_id, 9007199254740991)
           offset 0
         ) m
),
found as ( -- full: the one join that no planner makes a loop of loops; each side has its match in the other
  select m.ask, m.since, m.named, m.left_at, m.version as member_version, m.user_id, m.role, m.involvement,
         m.last_read_seq, m.own_after_read, m.marked_unread,
         r.id as room_id, r.kind, r.name, r.topic, r.member_count, r.last_seq, r.last_uncounted_seq, r.last_mention_seq,
         r.direct_user_ids, r.last_message_seq, r.last_message_sender_id, r.last_message_at,
         r.last_message_edited_at, r.last_message_preview,
         coalesce(r.last_message_at, r.created_at) as active_at, r.deleted_at, r.version as room_version
    from mine m
    full join (select * from rooms where id = any (array(select room_id from mine)) offset 0) r on r.id = m.room_id
  offset 0
),
changed as (
  select f.*, left_at is not null or deleted_at is not null as gone, room_version::text || '/' || member_version::text as version
    from found f
   where case when since is null then named or (left_at is null and deleted_at is null)
              -- what happens in a room after one has left is no change of one's list
              when left_at is not null then member_version >= since
              else member_version >= since or room_version >= since
          end
),
counted as materialized (
  select c.*,
         case when gone or last_seq <= last_read_seq then 0
              else last_seq - last_read_seq - own_after_read
                   - case when last_uncounted_seq <= last_read_seq then 0
                          -- no own text is after the marker: the rest of its stretch, and the stretches behind it (0009)
                          when own_after_read = 0 then (
                            select count(*) from messages x
                             where x.room_id = c.room_id and x.seq > c.last_read_seq
                               and x.seq < ((c.last_read_seq >> 13) + 1) << 13
                               and (x.deleted_at is not null or x.kind = 'system')
                          ) + case when last_uncounted_seq >> 13 = last_read_seq >> 13 then 0
                                   else (select coalesce(sum(count), 0) from uncounted
                                          where room_id = c.room_id and stretch > c.last_read_seq >> 13)
                              end
                          else (select count(*) from messages x
                                 where x.room_id = c.room_id and x.seq > c.last_read_seq
                                   and (x.deleted_at is not null or x.kind = 'system')
                                   -- own text is in own_after_read, or before the marker
                                   and (x.kind = 'system' or x.sender_id <> c.user_id))
                      end
          end as unread_count
    from changed c
),
online as materialized (
  select user_id from presence
   where user_id = any (array(select unnest(direct_user_ids) from counted where kind = 'direct'))
),
wanted as materialized (
  select c.*,
         case when unread_count = 0 then 0
              when kind = 'direct' then unread_count
              when last_mention_seq <= last_read_seq then 0
              else (select count(*) from mentions x
                     where x.user_id = c.user_id and x.room_id = c.room_id and x.seq > c.last_read_seq)
          end as mention_count,
         case when kind = 'direct'
              then (select '[' || coalesce(string_agg(
                             '{"id":' || u.id || ',"handle":"' || u.handle || '","name":' || to_json(u.name)
                             || ',"online":' || (u.id in (select user_id from online)) || '}', ',' order by u.id), '') || ']'
                      from users u where u.id = any (array_remove(c.direct_user_ids, c.user_id)))
              else 'null'
          end as peers
    from counted c
   where ($4 is not true or unread_count > 0 or marked_unread)
     and ($5::bigint is null
          -- a room that was left meanwhile stands where it stood then; one that was never theirs stands nowhere
          or (active_at, room_id) < (select least(coalesce(r.last_message_at, r.created_at), m.left_at), r.id
                                       from memberships m join rooms r on r.id = m.room_id
                                      where m.user_id = ($1::bigint[])[1] and m.room_id = $5))
   order by active_at desc, room_id desc
   limit $6::bigint
),
told as ( -- full, as above: a room without a last message has no sender, and stays
  select w.*, to_char(active_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"') as active_text,
         u.id as sender_id, u.handle as sender_handle, u.name as sender_name
    from wanted w
    full join (
           select id, handle, name from users where id = any (array(select last_message_sender_id from wanted)) offset 0
         ) u on u.id = w.last_message_sender_id
  offset 0
),
entry as (
  select ask, room_id || ' ' || version || ' ' || active_text as head,
       case when not gone then
         '{"id":' || room_id
         || ',"kind":"' || kind
         || '","name":' || coalesce(to_json(name)::text, 'null')
         || ',"topic":' || coalesce(to_json(topic)::text, 'null')
         || ',"role":"' || role
         || '","involvement":"' || involvement
         || '","lastSeq":' || last_seq
         || ',"lastReadSeq":' || last_read_seq
         || ',"unreadCount":' || unread_count
         || ',"mentionCount":' || mention_count
         || ',"markedUnread":' || marked_unread
         || ',"lastMessage":' || case when last_message_seq is null then 'null' else
              '{"seq":' || last_message_seq
              || ',"sender":{"id":' || sender_id || ',"handle":"' || sender_handle || '","name":' || to_json(sender_name)
              || '},"body":' || to_json(last_message_preview)
              || ',"createdAt":"' || active_text
              || '","editedAt":' || coalesce('"' || to_char(last_message_edited_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"') || '"', 'null')
              || '}' end
         || ',"activeAt":"' || active_text
         || '","memberCount":' || member_count
         || ',"peers":' || peers
         || '}' end as room
    from told
   order by ask, gone, active_at desc, room_id desc
)
select s.xmin, s.xmax, s.epoch, s.revocations, a.*
  from snapshot s
  left join (
         select ask, string_agg(head, E'\n') as heads, string_agg(room, E'\n') as rooms from entry group by ask
       ) a on true;
