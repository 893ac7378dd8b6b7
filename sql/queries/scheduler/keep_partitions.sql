-- name: MakeLogPartitions :one
-- Make the log partitions of the coming days where they are lacking.
-- @required
select make_log_partitions(@days_ahead::integer, coalesce(sqlc.narg('now')::timestamptz, now()))::integer as made;

-- name: DropLogPartition :one
-- Drop the oldest log partition that nobody needs any more; null if there is none. Locks: the partition and what it belongs to, if they
-- are free within a moment.
-- @required
-- @nullable dropped
select
    (f.dropped)::text as dropped,
    (f.is_busy)::boolean as is_busy
from drop_log_partition(
    @keep_short_days::float8, @keep_standard_days::float8, @keep_long_days::float8,
    coalesce(sqlc.narg('now')::timestamptz, now())
) as f (dropped, is_busy);
