-- name: CancelJobs :one
-- moves job: blocked | scheduled | ready → canceled
-- Of these jobs on their own, those in one of the states and, if one is given, of the reason: what waits ends at once, what runs gets
-- the flag, which its executor's heartbeat brings. Returns how many of each.
-- Locks: the job rows, by id. What they are once they are locked decides: a claim may have committed while we waited for it. The primary
-- key alone finds them: with numbers that are out of date, another index may look better, and be read once for every job.
-- @required
with named as materialized (
    select j.id, j.run_id, j.state, j.reason
    from job j
    where j.id = any(@job_ids::uuid[])
    order by j.id
    for update of j
),
wanted as (
    select n.id, n.state
    from named n
    where n.run_id is null
        and n.state = any(@states::job_state[])
        and (sqlc.narg('reason')::text is null or n.reason = sqlc.narg('reason')::text)
),
canceled as (
    update job j
    set
        state = 'canceled',
        reason = 'canceled',
        cancel_requested_at = now(),
        finished_at = now()
    from wanted w
    where j.id = w.id
        and w.state in ('blocked', 'scheduled', 'ready')
    returning j.id, (select ring('job_finished')) as rung
),
flagged as (
    update job j
    set cancel_requested_at = coalesce(j.cancel_requested_at, now())
    from wanted w
    where j.id = w.id
        and w.state = 'running'
    returning j.id, (select ring('job_cancel')) as rung
),
told as (
    insert into audit_event (name, actor, job_id, detail)
    select 'job.canceled', 'scheduler', c.id, jsonb_build_object('state', 'canceled', 'command_id', @command_id::uuid)
    from canceled c
    returning (select ring('event_recorded'))
)
select
    (select count(*) from canceled c)::integer as moved,
    (select count(*) from flagged f)::integer as asked;
