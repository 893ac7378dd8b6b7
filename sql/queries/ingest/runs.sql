-- name: StartRun :one
-- Request a run by hand. The commit is resolved by the plan job when it is not given.
-- @required
select request_run(
    @run_id::uuid, @plan_job_id::uuid, @pipeline_id::uuid, 'manual', @ref::text, sqlc.narg('branch')::text,
    sqlc.narg('commit_sha')::text, null, @title::text, @author::text, @requested_by::text, null, null,
    @plan_timeout_seconds::integer
)::integer as number;

-- name: GetRun :one
-- @row Run
select
    r.id as run_id, p.name as pipeline_name, r.number, r.state, r.reason, r.event, r.ref, r.branch, r.commit_sha, r.title, r.author,
    r.requested_by, r.plan_job_id, r.rerun_of, r.cancel_requested_at, r.created_at, r.started_at, r.finished_at
from run r
join pipeline p on p.id = r.pipeline_id
where r.id = @run_id::uuid;

-- name: FindRun :one
-- A run by its pipeline's name and its number.
-- @row Run
select
    r.id as run_id, p.name as pipeline_name, r.number, r.state, r.reason, r.event, r.ref, r.branch, r.commit_sha, r.title, r.author,
    r.requested_by, r.plan_job_id, r.rerun_of, r.cancel_requested_at, r.created_at, r.started_at, r.finished_at
from run r
join pipeline p on p.id = r.pipeline_id
where p.name = @pipeline_name::text
    and r.number = @number::integer;

-- name: ListRuns :many
-- Runs, newest first, before a cursor (created_at, id); of one pipeline, or in one state, if asked.
-- @row Run
select
    r.id as run_id, p.name as pipeline_name, r.number, r.state, r.reason, r.event, r.ref, r.branch, r.commit_sha, r.title, r.author,
    r.requested_by, r.plan_job_id, r.rerun_of, r.cancel_requested_at, r.created_at, r.started_at, r.finished_at
from run r
join pipeline p on p.id = r.pipeline_id
where (r.created_at, r.id) < (@before_created_at::timestamptz, @before_run_id::uuid)
    and (sqlc.narg('pipeline_name')::text is null or p.name = sqlc.narg('pipeline_name')::text)
    and (sqlc.narg('state')::run_state is null or r.state = sqlc.narg('state')::run_state)
order by r.created_at desc, r.id desc
limit @max_rows::integer;

-- name: CountRuns :one
-- How many runs the same filters find in all.
-- @required
select count(*)::integer as total
from run r
join pipeline p on p.id = r.pipeline_id
where (sqlc.narg('pipeline_name')::text is null or p.name = sqlc.narg('pipeline_name')::text)
    and (sqlc.narg('state')::run_state is null or r.state = sqlc.narg('state')::run_state);
