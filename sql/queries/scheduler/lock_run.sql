-- name: LockRun :one
-- @row LockedRun
-- Lock a run for one of its steps. No row: another scheduler has it, and will do what there is to do.
select
    r.id as run_id, r.pipeline_id, p.name as pipeline_name, r.number, r.state, r.event, r.ref, r.branch, r.commit_sha, r.title,
    r.author, r.plan_job_id, r.cancel_requested_at, r.started_at, r.created_at
from run r
join pipeline p on p.id = r.pipeline_id
where r.id = @run_id::uuid
for update of r skip locked;

-- name: LockRunForCommand :one
-- The same, but wait for whoever has it: a command must not be put off by a busy run.
-- @row LockedRun
select
    r.id as run_id, r.pipeline_id, p.name as pipeline_name, r.number, r.state, r.event, r.ref, r.branch, r.commit_sha, r.title,
    r.author, r.plan_job_id, r.cancel_requested_at, r.started_at, r.created_at
from run r
join pipeline p on p.id = r.pipeline_id
where r.id = @run_id::uuid
for update of r;
