-- One batch of messages, the busiest room's first.
--   $1, $2  its first and last message, counted from 1 through all rooms
--   $3      how many bodies there are
-- Of every 32 messages in a row, one has changed since: its place among them is drawn, so the changes of a
-- room number themselves, without a look at other rows. A third of them are deleted, the others edited.
insert into messages (room_id, seq, sender_id, kind, body, reply_to, mentions, created_at, edited_at, deleted_at, changed)
select m.room_id, m.seq, sender.user_id, m.kind,
       case when m.deleted then null
            when m.kind = 'system' then 'joined the room'
            else coalesce('@' || one.handle || ' ', '') || coalesce('@' || two.handle || ' ', '') || b.body
       end,
       m.reply_to,
       case when one.user_id is null then '{}'
            when two.user_id is null then array[one.user_id]
            else array[least(one.user_id, two.user_id), greatest(one.user_id, two.user_id)]
       end,
       m.created_at,
       case when m.changed is not null and not m.deleted then m.changed_at end,
       case when m.deleted then m.changed_at end,
       m.changed
  from (
    select r.ord, r.id as room_id, d.seq, k.kind, k.changed, k.deleted, k.slot, t.created_at, k.body,
           -- before the next message: changes follow each other as messages do
           t.created_at + least(interval '10 minutes', make_interval(secs => d.step * (1 - d.jitter) / 2)) as changed_at,
           case when k.kind = 'text' and d.b % 25 = 0 and d.seq > 8 then d.seq - 1 - d.b / 25 % 8 end as reply_to,
           one.slot as one,
           case when two.slot not in (k.slot, one.slot) then two.slot end as two
      from demo_rooms r
     cross join lateral generate_series(greatest($1::bigint - r.before, 1), least($2::bigint - r.before, r.messages)) as g (seq)
     cross join lateral (
             select g.seq, pg_temp.draw(g.seq, r.seed + 2) as a, pg_temp.draw(g.seq, r.seed + 3) as b,
                    pg_temp.draw((g.seq - 1) / 32, r.seed + 4) as c, pg_temp.draw(g.seq, r.seed + 5) as e,
                    (hashint8extended(g.seq, r.seed + 6) & 65535) / 65536.0::float8 as jitter,
                    r.lasted / r.messages as step -- seconds from one message to the next
             offset 0) d
     cross join lateral (select r.started + make_interval(secs => d.step * (d.seq - 1 + d.jitter)) as created_at offset 0) t
     cross join lateral (
             select case when ch.changed is null and r.kind <> 'direct' and d.a % 100 = 0 then 'system' else 'text' end as kind,
                    ch.changed, ch.changed is not null and d.c / 32 % 3 = 0 as deleted,
                    -- the last ones are by those who have read them; some people say more than others
                    1 + floor(power((d.a >> 16 & 65535) / 65536.0::float8, 2)
                              * case when d.seq > r.messages - 9 then r.caught_up
                                     when d.seq > r.messages - 1000 then r.nearly
                                     else r.speakers
                                end)::int as slot,
                    (d.a >> 32) % $3::bigint as body
               from (select case when (d.seq - 1) % 32 = d.c % 32 then (d.seq - 1) / 32 + 1 end as changed) ch
             offset 0) k
     -- one message in 25 names somebody, a fourth of these the demo account; a fourth of these name two
     cross join lateral (
             select case when k.kind = 'system' or k.deleted or d.e % 25 > 0 then null
                         when (d.e >> 16) % 4 = 0 then nullif(r.demo_slot, k.slot)
                         else nullif((1 + (d.e >> 20) % r.members)::int, k.slot)
                    end as slot
             offset 0) one
     cross join lateral (
             select case when one.slot is not null and (d.e >> 18) % 4 = 0 then (1 + (d.e >> 40) % r.members)::int end as slot
             offset 0) two
     where r.before < $2::bigint and r.before + r.messages >= $1::bigint
    offset 0
  ) m
  join demo_slots sender on sender.room = m.ord and sender.slot = m.slot
  join demo_bodies b on b.n = m.body
  left join demo_slots one on one.room = m.ord and one.slot = m.one
  left join demo_slots two on two.room = m.ord and two.slot = m.two;
