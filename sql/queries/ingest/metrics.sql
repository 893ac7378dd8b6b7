-- name: ReadDatabasePressure :many
-- What slows the database down: see database_pressure.
select p.measure::text as measure, p.subject::text as subject, p.amount::double precision as amount
from database_pressure() as p (measure, subject, amount);

-- name: CountExecutors :many
-- The live executors by state.
select e.state, count(*)::integer as executors
from executor e
where e.ended_at is null
group by e.state;

-- name: CountPendingNotifications :one
-- How many messages wait to be delivered (10,001: more than that), and since when the first of them is due.
-- @nullable due_since
-- @required
select count(*)::integer as pending, min(p.due_at)::timestamptz as due_since
from (
    select n.due_at
    from notification n
    where n.state = 'pending'
    limit 10001
) p;

-- name: CountUnpackedLogs :one
-- How many logs of ended attempts wait to be packed (10,001: more than that), and since when the first of them does.
-- @nullable ended_since
-- @required
select count(*)::integer as unpacked, min(u.ended_at)::timestamptz as ended_since
from (
    select a.ended_at
    from attempt a
    where a.log_state = 'open'
        and a.ended_at is not null
    order by a.ended_at
    limit 10001
) u;
