-- name: DiscardJobs :one
-- moves job: dead → failed
-- Of these jobs, those of the reason, if one is given: nobody wants them any more. Locks: the job rows, by id.
-- @required
with wanted as (
    select j.id
    from job j
    where j.id = any(@job_ids::uuid[])
        and j.run_id is null
        and j.state = 'dead'
        and (sqlc.narg('reason')::text is null or j.reason = sqlc.narg('reason')::text)
    order by j.id
    for update of j
),
discarded as (
    update job j
    set
        state = 'failed',
        reason = 'discarded'
    from wanted w
    where j.id = w.id
        and j.state = 'dead'
    returning j.id
),
told as (
    insert into audit_event (name, actor, job_id, detail)
    select 'job.discarded', 'scheduler', d.id, jsonb_build_object('state', 'failed', 'command_id', @command_id::uuid)
    from discarded d
    returning (select ring('event_recorded'))
)
select (select count(*) from discarded d)::integer as moved;
