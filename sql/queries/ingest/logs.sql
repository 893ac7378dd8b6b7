-- name: ReadLogStates :many
-- Where the logs of jobs stand: a row for each attempt, one without an attempt for a job that has none yet. A reader leaves an
-- attempt when it has ended and its last_seq was delivered.
select
    j.id as job_id, j.state, (j.finished_at is not null)::boolean as final, a.epoch, a.log_day, a.last_seq, a.ended_at
from job j
left join attempt a on a.job_id = j.id
where j.id = any(@job_ids::uuid[])
order by j.id, a.epoch;

-- name: ReadLogChunks :many
-- Chunks of an attempt after one of them, in order: at most so many rows, and none more once they hold so many bytes.
-- @row LogChunk
select
    s.epoch, s.seq, s.step, s.stream, s.first_line, s.continues, s.line_offsets_ms, s.recorded_at, s.data
from (
    select
        n.epoch, n.seq, n.step, n.stream, n.first_line, n.continues, n.line_offsets_ms, n.recorded_at, n.data,
        (sum(octet_length(n.data)) over (order by n.seq) - octet_length(n.data))::bigint as bytes_before
    from (
        select
            c.epoch, c.seq, c.step, c.stream, c.first_line, c.continues, c.line_offsets_ms, c.recorded_at, c.data
        from log_chunk c
        where c.day = @log_day::date
            and c.job_id = @job_id::uuid
            and c.epoch = @epoch::integer
            and c.seq > @after_seq::bigint
        order by c.seq
        limit @max_rows::integer
    ) n
) s
where s.bytes_before < @max_bytes::bigint
order by s.seq;

-- name: ReadLogTail :many
-- Chunks of an attempt before one of them, the newest first, bounded in the same way.
-- @row LogChunk
select
    s.epoch, s.seq, s.step, s.stream, s.first_line, s.continues, s.line_offsets_ms, s.recorded_at, s.data
from (
    select
        n.epoch, n.seq, n.step, n.stream, n.first_line, n.continues, n.line_offsets_ms, n.recorded_at, n.data,
        (sum(octet_length(n.data)) over (order by n.seq desc) - octet_length(n.data))::bigint as bytes_before
    from (
        select
            c.epoch, c.seq, c.step, c.stream, c.first_line, c.continues, c.line_offsets_ms, c.recorded_at, c.data
        from log_chunk c
        where c.day = @log_day::date
            and c.job_id = @job_id::uuid
            and c.epoch = @epoch::integer
            and c.seq < @before_seq::bigint
        order by c.seq desc
        limit @max_rows::integer
    ) n
) s
where s.bytes_before < @max_bytes::bigint
order by s.seq desc;

-- name: StreamLogChunks :many
-- Chunks of all jobs after a cursor (transaction, row) and below a horizon, bounded in rows and bytes.
select
    s.tx_id, s.row_id, s.job_id, j.run_id, p.key as job_key, s.epoch, s.seq, s.step, s.stream, s.first_line, s.continues,
    s.line_offsets_ms, s.recorded_at, s.data
from (
    select
        n.tx_id, n.row_id, n.job_id, n.epoch, n.seq, n.step, n.stream, n.first_line, n.continues, n.line_offsets_ms,
        n.recorded_at, n.data,
        (sum(octet_length(n.data)) over (order by n.tx_id, n.row_id) - octet_length(n.data))::bigint as bytes_before
    from (
        select
            c.tx_id, c.row_id, c.job_id, c.epoch, c.seq, c.step, c.stream, c.first_line, c.continues,
            c.line_offsets_ms, c.recorded_at, c.data
        from log_chunk c
        where (c.tx_id, c.row_id) > (@after_tx_id::bigint, @after_row_id::bigint)
            and c.tx_id < @below_tx_id::bigint
        order by c.tx_id, c.row_id
        limit @max_rows::integer
    ) n
) s
join job j on j.id = s.job_id
join job_spec p on p.job_id = s.job_id
where s.bytes_before < @max_bytes::bigint
order by s.tx_id, s.row_id;

-- name: ReadHorizon :one
-- The transaction id below which no row can appear any more, the newest rows below it, and whether rows wait at or above it: row
-- ids, and transaction ids too, commit out of order. Newest rows are 0, 0 where there are none.
-- @required
with horizon as (
    select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as tx_id
),
newest_chunk as (
    select c.tx_id, c.row_id
    from log_chunk c
    where c.tx_id < (select h.tx_id from horizon h)
    order by c.tx_id desc, c.row_id desc
    limit 1
),
newest_event as (
    select e.tx_id, e.id
    from audit_event e
    where e.tx_id < (select h.tx_id from horizon h)
    order by e.tx_id desc, e.id desc
    limit 1
)
select
    (select h.tx_id from horizon h)::bigint as below_tx_id,
    (coalesce((select n.tx_id from newest_chunk n), 0))::bigint as chunk_tx_id,
    (coalesce((select n.row_id from newest_chunk n), 0))::bigint as chunk_row_id,
    (coalesce((select n.tx_id from newest_event n), 0))::bigint as event_tx_id,
    (coalesce((select n.id from newest_event n), 0))::bigint as event_row_id,
    (
        exists (select 1 from log_chunk c where c.tx_id >= (select h.tx_id from horizon h))
        or exists (select 1 from audit_event e where e.tx_id >= (select h.tx_id from horizon h))
    )::boolean as unsteady;
