-- name: MakeLogPartitions :one
-- Make the log partitions of the coming days where they are lacking.
-- @required
select make_log_partitions(@days_ahead::integer)::integer as made;
