-- name: InsertJobs :many
-- Enqueue jobs on their own: all, or none. A row for each, in order; not `created`: an idempotency key led to an earlier job.
-- Locks: see insert_jobs.
-- @json jobs typing:Any
select i.place::integer as place, i.job_id::uuid as job_id, i.created::boolean as created
from insert_jobs(@jobs::jsonb, @by_whom::text) as i (place, job_id, created)
order by i.place;
