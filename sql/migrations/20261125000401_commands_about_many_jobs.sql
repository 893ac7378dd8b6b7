-- migrate:up

-- A command about many jobs is applied in many transactions: how far it has come, and what came of it so far.
alter table command
    -- The jobs up to this id have been looked at.
    add column last_job_id uuid,
    -- Those that changed their state; those that run and were asked to end; those that may not be changed again.
    add column jobs_moved integer not null default 0,
    add column jobs_asked integer not null default 0,
    add column jobs_refused integer not null default 0;

grant update (last_job_id, jobs_moved, jobs_asked, jobs_refused) on command to howdah_scheduler;
grant select on limit_key to howdah_scheduler;
grant select, insert, update on queue to howdah_scheduler;

-- migrate:down

revoke all on queue, limit_key from howdah_scheduler;
alter table command
    drop column last_job_id,
    drop column jobs_moved,
    drop column jobs_asked,
    drop column jobs_refused;
