-- name: ListLimitedKeys :many
-- The next keys, by id, with jobs that have not ended, and whether any of those waits for its turn. Jumps from key to key in the
-- index: what it costs does not depend on how many jobs wait.
with recursive found as (
    (
        select j.limit_key_id as id
        from job j
        where j.limit_key_id is not null
            and j.finished_at is null
            and j.limit_key_id > @after_key::integer
        order by j.limit_key_id
        limit 1
    )
    union all
    select (
        select j.limit_key_id
        from job j
        where j.limit_key_id is not null
            and j.finished_at is null
            and j.limit_key_id > f.id
        order by j.limit_key_id
        limit 1
    )
    from found f
    where f.id is not null
)
select
    (f.id)::integer as limit_key_id,
    (
        exists (
            select 1
            from job j
            where j.limit_key_id = f.id
                and j.finished_at is null
                and j.state = 'blocked'
        )
    )::boolean as is_waiting
from found f
where f.id is not null
limit @max_keys::integer;

-- name: LockLimitKeys :many
-- Lock keys for the next query, which must count after the lock is there: a statement of its own sees what was released before.
-- Keys of which another scheduler is releasing are left to it. Inserting a job does not wait for this lock, nor stand in its way.
-- Locks: limit_key rows, by id (SKIP LOCKED).
select k.id as limit_key_id
from limit_key k
where k.id = any(@limit_key_ids::integer[])
order by k.id
for no key update skip locked;

-- name: ReleaseLimitedJobs :many
-- moves job: blocked → ready
-- Of each of these keys, which are locked, the oldest jobs: as many as its limit and its rate allow, `max_jobs` at most. What is ready or
-- running counts against the limit, so that nothing can drift. Returns, for each key, how many were released and, where only the
-- rate holds it up, in how many seconds it allows the next.
-- What was released counts for the rate's stretch from the end of its slice. Locks: job rows (SKIP LOCKED), then limit_window.
-- @nullable next_in_seconds
with clock as (
    select coalesce(sqlc.narg('now')::timestamptz, clock_timestamp()) as at_time
),
room as (
    select
        k.id,
        k.rate_count,
        make_interval(secs => coalesce(k.rate_seconds, 0)) as stretch,
        k.max_running - busy.jobs as slots,
        k.rate_count - used.jobs as rate_left,
        used.slices_end_at,
        used.slices_released,
        c.at_time,
        to_timestamp(ceil(extract(epoch from c.at_time) / (k.rate_seconds / 50)) * (k.rate_seconds / 50)) as slice_ends_at
    from limit_key k
    cross join clock c
    left join limit_window w on w.limit_key_id = k.id
    cross join lateral (
        select count(*) as jobs
        from (
            select 1
            from job j
            where j.limit_key_id = k.id
                and j.finished_at is null
                and j.state in ('ready', 'running')
            limit k.max_running
        ) b
    ) busy
    cross join lateral (
        select
            coalesce(sum(u.released), 0) as jobs,
            array_agg(u.ends_at) as slices_end_at,
            array_agg(u.released) as slices_released
        from rows from (unnest(w.slices_end_at), unnest(w.slices_released)) as u (ends_at, released)
        where u.ends_at >= c.at_time - make_interval(secs => k.rate_seconds)
    ) used
    where k.id = any(@limit_key_ids::integer[])
),
released as (
    update job j
    set
        state = 'ready',
        reason = null
    where j.ctid = any(array(
        select chosen.row_at
        from room r
        cross join lateral (
            select c.ctid as row_at
            from job c
            where c.limit_key_id = r.id
                and c.finished_at is null
                and c.state = 'blocked'
            order by c.claim_order
            limit greatest(least(r.slots, r.rate_left, @max_jobs::integer), 0)
            for update skip locked
        ) chosen
    ))
    returning j.id, j.limit_key_id, (select ring('job_ready')) as rung
),
counted as (
    select r.limit_key_id, count(*)::integer as jobs
    from released r
    group by r.limit_key_id
),
noted as (
    insert into limit_window as w (limit_key_id, slices_end_at, slices_released)
    select r.id, s.slices_end_at, s.slices_released
    from counted c
    join room r on r.id = c.limit_key_id
    cross join lateral (
        select
            array_agg(g.ends_at order by g.ends_at) as slices_end_at,
            array_agg(g.released order by g.ends_at) as slices_released
        from (
            select u.ends_at, sum(u.released)::integer as released
            from (
                select v.ends_at, v.released
                from rows from (unnest(r.slices_end_at), unnest(r.slices_released)) as v (ends_at, released)
                union all
                select r.slice_ends_at, c.jobs
            ) u
            group by u.ends_at
        ) g
    ) s
    where r.rate_count is not null
    order by r.id
    on conflict (limit_key_id) do update
    set
        slices_end_at = excluded.slices_end_at,
        slices_released = excluded.slices_released
)
select
    r.id as limit_key_id,
    coalesce(c.jobs, 0)::integer as released,
    (
        case
            when r.rate_left <= coalesce(c.jobs, 0) and r.slots > coalesce(c.jobs, 0) then extract(
                epoch from (
                    select min(u.ends_at) from unnest(r.slices_end_at || r.slice_ends_at) as u (ends_at)
                ) + r.stretch - r.at_time
            )
        end
    )::float8 as next_in_seconds
from room r
left join counted c on c.limit_key_id = r.id
order by r.id;
