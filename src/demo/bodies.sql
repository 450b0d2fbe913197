-- What is said: $5 different texts, which messages draw from. Written once, a message costs a look-up.
--   $1 lines, with {} for a thing · $2 things · $3 openers · $4 tails · $5 how many
insert into demo_bodies (n, body)
select n, case when s.what = 0 then long.body else short.body end
  from demo_options o
 cross join generate_series(0, $5::bigint - 1) as n
 cross join lateral (select hashint8extended(n, hashtextextended('body', o.seed)) as seed offset 0) d
 cross join lateral (
         select pg_temp.draw(0, d.seed) % 50 as what, -- 0: a long one; 1, 2: with a link
                pg_temp.draw(1, d.seed) as line, pg_temp.draw(2, d.seed) as thing,
                pg_temp.draw(3, d.seed) as opener, pg_temp.draw(4, d.seed) as tail
         offset 0) s
 cross join lateral (
         select case when s.opener % 4 = 0 then ($3::text[])[1 + s.opener / 4 % cardinality($3::text[])] || ' ' else '' end
                || replace(($1::text[])[1 + s.line % cardinality($1::text[])], '{}',
                           ($2::text[])[1 + s.thing % cardinality($2::text[])])
                || case when s.what in (1, 2) then ' https://example.com/notes/' || n else '' end
                || case when s.tail % 8 = 0 then ' ' || ($4::text[])[1 + s.tail / 8 % cardinality($4::text[])] else '' end
                as body) short
  left join lateral (
         select string_agg(replace(($1::text[])[23 + pg_temp.draw(k, d.seed) % (cardinality($1::text[]) - 22)], '{}',
                                   ($2::text[])[1 + pg_temp.draw(-k, d.seed) % cardinality($2::text[])]), e'\n' order by k) as body
           from generate_series(10, 20 + s.line % 20) as k) long on s.what = 0;
