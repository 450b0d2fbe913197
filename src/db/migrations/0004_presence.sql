-- Who is online: each server tells that it lives, and who has a stream open on it (src/presence/presence.ts).
create table servers (
  id uuid primary key,
  seen_at timestamptz not null default now() -- -infinity: it was taken for dead, and is being cleared away
);

-- A person is online while there is a row of theirs. No foreign keys: a row comes only with a server that lives,
-- and a server goes only after its rows.
create table presence (
  user_id bigint not null,
  server_id uuid not null,
  primary key (user_id, server_id)
);
