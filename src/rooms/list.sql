-- The room list: the one query behind GET /rooms, the list since a cursor, one room, and the hub's batch.
--
--   $1 bigint[]  whose rooms
--   $2 bigint[]  which room, entry by entry; null: every room of that person
--   $3 xid8[]    only what changed since, entry by entry; null: everything
--   $4 boolean   only rooms with something unread
--   $5 bigint    only what follows this room in the list; null: from the top
--   $6 bigint    at most so many rooms; null: all
--
-- One row a room, newest activity first, and at least one row: where nothing is to be told, it holds
-- the cursor alone. Unread is arithmetic (sequence numbers have no gaps), not counting: the cost does
-- not grow with history or backlog. What needs a look elsewhere is looked up only where there can be
-- something to find (case). "offset 0" keeps each look-up a probe of one index, whatever the planner
-- believes about the sizes of the tables and arrays.
with snapshot as materialized (
  select pg_snapshot_xmin(s) as xmin, pg_snapshot_xmax(s) as xmax from pg_current_snapshot() s
),
asked as (
  select a.user_id, a.room_id, a.since, a.since > s.xmax as from_the_future
    from snapshot s, unnest($1::bigint[], $2::bigint[], $3::xid8[]) as a (user_id, room_id, since)
),
changed as (
  select m.*, r.*, u.handle, u.name as sender_name,
         coalesce(r.last_message_at, r.created_at) as active_at,
         m.left_at is not null or r.deleted_at is not null as gone
    from asked a
   cross join lateral (
           select * from memberships
            where user_id = a.user_id
              and room_id between coalesce(a.room_id, 1) and coalesce(a.room_id, 9007199254740991)
           offset 0
         ) m
   cross join lateral (select * from rooms where id = m.room_id offset 0) r
)
select 1;
