-- name: FindJobsInWindow :many
-- Of the newest `window_rows` jobs in a range of ids (exclusive, inclusive), those that the filters let pass, newest first. So
-- no look costs more than its window, however rare what is looked for. The caller goes on below the window.
-- @json metadata typing:Any
with candidate as (
    select j.id, j.run_id, j.lane_id, j.state, j.reason, j.limit_key_id, j.created_at, j.finished_at
    from job j
    where j.id < @before_job_id::uuid
        and j.id >= @from_job_id::uuid
    order by j.id desc
    limit @window_rows::integer
)
select c.id as job_id
from candidate c
join lane l on l.id = c.lane_id
where (cardinality(@states::job_state[]) = 0 or c.state = any(@states::job_state[]))
    and (
        (sqlc.narg('run_id')::uuid is null and c.run_id is null)
        or c.run_id = sqlc.narg('run_id')::uuid
    )
    and (sqlc.narg('job_type')::text is null or l.job_type = sqlc.narg('job_type')::text)
    and (sqlc.narg('queue')::text is null or l.queue = sqlc.narg('queue')::text)
    and (sqlc.narg('reason')::text is null or c.reason = sqlc.narg('reason')::text)
    and (
        sqlc.narg('concurrency_key')::text is null
        or c.limit_key_id = (select k.id from limit_key k where k.name = sqlc.narg('concurrency_key')::text)
    )
    and (sqlc.narg('enqueued_after')::timestamptz is null or c.created_at >= sqlc.narg('enqueued_after')::timestamptz)
    and (sqlc.narg('enqueued_before')::timestamptz is null or c.created_at < sqlc.narg('enqueued_before')::timestamptz)
    and (sqlc.narg('finished_after')::timestamptz is null or c.finished_at >= sqlc.narg('finished_after')::timestamptz)
    and (sqlc.narg('finished_before')::timestamptz is null or c.finished_at < sqlc.narg('finished_before')::timestamptz)
    and (
        sqlc.narg('metadata')::jsonb is null
        or exists (select 1 from job_spec s where s.job_id = c.id and s.metadata @> sqlc.narg('metadata')::jsonb)
    )
order by c.id desc
limit @max_rows::integer;

-- name: FindWindowEnd :one
-- The lowest id of the same window; no row: the range ends within it.
select j.id as job_id
from job j
where j.id < @before_job_id::uuid
    and j.id >= @from_job_id::uuid
order by j.id desc
limit 1
offset @skipped_rows::integer;

-- name: FindJobsAmong :many
-- Of these jobs, those below an id that the same filters let pass, newest first.
-- @json metadata typing:Any
with candidate as (
    select j.id, j.run_id, j.lane_id, j.state, j.reason, j.limit_key_id, j.created_at, j.finished_at
    from job j
    where j.id = any(@job_ids::uuid[])
        and j.id < @before_job_id::uuid
)
select c.id as job_id
from candidate c
join lane l on l.id = c.lane_id
where (cardinality(@states::job_state[]) = 0 or c.state = any(@states::job_state[]))
    and (
        (sqlc.narg('run_id')::uuid is null and c.run_id is null)
        or c.run_id = sqlc.narg('run_id')::uuid
    )
    and (sqlc.narg('job_type')::text is null or l.job_type = sqlc.narg('job_type')::text)
    and (sqlc.narg('queue')::text is null or l.queue = sqlc.narg('queue')::text)
    and (sqlc.narg('reason')::text is null or c.reason = sqlc.narg('reason')::text)
    and (
        sqlc.narg('concurrency_key')::text is null
        or c.limit_key_id = (select k.id from limit_key k where k.name = sqlc.narg('concurrency_key')::text)
    )
    and (sqlc.narg('enqueued_after')::timestamptz is null or c.created_at >= sqlc.narg('enqueued_after')::timestamptz)
    and (sqlc.narg('enqueued_before')::timestamptz is null or c.created_at < sqlc.narg('enqueued_before')::timestamptz)
    and (sqlc.narg('finished_after')::timestamptz is null or c.finished_at >= sqlc.narg('finished_after')::timestamptz)
    and (sqlc.narg('finished_before')::timestamptz is null or c.finished_at < sqlc.narg('finished_before')::timestamptz)
    and (
        sqlc.narg('metadata')::jsonb is null
        or exists (select 1 from job_spec s where s.job_id = c.id and s.metadata @> sqlc.narg('metadata')::jsonb)
    )
order by c.id desc
limit @max_rows::integer;

-- name: FindActiveJobs :many
-- Jobs on their own that have not ended, in some of the states, at most so many of each, in no order. Every state is found by the
-- partial index of whoever works on it; of those on their own, only limits block.
select f.job_id::uuid as job_id
from (
    (select j.id as job_id from job j
     where j.state = 'ready' and 'ready' = any(@states::job_state[]) limit @most_of_each::integer)
    union all
    (select j.id from job j
     where j.state = 'running' and 'running' = any(@states::job_state[]) limit @most_of_each::integer)
    union all
    (select j.id from job j
     where j.state = 'scheduled' and 'scheduled' = any(@states::job_state[]) limit @most_of_each::integer)
    union all
    (select j.id from job j
     where j.limit_key_id is not null and j.finished_at is null and j.state = 'blocked'
        and 'blocked' = any(@states::job_state[]) limit @most_of_each::integer)
) f;

-- name: FindUnsuccessfulJobs :many
-- Jobs that ended otherwise than well, in some of the states, below an id: the newest of each.
select f.job_id::uuid as job_id
from unnest(@states::job_state[]) as w (state)
cross join lateral (
    select j.id as job_id
    from job j
    where j.state = w.state
        and j.state in ('failed', 'dead', 'canceled')
        and j.id < @before_job_id::uuid
    order by j.id desc
    limit @most_of_each::integer
) f
order by f.job_id desc
limit @most_of_each::integer;

-- name: FindJobsByMetadata :many
-- Jobs whose metadata contains something, at most so many, in no order.
-- @json metadata typing:Any
select s.job_id
from job_spec s
where s.metadata is not null
    and s.metadata @> @metadata::jsonb
limit @max_rows::integer;

-- name: FindJobByKey :one
-- The job that an idempotency key of a type led to, whether the key still counts or not.
select k.job_id
from job_key k
where k.job_type = @job_type::text
    and k.key = @key::text;

-- name: FindJobsOfRun :many
select j.id as job_id
from job j
where j.run_id = @run_id::uuid;

-- name: ListJobs :many
-- These jobs as lists show them, newest first.
-- @json metadata typing:Any
-- @nullable concurrency_key started_at
select
    j.id as job_id, j.run_id, s.key, l.job_type, l.queue, l.labels, j.state, j.reason, j.priority,
    k.name as concurrency_key, s.metadata, s.enqueued_by, j.attempts_used, j.max_attempts, j.redrives,
    j.cancel_requested_at, j.created_at, j.run_at, j.claimed_at as started_at, j.finished_at, a.error
from job j
join lane l on l.id = j.lane_id
join job_spec s on s.job_id = j.id
left join limit_key k on k.id = j.limit_key_id
left join attempt a on a.job_id = j.id and a.epoch = j.claim_epoch
where j.id = any(@job_ids::uuid[])
order by j.id desc;
