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

-- name: CountJobsInStates :one
-- How many jobs of a filter's lanes are in these states, from the maintained counts.
-- @required
select coalesce(sum(c.jobs), 0)::bigint as jobs
from (
    select t.lane_id, t.state, t.jobs
    from job_count t
    union all
    select p.lane_id, p.state, p.jobs
    from job_count_change p
) c
where c.state = any(@states::job_state[])
    and c.lane_id = any(array(
        select l.id
        from lane l
        where l.kind = 'handler'
            and (sqlc.narg('job_type')::text is null or l.job_type = sqlc.narg('job_type')::text)
            and (sqlc.narg('queue')::text is null or l.queue = sqlc.narg('queue')::text)
    ));

-- name: FindFilteredJobs :one
-- The next jobs on their own, by id, that a filter means and that were enqueued before the command. There are two ways: each state is
-- read from its own partial index, so that what succeeded costs nothing, and sorted; or (`is_walk`) the next `max_looked` jobs of any
-- kind are looked at along the primary key, which takes the same time however many there are. `looked_at` and `last_job_id` are about
-- the latter. Locks nothing: what is done to the jobs looks at their states again.
-- @required
-- @nullable last_job_id
-- @json metadata typing:Any
with looked as materialized (
    select j.id, j.run_id, j.lane_id, j.limit_key_id, j.state, j.reason, j.created_at
    from job j
    where @is_walk::boolean
        and j.id > @after_job_id::uuid
        and j.id >= coalesce(
            new_id_at(sqlc.narg('enqueued_after')::timestamptz, 0, repeat('0', 15)), '00000000-0000-0000-0000-000000000000'
        )
    order by j.id
    limit @max_looked::integer
)
select
    array(
        select f.id
        from (
            select k.id, k.run_id, k.lane_id, k.limit_key_id, k.reason, k.created_at
            from looked k
            where k.state = any(@states::job_state[])
            union all
            select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
            from job j
            where j.state = 'blocked'
                and j.limit_key_id is not null
                and j.finished_at is null
                and not @is_walk::boolean
                and 'blocked' = any(@states::job_state[])
            union all
            select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
            from job j
            where j.state = 'scheduled'
                and not @is_walk::boolean
                and 'scheduled' = any(@states::job_state[])
            union all
            select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
            from job j
            where j.state = 'ready'
                and not @is_walk::boolean
                and 'ready' = any(@states::job_state[])
            union all
            select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
            from job j
            where j.state = 'running'
                and not @is_walk::boolean
                and 'running' = any(@states::job_state[])
            union all
            select j.id, j.run_id, j.lane_id, j.limit_key_id, j.reason, j.created_at
            from job j
            where j.state in ('failed', 'dead', 'canceled')
                and not @is_walk::boolean
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
            and (
                sqlc.narg('enqueued_after')::timestamptz is null
                or f.created_at >= sqlc.narg('enqueued_after')::timestamptz
            )
            and (
                sqlc.narg('enqueued_before')::timestamptz is null
                or f.created_at < sqlc.narg('enqueued_before')::timestamptz
            )
            and (
                sqlc.narg('metadata')::jsonb is null
                or exists (
                    select 1
                    from job_spec s
                    where s.job_id = f.id
                        and s.metadata @> sqlc.narg('metadata')::jsonb
                )
            )
        order by f.id
        limit @max_jobs::integer
    )::uuid[] as job_ids,
    (select count(*) from looked k)::integer as looked_at,
    (select k.id from looked k order by k.id desc limit 1)::uuid as last_job_id;
