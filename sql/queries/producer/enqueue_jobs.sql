-- name: EnqueueJobs :many
-- Enqueue jobs on their own, in the caller's transaction: all, or none. `jobs` is an array as JSON. A row for each, in order; not
-- `created`: an idempotency key led to an earlier job. Locks: see insert_jobs.
select e.place::integer as place, e.job_id::uuid as job_id, e.created::boolean as created
from enqueue_jobs((@jobs::text)::jsonb) as e (place, job_id, created)
order by e.place;
