-- name: TakeCommand :one
-- The oldest command that nobody has applied yet, of those about a single run, job or queue. Locks: its row.
select c.id as command_id, c.kind, c.run_id, c.job_id, c.queue, c.given_by, c.why
from command c
where c.applied_at is null
    and (c.kind not in ('cancel_jobs', 'redrive_jobs', 'discard_jobs') or c.job_id is not null)
order by c.given_at, c.id
limit 1
for update;

-- name: MarkApplied :exec
-- The command has been carried out, or found to be without object; `outcome` says which.
update command c
set
    applied_at = now(),
    outcome = @outcome::text,
    result_run_id = sqlc.narg('result_run_id')::uuid
where c.id = @command_id::uuid;
