-- What the browser or program called itself at sign-in: never trusted, only shown to the session's owner.
alter table sessions add column user_agent text not null default '' check (char_length(user_agent) <= 200);
-- When it ends, however much it is used. expires_at comes before that where it is not used (src/auth/queries.ts).
alter table sessions add column ends_at timestamptz(3) not null default now() + interval '30 days';
update sessions set ends_at = expires_at;
create index sessions_expired on sessions (expires_at); -- for the sweep

-- How many times sessions and tokens have been deleted. Every answer that is told to streams carries it as of its own
-- moment: while it stands still, who had a right has it (src/live/rights.ts). One row; a delete locks it last of all, in
-- its own statement's end, so that nobody who holds it waits for another lock.
create table revocations (count bigint not null);
insert into revocations values (0);

create function count_revocation() returns trigger language plpgsql set search_path from current as $$
begin
  if exists (select from gone) then
    update revocations set count = count + 1;
  end if;
  return null;
end
$$;
create trigger sessions_revoked after delete on sessions
  referencing old table as gone for each statement execute function count_revocation();
create trigger tokens_revoked after delete on tokens
  referencing old table as gone for each statement execute function count_revocation();
