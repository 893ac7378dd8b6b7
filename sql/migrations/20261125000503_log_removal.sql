-- migrate:up

-- Logs whose attempts were deleted: their chunks and blocks go bit by bit, since a run's may be many gigabytes. Nobody finds them
-- meanwhile: what a job prints is read through its attempt.
create table log_removal (
    job_id uuid not null,
    epoch integer not null,
    day date not null,
    -- The partitions of its blocks; null: it has none.
    retention log_retention,
    primary key (job_id, epoch)
);

create function remember_logs() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
    insert into log_removal (job_id, epoch, day, retention)
    select o.job_id, o.epoch, o.log_day, o.log_retention
    from old_attempt o
    where o.log_state <> 'none'
    on conflict do nothing;
    return null;
end
$$;

create trigger remember_logs_of_deleted_attempts after delete on attempt
referencing old table as old_attempt for each statement execute function remember_logs();

grant select, delete on log_removal to howdah_scheduler;
grant update (retention) on log_removal to howdah_scheduler;

-- migrate:down

drop trigger remember_logs_of_deleted_attempts on attempt;
drop function remember_logs();
drop table log_removal;
