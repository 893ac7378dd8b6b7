-- name: PromoteJobs :one
-- moves job: scheduled → ready | blocked
-- Those that are due, oldest first; those with a concurrency key wait for their turn then. Returns how many, and in how many seconds
-- the next is due. Locks: the job rows (SKIP LOCKED).
-- @required
-- @nullable next_due_in_seconds
with due as (
    select coalesce(sqlc.narg('now')::timestamptz, now()) as at_time
),
promoted as (
    update job j
    set
        state = case when j.limit_key_id is null then 'ready' else 'blocked' end::job_state,
        reason = case when j.limit_key_id is null then null else 'limit' end
    where j.ctid = any(array(
        select c.ctid
        from job c
        where c.state = 'scheduled'
            and c.run_at <= (select d.at_time from due d)
        order by c.run_at
        limit @max_jobs::integer
        for update skip locked
    ))
    returning
        j.id,
        case when j.state = 'ready' then (select ring('job_ready')) else (select ring('job_waiting')) end as rung
)
select
    (select count(*) from promoted p)::integer as promoted,
    (
        select extract(epoch from min(j.run_at) - (select d.at_time from due d))
        from job j
        where j.state = 'scheduled'
            and j.run_at > (select d.at_time from due d)
    )::float8 as next_due_in_seconds;
