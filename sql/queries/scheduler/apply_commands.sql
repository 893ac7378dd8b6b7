-- name: TakeCommands :many
-- Commands that nobody has applied yet, oldest first. Locks: the command rows (SKIP LOCKED).
select c.id as command_id, c.kind, c.run_id, c.job_id, c.given_by, c.why
from command c
where c.applied_at is null
order by c.given_at, c.id
limit @max_commands::integer
for update skip locked;

-- name: RequestRunCancel :exec
-- Note on the run that somebody canceled it. The run is locked.
update run r
set cancel_requested_at = coalesce(r.cancel_requested_at, now())
where r.id = @run_id::uuid
    and r.finished_at is null;

-- name: CancelJobs :one
-- moves job: blocked | scheduled | ready → canceled
-- Waiting jobs of a locked run, all or one, end at once; running ones get the flag, which their executor's heartbeat brings. Returns how many of each. Locks: the job rows, by id.
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
        and j.state in ('blocked', 'scheduled', 'ready')
    returning j.id, (select ring('job_finished')) as rung
),
flagged as (
    update job j
    set cancel_requested_at = coalesce(j.cancel_requested_at, now())
    from wanted w
    where j.id = w.id
        and j.state = 'running'
    returning j.id, (select ring('job_cancel')) as rung
)
select
    (select count(*) from canceled c)::integer as canceled,
    (select count(*) from flagged f)::integer as flagged;

-- name: RerunRun :one
-- Request a new run of the same commit. Returns its number; no row: the run is gone.
select request_run(
    @new_run_id::uuid, @new_plan_job_id::uuid, r.pipeline_id, r.event, r.ref, r.branch, r.commit_sha, r.before_sha, r.title,
    r.author, @requested_by::text, null, r.id, @plan_timeout_seconds::integer
)::integer as number
from run r
where r.id = @run_id::uuid;

-- name: MarkApplied :exec
-- The command has been carried out, or found to be without object; `outcome` says which.
update command c
set
    applied_at = now(),
    outcome = @outcome::text,
    result_run_id = sqlc.narg('result_run_id')::uuid
where c.id = @command_id::uuid;
