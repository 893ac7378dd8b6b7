-- name: GiveCommand :exec
-- Ask the scheduler for something, and wake it.
-- @json job_filter shared.job_filter:JobFilter
insert into command (id, kind, run_id, job_id, queue, job_filter, given_by, why)
values (
    @command_id::uuid, @kind::command_kind, sqlc.narg('run_id')::uuid, sqlc.narg('job_id')::uuid, sqlc.narg('queue')::text,
    sqlc.narg('job_filter')::jsonb, @given_by::text, @why::text
)
returning (select ring('command_given'));

-- name: GetCommand :one
-- What became of a command.
-- @json job_filter typing:Any
select
    c.id as command_id, c.kind, c.run_id, c.job_id, c.queue, c.job_filter, c.given_by, c.why, c.given_at, c.applied_at, c.outcome,
    c.result_run_id, c.jobs_moved, c.jobs_asked, c.jobs_refused
from command c
where c.id = @command_id::uuid;

-- name: CountFilteredJobs :one
-- How many jobs on their own are in some of the states, and mean what a filter asks for. Looks at all jobs in those states.
-- @json metadata typing:Any
-- @required
select count(*)::bigint as jobs
from (
    select j.id, j.lane_id, j.reason, j.limit_key_id, j.created_at from job j
    where j.state = 'ready' and 'ready' = any(@states::job_state[]) and j.run_id is null
    union all
    select j.id, j.lane_id, j.reason, j.limit_key_id, j.created_at from job j
    where j.state = 'running' and 'running' = any(@states::job_state[]) and j.run_id is null
    union all
    select j.id, j.lane_id, j.reason, j.limit_key_id, j.created_at from job j
    where j.state = 'scheduled' and 'scheduled' = any(@states::job_state[]) and j.run_id is null
    union all
    select j.id, j.lane_id, j.reason, j.limit_key_id, j.created_at from job j
    where j.limit_key_id is not null and j.finished_at is null and j.state = 'blocked'
        and 'blocked' = any(@states::job_state[]) and j.run_id is null
    union all
    select j.id, j.lane_id, j.reason, j.limit_key_id, j.created_at from job j
    where j.state in ('failed', 'dead', 'canceled') and j.state = any(@states::job_state[]) and j.run_id is null
) c
join lane l on l.id = c.lane_id
where (sqlc.narg('job_type')::text is null or l.job_type = sqlc.narg('job_type')::text)
    and (sqlc.narg('queue')::text is null or l.queue = sqlc.narg('queue')::text)
    and (sqlc.narg('reason')::text is null or c.reason = sqlc.narg('reason')::text)
    and (
        sqlc.narg('concurrency_key')::text is null
        or c.limit_key_id = (select k.id from limit_key k where k.name = sqlc.narg('concurrency_key')::text)
    )
    and (sqlc.narg('enqueued_after')::timestamptz is null or c.created_at >= sqlc.narg('enqueued_after')::timestamptz)
    and (sqlc.narg('enqueued_before')::timestamptz is null or c.created_at < sqlc.narg('enqueued_before')::timestamptz)
    and (
        sqlc.narg('metadata')::jsonb is null
        or exists (select 1 from job_spec s where s.job_id = c.id and s.metadata @> sqlc.narg('metadata')::jsonb)
    );
