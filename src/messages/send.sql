-- Sends messages to rooms, each as if they were sent one after another.
--
--   $1 bigint[]  to which room, message by message
--   $2 bigint[]  who sends
--   $3 text[]    what
--   $4 text[]    clientId or null
--   $5 bigint[]  replyTo or null
--   $6 int[]     which message mentions, counted from 1, mention by mention
--   $7 text[]    whose handle it mentions, each once a message
--
-- One row for each message that was sent. One that is not among them is refused: its sender is no member, its clientId
-- is there already, or its replyTo is not. Locks the memberships of the senders in the order of their ids, then the
-- rooms, as everywhere. "offset 0" keeps a look-up one by index, whatever the planner believes about the sizes of the
-- tables and arrays.
--
-- Where each lock is marked, send.ts puts "skip locked" to pass by what others have locked. Its insertMessage is the same
-- for one message, and cheaper: a change to either is a change to both.
with sender as (
  select m.user_id, m.room_id
    from (select distinct * from unnest($1::bigint[], $2::bigint[]) as s (room_id, user_id)) s
    join memberships m on m.user_id = s.user_id and m.room_id = s.room_id
   where m.left_at is null
   order by m.user_id, m.room_id for no key update of m /* lock of memberships */
),
locked as ( -- after all the memberships: an array is complete before it is used
  select id from rooms
   where id = any (array(select room_id from sender)) and deleted_at is null
   order by id for no key update /* lock of rooms */
),
accepted as ( -- counted from 1 in each room, in the order in which they came
  select *, row_number() over (partition by room_id order by position) as rank
    from (
      select s.*, row_number() over (partition by s.room_id, sender_id, client_id order by position) as turn
        from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
               with ordinality as s (room_id, sender_id, body, client_id, reply_to, position)
        join sender on sender.user_id = s.sender_id and sender.room_id = s.room_id
        join locked on locked.id = s.room_id
       where (client_id is null or not exists (
               select from messages m
                where m.sender_id = s.sender_id and m.room_id = s.room_id and m.client_id = s.client_id offset 0))
         and (reply_to is null or exists (
               select from messages m where m.room_id = s.room_id and m.seq = s.reply_to offset 0))
    ) fit
   where client_id is null or turn = 1
),
mentioned as (
  select a.position, a.room_id, a.rank, a.sender_id, u.id
    from unnest($6::int[], $7::text[]) as named (position, handle)
    join accepted a on a.position = named.position
    join users u on u.handle = named.handle
    join memberships m on m.user_id = u.id and m.room_id = a.room_id and m.left_at is null
),
newest as ( -- of each room
  select distinct on (room_id) accepted.*, mention.rank as mention_rank
    from accepted
    left join (select room_id, max(rank) as rank from mentioned group by room_id) mention using (room_id)
   order by room_id, accepted.rank desc
),
room as (
  update rooms r
     set last_seq = r.last_seq + newest.rank, last_message_seq = r.last_seq + newest.rank,
         last_message_sender_id = newest.sender_id, last_message_at = clock_timestamp(), last_message_edited_at = null,
         last_message_preview = preview(newest.body),
         last_mention_seq = coalesce(r.last_seq + newest.mention_rank, r.last_mention_seq),
         version = pg_current_xact_id()
    from newest
   where r.id = newest.room_id
  returning r.id, r.last_seq - newest.rank as before, r.last_message_at as at
),
sent as materialized (
  select a.*, room.before + a.rank as seq, room.at, coalesce(whom.ids, '{}') as mentions
    from accepted a
    join room on room.id = a.room_id
    left join (select position, array_agg(id order by id) as ids from mentioned group by position) whom using (position)
),
marker as (
  update memberships m
     set last_read_seq = own.seq, own_after_read = 0, marked_unread = false, version = pg_current_xact_id()
    from (select sender_id, room_id, max(seq) as seq from sent group by sender_id, room_id) own
   where m.user_id = own.sender_id and m.room_id = own.room_id
),
mention as (
  insert into mentions (user_id, room_id, seq)
  select unnest(array_remove(mentions, sender_id)), room_id, seq from sent
),
message as (
  insert into messages (room_id, seq, sender_id, body, reply_to, mentions, client_id, created_at)
  select room_id, seq, sender_id, body, reply_to, mentions, client_id, at from sent
)
select sent.position, sent.seq, u.handle, u.name, to_json(sent.mentions) as mentions, sent.at as "createdAt"
  from sent join users u on u.id = sent.sender_id
