-- Raised whenever somebody leaves a room or is taken out of it: while it stands still, who was a member is one.
alter table rooms add column removal_count bigint not null default 0;
-- The change_count when one of its people last took another name: who holds messages from before may hold the old one.
alter table rooms add column renamed_change bigint not null default 0;
