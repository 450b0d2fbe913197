-- Times have milliseconds, as in the contract: the list's order is then the one that clients see.

-- The identity of this database; half of what a cursor is checked against (see src/rooms/cursor.ts).
create table installation (
  id uuid primary key default gen_random_uuid(),
  created_at timestamptz(3) not null default now()
);
insert into installation default values;

create table users (
  id bigint generated always as identity,
  handle text not null unique check (handle ~ '^[a-z0-9._-]{2,32}$'),
  name text not null,
  password_hash text,
  created_at timestamptz(3) not null default now(),
  primary key (id) include (handle, name) -- the room list reads a sender from the index alone
);
-- Finding people: by the start of the handle or of any word of the name.
create index users_handle_prefix on users (handle text_pattern_ops);
create index users_name_words on users using gin (to_tsvector('simple', name));

-- A secret is kept only as its SHA-256: whoever reads this table can sign in as nobody.
create table sessions (
  id bigint generated always as identity primary key,
  user_id bigint not null references users,
  secret_hash bytea not null unique,
  created_at timestamptz(3) not null default now(),
  last_used_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null
);
create index sessions_user on sessions (user_id);

create table tokens (
  id bigint generated always as identity primary key,
  user_id bigint not null references users,
  name text not null,
  secret_hash bytea not null unique,
  created_at timestamptz(3) not null default now(),
  last_used_at timestamptz(3)
);
create index tokens_user on tokens (user_id);

-- The text of a list entry: 300 code points, then an ellipsis.
create function preview(body text) returns text language sql immutable parallel safe
  return case when char_length(body) > 300 then left(body, 300) || '…' else body end;

-- Every change of a row here, or of a membership, sets version to the changing transaction:
-- "what changed since X" is version >= X. No index on a column that a send changes: updates stay HOT.
create table rooms (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('open', 'closed', 'direct')),
  name text,
  topic text,
  direct_user_ids bigint[], -- of a direct room: its people, ascending; they never change
  member_count integer not null default 0,
  last_seq bigint not null default 0, -- the newest message; raised in the statement that inserts it
  change_count bigint not null default 0, -- edits, deletes and reactions
  last_message_seq bigint, -- the newest text message that is not deleted, and what the list shows of it
  last_message_sender_id bigint,
  last_message_at timestamptz(3),
  last_message_edited_at timestamptz(3),
  last_message_preview text,
  last_uncounted_seq bigint not null default 0, -- the newest deleted or system message
  last_mention_seq bigint not null default 0, -- no message after it mentions anybody
  created_at timestamptz(3) not null default now(),
  deleted_at timestamptz(3), -- the row stays, so that a cursor can tell that the room is gone
  purged_at timestamptz(3), -- its messages are gone as well
  version xid8 not null default pg_current_xact_id(),
  check ((kind = 'direct') = (direct_user_ids is not null)),
  check ((kind = 'direct') = (name is null))
) with (fillfactor = 70);
create unique index rooms_direct on rooms (direct_user_ids) where deleted_at is null;
create index rooms_open on rooms (id) where kind = 'open' and deleted_at is null;
create index rooms_to_purge on rooms (id) where deleted_at is not null and purged_at is null;

create table memberships (
  user_id bigint not null references users,
  room_id bigint not null references rooms,
  role text not null default 'member' check (role in ('owner', 'moderator', 'member')),
  involvement text not null default 'all' check (involvement in ('all', 'mentions', 'none')),
  last_read_seq bigint not null default 0,
  own_after_read bigint not null default 0, -- own text messages after the marker; only a marker moved back has any
  marked_unread boolean not null default false,
  joined_at timestamptz(3) not null default now(),
  left_at timestamptz(3), -- the row stays, so that a cursor can tell that the room is gone
  version xid8 not null default pg_current_xact_id(),
  primary key (user_id, room_id)
) with (fillfactor = 70);
create index memberships_room on memberships (room_id);

-- No foreign keys from here on: a check of the sender would lock and dirty the user's row with every
-- send. Users are never removed, and a room's messages go with it (src/rooms/purge.ts).
create table messages (
  room_id bigint not null,
  seq bigint not null,
  sender_id bigint not null,
  kind text not null default 'text' check (kind in ('text', 'system')),
  body text, -- null once deleted
  reply_to bigint,
  mentions bigint[] not null default '{}',
  client_id text,
  created_at timestamptz(3) not null default now(),
  edited_at timestamptz(3),
  deleted_at timestamptz(3),
  changed bigint, -- the room's change_count when it last changed
  primary key (room_id, seq),
  check ((body is null) = (deleted_at is not null))
);
create index messages_uncounted on messages (room_id, seq) include (sender_id, kind)
  where deleted_at is not null or kind = 'system';
create index messages_changed on messages (room_id, changed) where changed is not null;
create unique index messages_client_id on messages (sender_id, room_id, client_id)
  where client_id is not null;

-- Who is to be told of which message: never its own sender, never a deleted message.
create table mentions (
  user_id bigint not null,
  room_id bigint not null,
  seq bigint not null,
  primary key (user_id, room_id, seq)
);
