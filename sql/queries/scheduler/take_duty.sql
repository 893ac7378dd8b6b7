-- name: TakeDuty :one
-- Take the lock of a duty that must not overlap, until the transaction ends. False: another replica is at it.
-- @required
select pg_try_advisory_xact_lock(1752135524, @duty::integer)::boolean as taken;
