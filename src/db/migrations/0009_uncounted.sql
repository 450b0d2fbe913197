-- How many messages that count as unread to nobody (deleted ones, and what the server tells) are in each stretch of
-- 8,192 of a room's sequence numbers. So the room list subtracts those after a marker by a look at the marker's own
-- stretch and a sum over the stretches behind it: a backlog of a million messages costs what some hundreds do.
create table uncounted (
  room_id bigint not null,
  stretch bigint not null, -- seq >> 13, here and in src/rooms/list.sql
  count integer not null,
  primary key (room_id, stretch)
) with (fillfactor = 70);

-- By a trigger, so that whatever writes messages keeps it: servers of the version before, too, while they are replaced.
-- (What such a server leaves here of a room that it purges is read by nobody.)
create function count_uncounted() returns trigger language plpgsql set search_path from current as $$
begin
  insert into uncounted (room_id, stretch, count) values (new.room_id, new.seq >> 13, 1)
  on conflict (room_id, stretch) do update set count = uncounted.count + 1;
  return null;
end
$$;

lock table messages in share row exclusive mode; -- nothing is written between the count and the triggers
create trigger uncounted_on_insert after insert on messages
  for each row when (new.kind = 'system' or new.deleted_at is not null) execute function count_uncounted();
create trigger uncounted_on_delete after update of deleted_at on messages
  for each row when (new.deleted_at is not null and old.deleted_at is null and old.kind <> 'system')
  execute function count_uncounted();
insert into uncounted
select room_id, seq >> 13, count(*) from messages where deleted_at is not null or kind = 'system' group by 1, 2;
