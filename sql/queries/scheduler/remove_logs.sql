-- name: FindLogsToRemove :many
-- Some logs of attempts that were deleted.
select r.job_id, r.epoch, r.day, r.retention
from log_removal r
order by r.job_id, r.epoch
limit @max_logs::integer;

-- name: RemoveLog :one
-- Remove the next chunks of such a log behind one of them, and blocks of it; once none are left, it is forgotten. No row: it is, or
-- another scheduler is at it. Locks: the row of log_removal (SKIP LOCKED), then log_gone.
with due as materialized (
    select r.job_id, r.epoch
    from log_removal r
    where r.job_id = @job_id::uuid
        and r.epoch = @epoch::integer
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
block_bound as materialized (
    select max(n.first_seq) as first_seq, count(*) as blocks
    from (
        select b.first_seq
        from log_block b
        where b.retention = sqlc.narg('retention')::log_retention
            and b.day = @log_day::date
            and b.job_id = @job_id::uuid
            and b.epoch = @epoch::integer
        order by b.first_seq
        limit @max_blocks::integer
    ) n
),
gone_block as (
    delete from log_block b
    where b.retention = sqlc.narg('retention')::log_retention
        and b.day = @log_day::date
        and b.job_id = @job_id::uuid
        and b.epoch = @epoch::integer
        and b.first_seq <= (select k.first_seq from block_bound k)
        and exists (select 1 from due d)
),
forgotten as (
    delete from log_removal r
    where r.job_id = @job_id::uuid
        and r.epoch = @epoch::integer
        and exists (select 1 from due d)
        and (select b.chunks from bound b) < @max_chunks::integer
        and (select k.blocks from block_bound k) < @max_blocks::integer
    returning r.job_id
)
select
    (coalesce(b.seq, @after_seq::bigint))::bigint as last_seq,
    (exists (select 1 from forgotten f))::boolean as is_forgotten
from due d
cross join bound b;
