-- name: FindFilterCommand :one
-- The oldest command about many jobs that is not done yet, and how far it has come.
-- @json job_filter typing:Any
select c.id as command_id, c.kind, c.given_by, c.given_at, c.why, c.last_job_id, c.job_filter
from command c
where c.applied_at is null
    and c.kind in ('cancel_jobs', 'redrive_jobs', 'discard_jobs')
    and c.job_id is null
order by c.given_at, c.id
limit 1;

-- name: LockFilterCommand :one
-- Lock the command where it was seen, and read what came of it so far. No row: another scheduler has it, or has brought it further.
select c.jobs_moved, c.jobs_asked, c.jobs_refused
from command c
where c.id = @command_id::uuid
    and c.applied_at is null
    and c.last_job_id is not distinct from sqlc.narg('last_job_id')::uuid
for update skip locked;

-- name: RecordProgress :exec
-- The jobs up to this one have been looked at. The command is locked.
update command c
set
    last_job_id = @last_job_id::uuid,
    jobs_moved = c.jobs_moved + @moved::integer,
    jobs_asked = c.jobs_asked + @asked::integer,
    jobs_refused = c.jobs_refused + @refused::integer
where c.id = @command_id::uuid;

-- name: FindFilteredJobs :many
-- The next jobs on their own, by id, that a filter means and that were enqueued before the command. Each state is read from its own
-- partial index, so that what succeeded costs nothing. Locks nothing: what is done to the jobs looks at their states again.
-- @json metadata typing:Any
select f.id as job_id
from (
    select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
    from job j
    where j.state = 'blocked'
        and j.limit_key_id is not null
        and j.finished_at is null
        and 'blocked' = any(@states::job_state[])
    union all
    select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
    from job j
    where j.state = 'scheduled'
        and 'scheduled' = any(@states::job_state[])
    union all
    select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
    from job j
    where j.state = 'ready'
        and 'ready' = any(@states::job_state[])
    union all
    select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
    from job j
    where j.state = 'running'
        and 'running' = any(@states::job_state[])
    union all
    select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
    from job j
    where j.state in ('failed', 'dead', 'canceled')
        and j.state = any(@states::job_state[])
) f
where f.id > @after_job_id::uuid
    and f.run_id is null
    and f.created_at <= @given_at::timestamptz
    and f.lane_id = any(array(
        select l.id
        from lane l
        where l.kind = 'handler'
            and (sqlc.narg('job_type')::text is null or l.job_type = sqlc.narg('job_type')::text)
            and (sqlc.narg('queue')::text is null or l.queue = sqlc.narg('queue')::text)
    ))
    and (sqlc.narg('reason')::text is null or f.reason = sqlc.narg('reason')::text)
    and (
        sqlc.narg('concurrency_key')::text is null
        or f.limit_key_id = (select k.id from limit_key k where k.name = sqlc.narg('concurrency_key')::text)
    )
    and (sqlc.narg('enqueued_after')::timestamptz is null or f.created_at >= sqlc.narg('enqueued_after')::timestamptz)
    and (sqlc.narg('enqueued_before')::timestamptz is null or f.created_at < sqlc.narg('enqueued_before')::timestamptz)
    and (
        sqlc.narg('metadata')::jsonb is null
        or exists (select 1 from job_spec s where s.job_id = f.id and s.metadata @> sqlc.narg('metadata')::jsonb)
    )
order by f.id
limit @max_jobs::integer;
