-- What is going to be filled, as temporary tables: who, where, how many messages, who reads how far.
-- It reads demo_options and demo_names, and writes nothing that others see. Every choice is a hash of an
-- ordinal and the seed, never random(): the same seed gives the same data.

-- A number from 0 to 2^63 - 1, the same for the same key and salt.
create function pg_temp.draw(key bigint, salt bigint) returns bigint language sql immutable parallel safe
  return hashint8extended(key, salt) & 9223372036854775807;

-- Ordinal 0 is the demo's own account. Handles that are taken are passed over.
create temp table demo_people as
with words as (
  select array_agg(word order by n) as words, count(*) as many from demo_names where what = 'person'
),
free as (
  select k, w.words[1 + k % w.many] as word, k / w.many + 1 as round
    from words w, demo_options o,
         generate_series(0, o.users + (select count(*) from users)) as k
   where not exists (
           select from users
            where handle = w.words[1 + k % w.many] || case when k < w.many then '' else (k / w.many + 1)::text end)
   order by k
   limit (select users - 1 from demo_options)
),
own as (
  select 'demo' || case when k = 1 then '' else k::text end as handle
    from generate_series(1, 1 + (select count(*) from users)) as k
   where not exists (select from users where handle = 'demo' || case when k = 1 then '' else k::text end)
   order by k
   limit 1
)
select 0::bigint as ord, handle, initcap(handle) as name from own
union all
select row_number() over (order by k), word || case when round = 1 then '' else round::text end,
       initcap(word) || case when round = 1 then '' else ' ' || round end
  from free;
create unique index on demo_people (ord);

-- Direct rooms are the tenth, the twentieth … of the rooms, as long as there are pairs of people; of the
-- first ones, every second is the demo account's.
create temp table demo_pairs as
select row_number() over (order by min(k)) as pair, a, b
  from demo_options o,
       generate_series(1, o.rooms) as k,
       lateral (select pg_temp.draw(k, hashtextextended('a', o.seed)) % o.users as x,
                       pg_temp.draw(k, hashtextextended('b', o.seed)) % o.users as y offset 0) d,
       lateral (select case when k % 2 = 0 and k <= 100 then 0 else least(x, y) end as a, greatest(x, y) as b) p
 where a < b
 group by a, b;

-- Messages by Zipf's law: the n-th room has an n-th of the first one's. Times: a room starts in the first
-- of the three months, and fell silent some time ago, the busy ones lately.
create temp table demo_rooms as
with weighed as (
  select ord, sum(1.0::float8 / ord) over (order by ord) as upto from demo_options o, generate_series(1, o.rooms) as ord
),
named as (
  select array_agg(word order by n) filter (where what = 'room') as words,
         count(*) filter (where what = 'room') as many,
         array_agg(word order by n) filter (where what = 'topic') as topics,
         count(*) filter (where what = 'topic') as many_topics
    from demo_names
)
select w.ord, o.first_room_id + w.ord - 1 as id, s.seed,
       case when p.pair is not null then 'direct'
            when w.ord > 1 and pg_temp.draw(1, s.seed) % 100 < 15 then 'closed'
            else 'open'
       end as kind,
       case when p.pair is not null then null
            when w.ord <= n.many then n.words[w.ord]
            else n.words[1 + w.ord % n.many] || '-' || n.words[1 + (w.ord + 1 + pg_temp.draw(2, s.seed) % (n.many - 1)) % n.many]
                 || case when w.ord <= 2 * n.many then '' else '-' || w.ord end
       end as name,
       case when p.pair is null and pg_temp.draw(3, s.seed) % 3 = 0
            then n.topics[1 + pg_temp.draw(4, s.seed) % n.many_topics]
       end as topic,
       p.a, p.b,
       -- its place among the rooms that are not direct
       case when p.pair is null then count(*) filter (where p.pair is null) over (order by w.ord) end as place,
       round(coalesce(lag(w.upto) over (order by w.ord), 0) / t.total * o.messages)::bigint as before,
       (round(w.upto / t.total * o.messages) - round(coalesce(lag(w.upto) over (order by w.ord), 0) / t.total * o.messages))::bigint as messages,
       started, extract(epoch from ended - started)::float8 as lasted, -- seconds
       0 as members, 0 as caught_up, 0 as nearly, 0 as speakers, null::int as demo_slot
  from demo_options o
 cross join named n
 cross join (select max(upto) as total from weighed) t
 cross join weighed w
 cross join lateral (select hashint8extended(w.ord, hashtextextended('room', o.seed)) as seed offset 0) s
 cross join lateral (
         select o.at - interval '90 days' + interval '30 days' * ((pg_temp.draw(5, s.seed) % 1000) / 1000.0) as started,
                o.at - interval '30 seconds'
                     - interval '20 days' * (power((pg_temp.draw(6, s.seed) % 1000) / 1000.0, 2) * w.ord / o.rooms) as ended
         offset 0) e
  left join demo_pairs p on w.ord % 10 = 0 and p.pair = w.ord / 10;
create unique index on demo_rooms (ord);
create index on demo_rooms (place);
analyze demo_people;
analyze demo_rooms;

-- Who is where: the demo account in 500 rooms at most, everybody else in about 20, in busy ones rather, and
-- each room has the one who made it. How far a member has read is one of four:
--   1 to the end (60 %), 2 but for a few (20 %), 3 but for up to 1,000 (10 %), 4 not at all (10 %)
-- Slots go by that, so that who may have sent a message is a range of slots: sending it was reading up to it.
create temp table demo_members as
with maker as (
  select r.ord as room, case when r.kind = 'direct' then r.a
                             when r.ord <= 20 then pg_temp.draw(7, r.seed) % o.users
                             else 1 + pg_temp.draw(7, r.seed) % (o.users - 1) -- the demo account has its 500
                        end as person
    from demo_rooms r, demo_options o
),
member as (
  select * from maker
  union
  select ord, b from demo_rooms where kind = 'direct'
  union
  (select ord, 0 from demo_rooms where kind <> 'direct' order by ord
    limit (select greatest(500 - count(*), 20) from demo_rooms where kind = 'direct' and a = 0))
  union
  select r.ord, p.ord
    from demo_options o
   cross join (select count(place) as places from demo_rooms) n
   cross join demo_people p
   cross join lateral (select hashint8extended(p.ord, hashtextextended('person', o.seed)) as seed offset 0) s
   cross join lateral generate_series(1, 8 + pg_temp.draw(0, s.seed) % 25) as k
   cross join lateral (select power((pg_temp.draw(k, s.seed) % 1000000) / 1e6, 2) as x offset 0) d
    join demo_rooms r on r.place = 1 + floor(n.places * x)::bigint
   where p.ord > 0
),
ranked as (
  select m.room, m.person, m.person = k.person as made, d.draw,
         case when d.draw % 100 < 60 then 1 when d.draw % 100 < 80 then 2 when d.draw % 100 < 90 then 3 else 4 end as reads
    from member m
    join maker k on k.room = m.room
    join demo_rooms r on r.ord = m.room
   cross join lateral (select pg_temp.draw(m.person, r.seed + 1) as draw offset 0) d
),
placed as (
  select *, (row_number() over (partition by room order by reads, draw, person))::int as slot from ranked
)
-- Somebody has to send the last messages: the first slot has always read to the end.
select room, slot, person, made, draw, case when slot = 1 then 1 else reads end as reads from placed;

update demo_rooms r
   set members = m.members, caught_up = m.caught_up, nearly = m.nearly, speakers = m.speakers, demo_slot = m.demo_slot
  from (select room, count(*) as members, count(*) filter (where reads = 1) as caught_up,
               count(*) filter (where reads <= 2) as nearly, count(*) filter (where reads <= 3) as speakers,
               max(slot) filter (where person = 0) as demo_slot
          from demo_members group by room) m
 where m.room = r.ord;

-- A member as messages name them.
create temp table demo_slots as
select m.room, m.slot, o.first_user_id + m.person as user_id, p.handle
  from demo_members m join demo_people p on p.ord = m.person, demo_options o;
create unique index on demo_slots (room, slot);
analyze demo_members;
analyze demo_slots;
analyze demo_rooms;
