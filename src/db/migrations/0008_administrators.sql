alter table users add column administrator boolean not null default false;
create index users_administrators on users (id) where administrator;
-- From then on they sign in no more, and are found no more; what they wrote stays theirs.
alter table users add column deactivated_at timestamptz(3);

-- What administrators did: written in the transaction of the act. Nothing is ever changed or removed.
create table audit (
  id bigint generated always as identity primary key,
  at timestamptz(3) not null default now(),
  actor_id bigint references users, -- null: somebody at the server's own command line
  act text not null,
  target_kind text not null check (target_kind in ('user', 'room')),
  target_id bigint not null,
  address text -- where the request came from; null: from the command line
);
create index audit_target on audit (target_kind, target_id, id);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit is only ever added to';
end
$$;
create trigger audit_is_append_only before update or delete or truncate on audit
  for each statement execute function refuse_change();
