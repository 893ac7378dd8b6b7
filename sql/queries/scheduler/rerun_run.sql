-- name: RerunRun :one
-- Request a new run of the same commit. Returns its number; no row: the run is gone.
select request_run(
    @new_run_id::uuid, @new_plan_job_id::uuid, r.pipeline_id, r.event, r.ref, r.branch, r.commit_sha, r.before_sha, r.title,
    r.author, @requested_by::text, null, r.id, @plan_timeout_seconds::integer
)::integer as number
from run r
where r.id = @run_id::uuid;
