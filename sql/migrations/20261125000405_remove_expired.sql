-- migrate:up

-- How far the search for what has expired has come, by what is searched: ids are made in the order of time, so it goes along the
-- primary key, and needs no index on the time of the end.
create table removal_walk (
    subject text not null primary key,
    last_id uuid not null,
    pass_began_at timestamptz not null
);

-- Deleting a job or a run looks for what hangs on it: without these, through all of these tables.
create index notification_of_job on notification (job_id) where job_id is not null;
create index notification_of_run on notification (run_id);
create index command_of_run on command (run_id) where run_id is not null;
create index command_of_result on command (result_run_id) where result_run_id is not null;
create index run_of_rerun on run (rerun_of) where rerun_of is not null;

-- No service may delete jobs, runs or the audit by itself; these functions delete what has expired, and nothing else. What somebody
-- has locked is left for the next time.

-- Look at the next jobs by id, and remove those on their own that ended long enough ago; null: such are kept for ever.
-- Returns how many were looked at, how many removed, and the last id of those that were looked at.
create function remove_expired_jobs(
    after_id uuid,
    keep_succeeded_seconds double precision,
    keep_failed_seconds double precision,
    keep_dead_seconds double precision,
    at_time timestamptz,
    max_rows integer
) returns table (looked_at integer, removed integer, last_id uuid)
language sql volatile security definer
set search_path = pg_catalog, public
set lock_timeout = '1s'
as $$
    with looked as materialized (
        select j.id
        from job j
        where j.id > after_id
            -- What was made later cannot have ended early enough.
            and j.id < new_id_at(
                at_time - make_interval(secs => least(keep_succeeded_seconds, keep_failed_seconds, keep_dead_seconds)),
                0, repeat('0', 15)
            )
        order by j.id
        limit max_rows
    ),
    expired as materialized (
        select j.id
        from job j
        where j.id in (select l.id from looked l)
            and j.run_id is null
            and j.finished_at < at_time - make_interval(
                secs => case j.state
                    when 'succeeded' then keep_succeeded_seconds
                    when 'dead' then keep_dead_seconds
                    else keep_failed_seconds
                end
            )
        order by j.id
        for update skip locked
    ),
    gone as (
        delete from job j
        using expired e
        where j.id = e.id
        returning j.id
    )
    select
        (select count(*) from looked l)::integer,
        (select count(*) from gone g)::integer,
        (select l.id from looked l order by l.id desc limit 1)
$$;

-- Remove the oldest runs that ended long enough ago, with their jobs. Returns how many.
create function remove_expired_runs(keep_seconds double precision, at_time timestamptz, max_rows integer) returns integer
language sql volatile security definer
set search_path = pg_catalog, public
set lock_timeout = '1s'
as $$
    with expired as materialized (
        select r.id
        from run r
        where r.created_at < at_time - make_interval(secs => keep_seconds)
            and r.finished_at < at_time - make_interval(secs => keep_seconds)
        order by r.created_at, r.id
        limit max_rows
        for update skip locked
    ),
    gone as (
        delete from run r
        using expired e
        where r.id = e.id
        returning r.id
    )
    select count(*)::integer from gone g
$$;

-- Remove the oldest events of the audit. Returns how many.
create function remove_expired_events(keep_seconds double precision, at_time timestamptz, max_rows integer) returns integer
language sql volatile security definer
set search_path = pg_catalog, public
set lock_timeout = '1s'
as $$
    with oldest as materialized (
        select a.id, a.recorded_at
        from audit_event a
        order by a.id
        limit max_rows
    ),
    gone as (
        delete from audit_event a
        using oldest o
        where a.id = o.id
            and o.recorded_at < at_time - make_interval(secs => keep_seconds)
        returning a.id
    )
    select count(*)::integer from gone g
$$;

grant execute on function
    remove_expired_jobs(uuid, double precision, double precision, double precision, timestamptz, integer),
    remove_expired_runs(double precision, timestamptz, integer),
    remove_expired_events(double precision, timestamptz, integer),
    new_id_at(timestamptz, integer, text)
to howdah_scheduler;
grant select, insert, update on removal_walk to howdah_scheduler;
grant select, delete on delivery, notification to howdah_scheduler;
grant delete on command, executor, schedule_tick to howdah_scheduler;
-- To pass by a key that somebody is about to use again, it must be locked, and to lock it something must be granted.
grant select, delete, update (expires_at) on job_key to howdah_scheduler;

-- migrate:down

revoke delete on command, executor, schedule_tick from howdah_scheduler;
revoke all on job_key, delivery from howdah_scheduler;
revoke select, delete on notification from howdah_scheduler;
revoke execute on function new_id_at(timestamptz, integer, text) from howdah_scheduler;
drop function remove_expired_events(double precision, timestamptz, integer);
drop function remove_expired_runs(double precision, timestamptz, integer);
drop function remove_expired_jobs(uuid, double precision, double precision, double precision, timestamptz, integer);
drop index run_of_rerun;
drop index command_of_result;
drop index command_of_run;
drop index notification_of_run;
drop index notification_of_job;
drop table removal_walk;
