-- Raised whenever somebody leaves a room or is taken out of it: while it stands still, who was a member is one.
alter table rooms add column removal_count bigint not null default 0;
