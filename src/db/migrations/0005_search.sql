-- It may run a second time: filling a demo takes its index back (src/demo/fill.ts).

-- Text as it is searched. Blanks take the place of what the parser would take for markup ("<b>", the end of "List<Foo>")
-- and drop, or for a path ("either/or", the end of an address) and keep as one word; and of signs and spaces beyond
-- ASCII (“ … — 👍), all of which are letters to it where the database's LC_CTYPE is C, as in the embedded one.
create or replace function search_text(text text) returns text language sql immutable parallel safe
  return regexp_replace(translate(text, '<>/&', '    '), '(?![\x01-\x7f])[[:punct:][:space:]\u200d\ufe0f]+', ' ', 'g');

-- The day of a time (UTC), counted from 1970.
create or replace function search_day(at timestamptz) returns integer language sql immutable parallel safe
  return (at at time zone 'UTC')::date - date '1970-01-01';

-- What a message is found by: its words, its room and its day. The latter two stand among the words, as lexemes with a
-- blank inside, such as no parser makes of a text: the index answers "this word, in this room" and "this word, on
-- these days" without a look at what the word does elsewhere.
create or replace function search_vector(room_id bigint, created_at timestamptz, body text) returns tsvector
  language sql immutable parallel safe
  return to_tsvector('simple', search_text(body))
         || array_to_tsvector(array['room ' || room_id::text, 'day ' || search_day(created_at)::text]);

-- Without a list of pending entries: every search would read it, and now and then one who sends would have to clear it.
create index if not exists messages_search on messages using gin (search_vector(room_id, created_at, body)) with (fastupdate = off)
  where kind = 'text' and deleted_at is null;
