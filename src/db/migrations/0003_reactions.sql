-- [{"emoji": "…", "users": [1, 2]}], in the order of the first reactions. With the message, not in a table of their own:
-- changes are made under the room's lock, and a page of messages reads nothing more.
alter table messages add column reactions jsonb not null default '[]';
