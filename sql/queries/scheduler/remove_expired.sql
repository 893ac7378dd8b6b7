-- name: LimitLockWaits :exec
-- Until the transaction ends, wait for a lock no longer than this: what has expired can be removed later.
select set_config('lock_timeout', '1s', true);

-- name: ReadRemovalWalk :one
-- How far the search has come, and for how long this pass of it has gone on. No row: it has never begun.
select
    w.last_id,
    (extract(epoch from coalesce(sqlc.narg('now')::timestamptz, now()) - w.pass_began_at))::float8 as pass_seconds
from removal_walk w
where w.subject = @subject::text;

-- name: RecordRemovalWalk :exec
-- How far the search has come. Locks: the row of the subject.
insert into removal_walk as w (subject, last_id, pass_began_at)
values (@subject::text, @last_id::uuid, coalesce(sqlc.narg('now')::timestamptz, now()))
on conflict (subject) do update
set
    last_id = excluded.last_id,
    pass_began_at = case when @is_new_pass::boolean then excluded.pass_began_at else w.pass_began_at end;

-- name: RemoveExpiredJobs :one
-- Of the next jobs by id, remove those on their own that have expired; null: such are kept for ever. What belongs to them goes with them.
-- Locks: the job rows, by id (SKIP LOCKED).
-- @required
-- @nullable last_id
select
    (f.looked_at)::integer as looked_at,
    (f.removed)::integer as removed,
    (f.last_id)::uuid as last_id
from remove_expired_jobs(
    @after_id::uuid, sqlc.narg('keep_succeeded_seconds')::float8, sqlc.narg('keep_failed_seconds')::float8,
    sqlc.narg('keep_dead_seconds')::float8, coalesce(sqlc.narg('now')::timestamptz, now()), @max_rows::integer
) as f (looked_at, removed, last_id);

-- name: RemoveExpiredRuns :one
-- Remove the oldest runs that have expired, with their jobs, commands and notifications. Locks: the runs, oldest first (SKIP LOCKED),
-- then their jobs.
-- @required
select remove_expired_runs(
    @keep_seconds::float8, coalesce(sqlc.narg('now')::timestamptz, now()), @max_rows::integer
)::integer as removed;

-- name: RemoveExpiredDeliveries :one
-- Of the next deliveries by id, remove those that have expired and to which no run belongs: as long as there is a run, its delivery
-- is what a replay is known by. Locks: the deliveries.
-- @required
-- @nullable last_id
with clock as (
    select coalesce(sqlc.narg('now')::timestamptz, now()) - make_interval(secs => @keep_seconds::float8) as before_time
),
looked as materialized (
    select d.id, d.received_at
    from delivery d
    where d.id > @after_id::uuid
        and d.id < new_id_at((select c.before_time from clock c), 0, repeat('0', 15))
    order by d.id
    limit @max_rows::integer
),
gone as (
    delete from delivery d
    using looked l
    where d.id = l.id
        and l.received_at < (select c.before_time from clock c)
        and not exists (select 1 from run r where r.delivery_id = l.id)
    returning d.id
)
select
    (select count(*) from looked l)::integer as looked_at,
    (select count(*) from gone g)::integer as removed,
    (select l.id from looked l order by l.id desc limit 1)::uuid as last_id;

-- name: RemoveExpiredNotifications :execrows
-- Remove the oldest notifications that were delivered or given up long enough ago. Locks: the notifications, by id.
with clock as (
    select coalesce(sqlc.narg('now')::timestamptz, now()) - make_interval(secs => @keep_seconds::float8) as before_time
),
expired as materialized (
    select n.id
    from notification n
    where n.id < new_id_at((select c.before_time from clock c), 0, repeat('0', 15))
        and n.ended_at < (select c.before_time from clock c)
    order by n.id
    limit @max_rows::integer
)
delete from notification n
using expired e
where n.id = e.id;

-- name: RemoveExpiredEvents :one
-- Remove the oldest events of the audit that have expired.
-- @required
select remove_expired_events(
    @keep_seconds::float8, coalesce(sqlc.narg('now')::timestamptz, now()), @max_rows::integer
)::integer as removed;

-- name: RemoveExpiredKeys :execrows
-- Forget idempotency keys that do not count any more. Locks: the keys (SKIP LOCKED: somebody may be about to use one again).
with expired as materialized (
    select k.job_type, k.key
    from job_key k
    where k.expires_at < coalesce(sqlc.narg('now')::timestamptz, now())
    order by k.expires_at
    limit @max_rows::integer
    for update skip locked
)
delete from job_key k
using expired e
where k.job_type = e.job_type
    and k.key = e.key;

-- name: RemoveEndedExecutors :execrows
-- Forget executors that ended long enough ago, and from which no job is still to be taken. Locks: the executors, by id.
with expired as materialized (
    select e.id
    from executor e
    where e.ended_at < coalesce(sqlc.narg('now')::timestamptz, now()) - make_interval(secs => @keep_seconds::float8)
        and not exists (select 1 from job j where j.executor_id = e.id and j.state = 'running')
    order by e.id
    limit @max_rows::integer
)
delete from executor e
using expired x
where e.id = x.id;

-- name: RemoveExpiredTicks :execrows
-- Forget the oldest ticks of each schedule. Locks: the ticks, by schedule and time.
with expired as materialized (
    select t.schedule_id, t.due_at
    from schedule s
    cross join lateral (
        select k.schedule_id, k.due_at
        from schedule_tick k
        where k.schedule_id = s.id
            and k.due_at
            < coalesce(sqlc.narg('now')::timestamptz, now()) - make_interval(secs => @keep_seconds::float8)
        order by k.due_at
        limit @max_rows::integer
    ) t
    limit @max_rows::integer
)
delete from schedule_tick k
using expired x
where k.schedule_id = x.schedule_id
    and k.due_at = x.due_at;

-- name: RemoveAppliedCommands :execrows
-- Forget the oldest commands that were applied long enough ago. Locks: the commands, by id.
with clock as (
    select coalesce(sqlc.narg('now')::timestamptz, now()) - make_interval(secs => @keep_seconds::float8) as before_time
),
expired as materialized (
    select c.id
    from command c
    where c.id < new_id_at((select k.before_time from clock k), 0, repeat('0', 15))
        and c.applied_at < (select k.before_time from clock k)
    order by c.id
    limit @max_rows::integer
)
delete from command c
using expired e
where c.id = e.id;
