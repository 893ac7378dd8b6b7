-- name: RequestRunCancel :exec
-- Note on the run that somebody canceled it. The run is locked.
update run r
set cancel_requested_at = coalesce(r.cancel_requested_at, now())
where r.id = @run_id::uuid
    and r.finished_at is null;

-- name: CancelRunJobs :one
-- moves job: blocked | scheduled | ready → canceled
-- Waiting jobs of a locked run, all or one, end at once; running ones get the flag, which their executor's heartbeat brings. Returns how many of each.
-- Locks: the job rows, by id. What they are once they are locked decides: a claim may have committed while we waited for it.
-- @required
with wanted as (
    select j.id, j.state
    from job j
    where j.run_id = @run_id::uuid
        and (sqlc.narg('job_id')::uuid is null or j.id = sqlc.narg('job_id')::uuid)
        and j.finished_at is null
    order by j.id
    for update of j
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
)
select
    (select count(*) from canceled c)::integer as canceled,
    (select count(*) from flagged f)::integer as flagged;
