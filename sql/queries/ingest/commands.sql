-- name: GiveCommand :exec
-- Ask the scheduler for something, and wake it.
insert into command (id, kind, run_id, job_id, given_by, why)
values (
    @command_id::uuid, @kind::command_kind, @run_id::uuid, sqlc.narg('job_id')::uuid, @given_by::text, @why::text
)
returning (select ring('command_given'));

-- name: GetCommand :one
-- What became of a command.
select
    c.id as command_id, c.kind, c.run_id, c.job_id, c.given_by, c.why, c.given_at, c.applied_at, c.outcome, c.result_run_id
from command c
where c.id = @command_id::uuid;
