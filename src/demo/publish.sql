-- The messages are there, and nobody sees them: the people, rooms and memberships come last, all at once.
-- So a fill that was broken off leaves no half of a room.
insert into users (id, handle, name, created_at) overriding system value
select o.first_user_id + p.ord, p.handle, p.name, o.at - interval '91 days'
  from demo_people p, demo_options o;

insert into rooms (id, kind, name, topic, direct_user_ids, member_count, last_seq, change_count,
                   last_message_seq, last_message_sender_id, last_message_at, last_message_edited_at,
                   last_message_preview, last_uncounted_seq, created_at) overriding system value
select r.id, r.kind, r.name, r.topic,
       case when r.kind = 'direct' then array[o.first_user_id + r.a, o.first_user_id + r.b] end,
       r.members, r.messages,
       coalesce((select max(changed) from messages where room_id = r.id and changed is not null), 0),
       last.seq, last.sender_id, last.created_at, last.edited_at, preview(last.body),
       coalesce((select max(seq) from messages where room_id = r.id and (deleted_at is not null or kind = 'system')), 0),
       r.started
  from demo_options o
 cross join demo_rooms r
  left join lateral (
         select seq, sender_id, created_at, edited_at, body from messages
          where room_id = r.id and kind = 'text' and deleted_at is null
          order by seq desc limit 1) last on true;

-- One in fifty of those who had read to the end moved the marker back: their own later messages are counted.
insert into memberships (user_id, room_id, role, involvement, last_read_seq, own_after_read, marked_unread, joined_at)
select o.first_user_id + m.person, r.id,
       case when m.made then 'owner' when r.kind <> 'direct' and m.draw / 100 % 30 = 0 then 'moderator' else 'member' end,
       case when m.draw / 3000 % 20 = 0 then 'mentions' when m.draw / 3000 % 50 = 1 then 'none' else 'all' end,
       read.seq,
       case when read.moved_back
            then (select count(*) from messages
                   where room_id = r.id and seq > read.seq and kind = 'text' and sender_id = o.first_user_id + m.person)
            else 0
       end,
       read.moved_back, r.started
  from demo_options o
 cross join demo_members m
  join demo_rooms r on r.ord = m.room
 cross join lateral (
         select m.reads = 1 and r.messages > 0 and m.draw / 10000 % 50 = 0 as moved_back, m.draw / 1000000 as draw
         offset 0) d
 cross join lateral (
         select d.moved_back,
                greatest(0, r.messages - case when d.moved_back then 1 + d.draw % 40
                                              when m.reads = 1 then 0
                                              when m.reads = 2 then 1 + d.draw % 9
                                              when m.reads = 3 then 10 + d.draw % 991
                                              else r.messages
                                         end) as seq
         offset 0) read;

insert into mentions (user_id, room_id, seq)
select user_id, room_id, seq
  from messages, unnest(mentions) as user_id
 where room_id in (select id from demo_rooms) and mentions <> '{}'
 order by user_id, room_id, seq;

update rooms r set last_mention_seq = m.seq
  from (select room_id, max(seq) as seq from mentions where room_id in (select id from demo_rooms) group by room_id) m
 where m.room_id = r.id;

update demo_fills set finished_at = now(), demo_user_id = first_user_id
 where id = (select fill from demo_options);
