-- name: DiscardJobs :one
-- moves job: dead → failed
-- Of these jobs, those of the reason, if one is given: nobody wants them any more. Locks: the job rows, by id.
-- What they are once they are locked decides, and the primary key alone finds them: with numbers that are out of date, another index
-- may look better, and be read once for every job.
-- @required
with named as materialized (
    select j.id, j.run_id, j.state, j.reason
    from job j
    where j.id = any(@job_ids::uuid[])
    order by j.id
    for update of j
),
wanted as (
    select n.id
    from named n
    where n.run_id is null
        and n.state = 'dead'
        and (sqlc.narg('reason')::text is null or n.reason = sqlc.narg('reason')::text)
),
discarded as (
    update job j
    set
        state = 'failed',
        reason = 'discarded'
    from wanted w
    where j.id = w.id
    returning j.id
),
told as (
    insert into audit_event (name, actor, job_id, detail)
    select 'job.discarded', 'scheduler', d.id, jsonb_build_object('state', 'failed', 'command_id', @command_id::uuid)
    from discarded d
    returning (select ring('event_recorded'))
)
select (select count(*) from discarded d)::integer as moved;
