-- name: FindLogsToPack :many
-- Ended attempts whose logs are not packed: some of those that wait longest, and of the newest, so that neither a long log nor many
-- keep those from being found that just ended.
(
    select a.job_id, a.epoch, a.log_bytes
    from attempt a
    where a.log_state = 'open'
        and a.ended_at is not null
    order by a.ended_at
    limit @max_logs::integer
)
union
(
    select a.job_id, a.epoch, a.log_bytes
    from attempt a
    where a.log_state = 'open'
        and a.ended_at is not null
    order by a.ended_at desc
    limit @max_logs::integer
);

-- name: LockLogToPack :one
-- An ended attempt whose log is not packed, and where packing it stands; jobs on their own are kept for a short time. No row: it is
-- packed, or another scheduler is at it. Locks: the attempt row (SKIP LOCKED).
-- @json log_outline shared.logs.outline:LogOutline
-- @nullable pipeline_id log_outline
select
    a.job_id,
    a.epoch,
    a.log_day,
    a.last_seq,
    a.packed_seq,
    a.log_outline,
    (coalesce(a.log_retention, p.log_retention, 'short'))::log_retention as retention,
    r.pipeline_id,
    (
        case
            when a.packed_seq > 0 then coalesce((
                select b.first_byte + b.byte_count
                from log_block b
                where b.retention = a.log_retention
                    and b.day = a.log_day
                    and b.job_id = a.job_id
                    and b.epoch = a.epoch
                order by b.first_seq desc
                limit 1
            ), 0)
            else 0
        end
    )::bigint as packed_bytes
from attempt a
join job j on j.id = a.job_id
left join run r on r.id = j.run_id
left join pipeline p on p.id = r.pipeline_id
where a.job_id = @job_id::uuid
    and a.epoch = @epoch::integer
    and a.log_state = 'open'
    and a.ended_at is not null
for update of a skip locked;

-- name: ReadChunksToPack :many
-- Chunks of an attempt after one of them, in order: at most so many rows, and none more once they hold so many bytes.
-- @row PackedChunk
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
        order by c.seq
        limit @max_rows::integer
    ) n
) s
where s.bytes_before < @max_bytes::bigint
order by s.seq;

-- name: ReadPackedChunks :many
-- The last chunks of an attempt that are packed already, the newest first, bounded in the same way: a line may go on from them.
-- @row PackedChunk
select
    s.seq, s.step, s.stream, s.first_line, s.continues, s.line_offsets_ms, s.recorded_at, s.data
from (
    select
        n.seq, n.step, n.stream, n.first_line, n.continues, n.line_offsets_ms, n.recorded_at, n.data,
        (sum(octet_length(n.data)) over (order by n.seq desc) - octet_length(n.data))::bigint as bytes_before
    from (
        select
            c.seq, c.step, c.stream, c.first_line, c.continues, c.line_offsets_ms, c.recorded_at, c.data
        from log_chunk c
        where c.day = @log_day::date
            and c.job_id = @job_id::uuid
            and c.epoch = @epoch::integer
            and c.seq <= @up_to_seq::bigint
        order by c.seq desc
        limit @max_rows::integer
    ) n
) s
where s.bytes_before < @max_bytes::bigint
order by s.seq desc;

-- name: MakeLogBlockPartition :one
-- Make the partition of the blocks, if it is lacking.
-- @required
select make_log_block_partition(@retention::log_retention, @log_day::date)::boolean as made;

-- name: StoreBlocks :execrows
-- moves attempt.log_state: open → packed
-- Insert blocks of an attempt, and move on how far it is packed; once that is all of it, it is. Locks: the attempt, which its caller
-- has locked before. No row: it is not where its caller believed.
-- @json log_outline shared.logs.outline:LogOutline
with moved as (
    update attempt a
    set
        packed_seq = @packed_seq::bigint,
        log_retention = @retention::log_retention,
        log_outline = @log_outline::jsonb,
        log_state = case when @is_all::boolean then 'packed'::log_state else a.log_state end,
        packed_at = case when @is_all::boolean then now() end
    where a.job_id = @job_id::uuid
        and a.epoch = @epoch::integer
        and a.packed_seq = @previous_seq::bigint
        and a.log_state = 'open'
    returning a.job_id, a.epoch, a.log_day
),
stored as (
    insert into log_block (
        retention, day, job_id, epoch, first_seq, last_seq, first_line, line_count, first_byte, byte_count, last_at,
        top_level, pipeline_id, words, data
    )
    select
        @retention::log_retention, m.log_day, m.job_id, m.epoch, u.first_seq, u.last_seq, u.first_line, u.line_count,
        u.first_byte, u.byte_count, u.last_at, u.top_level, sqlc.narg('pipeline_id')::uuid, u.words::integer[], u.data
    from moved m
    cross join rows from (
        unnest(@first_seqs::bigint[]),
        unnest(@last_seqs::bigint[]),
        unnest(@first_lines::bigint[]),
        unnest(@line_counts::integer[]),
        unnest(@first_bytes::bigint[]),
        unnest(@byte_counts::integer[]),
        unnest(@last_ats::timestamptz[]),
        unnest(@top_levels::smallint[]),
        unnest(@words::text[]),
        unnest(@datas::bytea[])
    ) as u (
        first_seq, last_seq, first_line, line_count, first_byte, byte_count, last_at, top_level, words, data
    )
)
select m.job_id
from moved m;
