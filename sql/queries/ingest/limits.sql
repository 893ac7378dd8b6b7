-- name: SetLimit :one
-- Enter or change the limit of a concurrency key, and wake who releases its jobs.
-- @nullable rung
-- @required
insert into limit_key as k (name, max_running, rate_count, rate_seconds)
values (
    @name::text, @max_running::integer, sqlc.narg('rate_count')::integer, sqlc.narg('rate_seconds')::double precision
)
on conflict (name) do update
set
    max_running = excluded.max_running,
    rate_count = excluded.rate_count,
    rate_seconds = excluded.rate_seconds,
    updated_at = now()
returning (xmax = 0)::boolean as is_new, ring('job_waiting')::boolean as rung;

-- name: ResetLimit :execrows
-- The key is limited as keys are that nobody has set. Its row stays: jobs refer to it.
update limit_key k
set
    max_running = 1,
    rate_count = null,
    rate_seconds = null,
    updated_at = now()
where k.name = @name::text
returning (select ring('job_waiting'));

-- name: ListLimits :many
-- Keys by name, after the given one, with how many of their jobs hold places and how many wait (10,001: more than that).
-- @row Limit
select
    k.name as concurrency_key, k.max_running, k.rate_count, k.rate_seconds, k.updated_at,
    (
        select count(*)
        from (
            select 1 as one
            from job j
            where j.limit_key_id = k.id
                and j.finished_at is null
                and j.state in ('ready', 'running')
            limit 10001
        ) h
    )::integer as running,
    (
        select count(*)
        from (
            select 1 as one
            from job j
            where j.limit_key_id = k.id
                and j.finished_at is null
                and j.state = 'blocked'
            limit 10001
        ) w
    )::integer as waiting
from limit_key k
where k.name > @after_name::text
order by k.name
limit @max_rows::integer;

-- name: FindLimit :one
-- @row Limit
select
    k.name as concurrency_key, k.max_running, k.rate_count, k.rate_seconds, k.updated_at,
    (
        select count(*)
        from (
            select 1 as one
            from job j
            where j.limit_key_id = k.id
                and j.finished_at is null
                and j.state in ('ready', 'running')
            limit 10001
        ) h
    )::integer as running,
    (
        select count(*)
        from (
            select 1 as one
            from job j
            where j.limit_key_id = k.id
                and j.finished_at is null
                and j.state = 'blocked'
            limit 10001
        ) w
    )::integer as waiting
from limit_key k
where k.name = @name::text;
