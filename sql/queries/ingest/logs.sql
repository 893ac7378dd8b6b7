-- name: ReadLogChunks :many
-- Chunks of a job's log after a cursor (epoch, seq), in order, from the attempts that exist.
-- @row LogChunk
select
    c.epoch, c.seq, c.step, c.stream, c.first_line, c.continues, c.line_offsets_ms, c.recorded_at, c.data
from log_chunk c
where c.job_id = @job_id::uuid
    and (c.epoch > @after_epoch::integer or (c.epoch = @after_epoch::integer and c.seq > @after_seq::bigint))
order by c.epoch, c.seq
limit @max_rows::integer;

-- name: ReadLogTail :many
-- The newest chunks of one attempt, newest first.
-- @row LogChunk
select
    c.epoch, c.seq, c.step, c.stream, c.first_line, c.continues, c.line_offsets_ms, c.recorded_at, c.data
from log_chunk c
where c.job_id = @job_id::uuid
    and c.epoch = @epoch::integer
    and c.seq < @before_seq::bigint
order by c.seq desc
limit @max_rows::integer;

-- name: ReadLogState :many
-- Where a job and each of its attempts stand: a reader leaves an epoch when it has ended and its last_seq was delivered.
-- @nullable epoch last_seq ended_at
select j.finished_at, a.epoch, a.last_seq, a.ended_at
from job j
left join attempt a on a.job_id = j.id
where j.id = @job_id::uuid
order by a.epoch;

-- name: StreamLogChunks :many
-- Chunks of all jobs after a cursor (transaction, row). Rows that are not `steady` may still be overtaken by others with a lower
-- cursor: do not pass them on, look again soon.
select
    c.tx_id, c.row_id, c.job_id, j.run_id, s.key as job_key, c.epoch, c.seq, c.step, c.stream, c.first_line, c.continues,
    c.line_offsets_ms, c.recorded_at, c.data,
    (c.tx_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::boolean as steady
from log_chunk c
join job j on j.id = c.job_id
join job_spec s on s.job_id = c.job_id
where (c.tx_id, c.row_id) > (@after_tx_id::bigint, @after_row_id::bigint)
order by c.tx_id, c.row_id
limit @max_rows::integer;

-- name: ReadStreamHead :one
-- The cursor of now, for streams that begin here: every later row has a transaction id at or above it.
-- @required
select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::bigint as tx_id;
