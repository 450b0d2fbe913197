-- People whom another application vouches for by its JWTs: who they are is the issuer with the subject, nothing else.
create table identities (
  id bigint generated always as identity primary key,
  user_id bigint not null references users,
  issuer text not null,
  subject text not null,
  name text, -- as the issuer last told it: the user's own rename lasts until the issuer tells another one
  told_at timestamptz not null, -- when the token that told it was issued: an older one changes nothing
  created_at timestamptz(3) not null default now(),
  unique (issuer, subject)
);
create index identities_user on identities (user_id);

-- Links by which one person may sign up, once. The secret is kept only as its SHA-256.
create table invites (
  id bigint generated always as identity primary key,
  secret_hash bytea not null unique,
  created_by bigint references users, -- null: by the command line
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null,
  used_at timestamptz(3),
  used_by bigint references users,
  check ((used_at is null) = (used_by is null))
);
