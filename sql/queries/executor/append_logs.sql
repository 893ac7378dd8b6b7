-- name: AppendLogs :many
-- Move each attempt's last_seq on and store its chunks, all attempts of an executor in one statement. An attempt that is missing
-- from the answer was not where its sender believed: stored before, or ended. Locks: the attempt rows.
-- The chunks' bytes come in one piece, one after the other: an array of bytea would travel as text of twice the size.
-- Only an attempt's first append changes an indexed column (log_state): the others are HOT.
with arrived as (
    select
        u.job_id, u.epoch, u.day, u.seq, u.step, u.stream, u.first_line, u.continues,
        u.line_offsets_ms::integer[] as line_offsets_ms, u.recorded_at, u.size,
        sum(u.size) over (order by u.position) - u.size as start
    from rows from (
        unnest(@job_ids::uuid[]),
        unnest(@epochs::integer[]),
        unnest(@days::date[]),
        unnest(@seqs::bigint[]),
        unnest(@steps::smallint[]),
        unnest(@streams::smallint[]),
        unnest(@first_lines::bigint[]),
        unnest(@continues::boolean[]),
        unnest(@line_offsets_ms::text[]),
        unnest(@recorded_ats::timestamptz[]),
        unnest(@sizes::integer[])
    ) with ordinality as u (
        job_id, epoch, day, seq, step, stream, first_line, continues, line_offsets_ms, recorded_at, size, position
    )
),
batch as (
    select
        a.job_id,
        a.epoch,
        (min(a.seq) - 1)::bigint as previous_seq,
        max(a.seq)::bigint as newest_seq,
        sum(a.size)::bigint as size,
        max(a.first_line + cardinality(a.line_offsets_ms))::bigint as lines
    from arrived a
    group by a.job_id, a.epoch
),
moved as (
    update attempt t
    set
        last_seq = b.newest_seq,
        log_state = 'open',
        log_bytes = t.log_bytes + b.size,
        log_lines = b.lines
    from batch b
    where t.job_id = b.job_id
        and t.epoch = b.epoch
        and t.last_seq = b.previous_seq
        and t.ended_at is null
    returning t.job_id, t.epoch
),
stored as (
    insert into log_chunk (
        day, job_id, epoch, seq, step, stream, first_line, continues, line_offsets_ms, recorded_at, data
    )
    select
        a.day, a.job_id, a.epoch, a.seq, a.step, a.stream, a.first_line, a.continues, a.line_offsets_ms,
        a.recorded_at, substring(@data::bytea from (a.start + 1)::integer for a.size)
    from arrived a
    join moved m on m.job_id = a.job_id and m.epoch = a.epoch
    order by a.job_id, a.epoch, a.seq
)
select
    m.job_id,
    m.epoch,
    coalesce(case when @ring_now::boolean then (select ring('log_appended')) end, false)::boolean as rung
from moved m;

-- name: RingLogAppended :exec
-- The trailing ring, when appends came faster than rings may.
select ring('log_appended');

-- name: ReadLogEnds :many
-- Where the logs of attempts stand: to tell an append whose answer was lost from one that was refused.
select a.job_id, a.epoch, a.last_seq, a.ended_at
from rows from (unnest(@job_ids::uuid[]), unnest(@epochs::integer[])) as u (job_id, epoch)
join attempt a on a.job_id = u.job_id and a.epoch = u.epoch;
