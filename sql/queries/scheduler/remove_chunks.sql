-- name: FindLogsToCompact :many
-- The logs that were packed longest ago, if that is long enough.
select a.job_id, a.epoch, a.log_day
from attempt a
where a.log_state = 'packed'
    and a.packed_at <= coalesce(sqlc.narg('now')::timestamptz, now()) - make_interval(secs => @keep_seconds::float8)
order by a.packed_at
limit @max_logs::integer;

-- name: RemoveChunks :one
-- moves attempt.log_state: packed → compact
-- Remove the next chunks of a log behind one of them, and say in log_gone up to where some are gone; once none are left, the log is
-- compact. No row: it is, or another scheduler is at it. Every table is asked for one attempt, so that its index is used whatever the
-- statistics say. Locks: the attempt row (SKIP LOCKED), then log_gone.
with due as materialized (
    select a.job_id, a.epoch
    from attempt a
    where a.job_id = @job_id::uuid
        and a.epoch = @epoch::integer
        and a.log_state = 'packed'
    for update skip locked
),
bound as materialized (
    select max(n.seq) as seq, count(*) as chunks
    from (
        select c.seq
        from log_chunk c
        where c.day = @log_day::date
            and c.job_id = @job_id::uuid
            and c.epoch = @epoch::integer
            and c.seq > @after_seq::bigint
        order by c.seq
        limit @max_chunks::integer
    ) n
),
gone as (
    delete from log_chunk c
    where c.day = @log_day::date
        and c.job_id = @job_id::uuid
        and c.epoch = @epoch::integer
        and c.seq > @after_seq::bigint
        and c.seq <= (select b.seq from bound b)
        and exists (select 1 from due d)
    returning c.tx_id, c.row_id
),
raised as (
    update log_gone g
    set tx_id = n.tx_id, row_id = n.row_id
    from (
        select o.tx_id, o.row_id
        from gone o
        order by o.tx_id desc, o.row_id desc
        limit 1
    ) n
    where (g.tx_id, g.row_id) < (n.tx_id, n.row_id)
),
compacted as (
    update attempt a
    set log_state = 'compact'
    where a.job_id = @job_id::uuid
        and a.epoch = @epoch::integer
        and exists (select 1 from due d)
        and (select b.chunks from bound b) < @max_chunks::integer
    returning a.job_id
)
select
    (coalesce(b.seq, @after_seq::bigint))::bigint as last_seq,
    (exists (select 1 from compacted c))::boolean as is_compact
from due d
cross join bound b;
