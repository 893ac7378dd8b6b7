-- name: ReadLogStates :many
-- Where the logs of jobs stand: a row for each attempt, one without an attempt for a job that has none yet. A reader leaves an
-- attempt when it has ended and its last_seq was delivered.
select
    j.id as job_id, j.state, (j.finished_at is not null)::boolean as final, a.epoch, a.log_day, a.last_seq, a.ended_at,
    a.log_bytes, a.log_lines, a.packed_seq, a.log_retention
from job j
left join attempt a on a.job_id = j.id
where j.id = any(@job_ids::uuid[])
order by j.id, a.epoch;

-- name: ReadRunLogStates :many
-- The same of all jobs of runs, in an order that stays as it is when the plan has been applied: the plan job, then by id.
-- @notnull run_id
select
    j.run_id, r.state as run_state, (r.finished_at is not null)::boolean as run_final, j.id as job_id, p.key as job_key,
    j.state, (j.finished_at is not null)::boolean as final, a.epoch, a.log_day, a.last_seq, a.ended_at, a.log_bytes,
    a.log_lines, a.packed_seq, a.log_retention
from run r
join job j on j.run_id = r.id
join job_spec p on p.job_id = j.id
left join attempt a on a.job_id = j.id
where r.id = any(@run_ids::uuid[])
order by r.id, (j.kind <> 'plan'), j.id, a.epoch;

-- name: ReadLogChunks :many
-- Chunks of an attempt after one of them, up to another, in order: at most so many rows, and none more once they hold so many bytes.
-- @row LogChunk
select
    s.seq, s.step, s.stream, s.first_line, s.continues, s.line_offsets_ms, s.recorded_at, s.data
from (
    select
        n.seq, n.step, n.stream, n.first_line, n.continues, n.line_offsets_ms, n.recorded_at, n.data,
        (sum(octet_length(n.data)) over (order by n.seq) - octet_length(n.data))::bigint as bytes_before
    from (
        select
            c.seq, c.step, c.stream, c.first_line, c.continues, c.line_offsets_ms, c.recorded_at, c.data
        from log_chunk c
        where c.day = @log_day::date
            and c.job_id = @job_id::uuid
            and c.epoch = @epoch::integer
            and c.seq > @after_seq::bigint
            and c.seq <= @up_to_seq::bigint
        order by c.seq
        limit @max_rows::integer
    ) n
) s
where s.bytes_before < @max_bytes::bigint
order by s.seq;

-- name: ReadNewChunks :many
-- The next chunks of many attempts after one of each, in order: so many rows of each, and none more once all hold so many bytes.
select
    (s.job_id)::uuid as job_id, (s.epoch)::integer as epoch, s.seq, s.step, s.stream, s.first_line, s.continues,
    s.line_offsets_ms, s.recorded_at, s.data
from (
    select
        u.job_id, u.epoch, n.seq, n.step, n.stream, n.first_line, n.continues, n.line_offsets_ms, n.recorded_at, n.data,
        (sum(octet_length(n.data)) over (order by u.job_id, u.epoch, n.seq) - octet_length(n.data))::bigint as bytes_before
    from rows from (
        unnest(@job_ids::uuid[]),
        unnest(@epochs::integer[]),
        unnest(@days::date[]),
        unnest(@after_seqs::bigint[]),
        unnest(@up_to_seqs::bigint[])
    ) as u (job_id, epoch, day, after_seq, up_to_seq)
    cross join lateral (
        select
            c.seq, c.step, c.stream, c.first_line, c.continues, c.line_offsets_ms, c.recorded_at, c.data
        from log_chunk c
        where c.day = u.day
            and c.job_id = u.job_id
            and c.epoch = u.epoch
            and c.seq > u.after_seq
            and c.seq <= u.up_to_seq
        order by c.seq
        limit @max_rows::integer
    ) n
) s
where s.bytes_before < @max_bytes::bigint
order by s.job_id, s.epoch, s.seq;

-- name: ReadLogBlock :one
-- The block of an attempt that holds one of its chunks.
select b.first_seq, b.last_seq, b.data
from log_block b
where b.retention = @retention::log_retention
    and b.day = @log_day::date
    and b.job_id = @job_id::uuid
    and b.epoch = @epoch::integer
    and b.first_seq <= @seq::bigint
order by b.first_seq desc
limit 1;

-- name: ListLogBlocks :many
-- What the blocks of an attempt hold, without their data.
select
    b.first_seq, b.last_seq, b.first_line, b.line_count, b.first_byte, b.byte_count, b.top_level
from log_block b
where b.retention = @retention::log_retention
    and b.day = @log_day::date
    and b.job_id = @job_id::uuid
    and b.epoch = @epoch::integer
order by b.first_seq;

-- name: IsLogKept :one
-- Whether anything of what an attempt has written is still there.
-- @required
select (
    exists (
        select 1
        from log_chunk c
        where c.day = @log_day::date
            and c.job_id = @job_id::uuid
            and c.epoch = @epoch::integer
    )
    or exists (
        select 1
        from log_block b
        where b.day = @log_day::date
            and b.job_id = @job_id::uuid
            and b.epoch = @epoch::integer
    )
)::boolean as kept;

-- name: SeekLogLine :one
-- The last chunk behind one of them, up to another, before which no line after the wanted one begins; that one if there is none.
-- Numbers of chunks have no gaps and those of lines only rise, so that it is found by halving: some twenty rows are looked at. Where
-- a row is lacking, the search ends early: low is below high then.
-- @required
with recursive seek as (
    select @after_seq::bigint as low, @last_seq::bigint as high
    union all
    select
        case when m.first_line <= @line::bigint then m.seq else s.low end,
        case when m.first_line <= @line::bigint then s.high else m.seq - 1 end
    from seek s
    cross join lateral (
        select c.seq, c.first_line
        from log_chunk c
        where c.day = @log_day::date
            and c.job_id = @job_id::uuid
            and c.epoch = @epoch::integer
            and c.seq = (s.low + s.high + 1) / 2
    ) m
    where s.low < s.high
)
select (max(s.low))::bigint as low, (min(s.high))::bigint as high
from seek s;

-- name: SeekLogByte :one
-- The chunk after one of them that holds a byte, counted from there on, and how many chunks and bytes stand before it. No row: there
-- are not so many. Only the lengths are read.
select s.seq, (s.chunks_before)::bigint as chunks_before, (s.bytes_before)::bigint as bytes_before
from (
    select
        c.seq, octet_length(c.data) as size,
        (row_number() over (order by c.seq) - 1)::bigint as chunks_before,
        (sum(octet_length(c.data)) over (order by c.seq) - octet_length(c.data))::bigint as bytes_before
    from log_chunk c
    where c.day = @log_day::date
        and c.job_id = @job_id::uuid
        and c.epoch = @epoch::integer
        and c.seq > @after_seq::bigint
        and c.seq <= @up_to_seq::bigint
) s
where s.bytes_before <= @byte::bigint
    and s.bytes_before + s.size > @byte::bigint
limit 1;

-- name: ReadLogOutline :one
-- What is known of an attempt's log as a whole, and whether that is all: a long log is packed in several stretches.
-- @json log_outline shared.logs.outline:LogOutline
select
    a.log_outline, a.failing_line, a.failing_text,
    (a.log_state in ('packed', 'compact'))::boolean as is_packed
from attempt a
where a.job_id = @job_id::uuid
    and a.epoch = @epoch::integer;

-- name: ListLogSteps :many
-- The steps of an attempt, and where their lines begin.
select s.position, s.name, s.first_line, s.started_at, s.ended_at, s.exit_code
from step s
where s.job_id = @job_id::uuid
    and s.epoch = @epoch::integer
order by s.position;

-- name: ReadLogGone :one
-- Chunks up to this cursor may have been removed from the stream over all jobs.
-- @required
select g.tx_id, g.row_id
from log_gone g;

-- name: StreamLogChunks :many
-- Chunks of all jobs after a cursor (transaction, row), up to another below which none can appear any more, bounded in rows and bytes.
-- Those whose job was deleted since have no key.
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
            and (c.tx_id, c.row_id) <= (@up_to_tx_id::bigint, @up_to_row_id::bigint)
        order by c.tx_id, c.row_id
        limit @max_rows::integer
    ) n
) s
left join job j on j.id = s.job_id
left join job_spec p on p.job_id = s.job_id
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
