-- name: RemoveLogs :one
-- Remove chunks and blocks of attempts that were deleted; an attempt of which none are left is forgotten. Locks: the rows of log_removal
-- (SKIP LOCKED), then log_gone.
-- @required
with due as materialized (
    select r.job_id, r.epoch, r.day, r.retention
    from log_removal r
    order by r.job_id, r.epoch
    limit @max_attempts::integer
    for update skip locked
),
doomed_chunk as materialized (
    select d.job_id, d.epoch, d.day, n.seq
    from due d
    cross join lateral (
        select c.seq
        from log_chunk c
        where c.day = d.day
            and c.job_id = d.job_id
            and c.epoch = d.epoch
        order by c.seq
        limit @max_chunks::integer
    ) n
    limit @max_chunks::integer
),
gone_chunk as (
    delete from log_chunk c
    using doomed_chunk d
    where c.day = d.day
        and c.job_id = d.job_id
        and c.epoch = d.epoch
        and c.seq = d.seq
    returning c.tx_id, c.row_id
),
raised as (
    update log_gone g
    set tx_id = n.tx_id, row_id = n.row_id
    from (
        select o.tx_id, o.row_id
        from gone_chunk o
        order by o.tx_id desc, o.row_id desc
        limit 1
    ) n
    where (g.tx_id, g.row_id) < (n.tx_id, n.row_id)
),
doomed_block as materialized (
    select d.job_id, d.epoch, d.day, d.retention, n.first_seq
    from due d
    cross join lateral (
        select b.first_seq
        from log_block b
        where b.retention = d.retention
            and b.day = d.day
            and b.job_id = d.job_id
            and b.epoch = d.epoch
        order by b.first_seq
        limit @max_blocks::integer
    ) n
    limit @max_blocks::integer
),
gone_block as (
    delete from log_block b
    using doomed_block d
    where b.retention = d.retention
        and b.day = d.day
        and b.job_id = d.job_id
        and b.epoch = d.epoch
        and b.first_seq = d.first_seq
    returning b.first_seq
),
forgotten as (
    delete from log_removal r
    using due d
    where r.job_id = d.job_id
        and r.epoch = d.epoch
        and not exists (
            select 1
            from log_chunk c
            where c.day = d.day
                and c.job_id = d.job_id
                and c.epoch = d.epoch
                and c.seq > coalesce(
                    (select max(o.seq) from doomed_chunk o where o.job_id = d.job_id and o.epoch = d.epoch), 0
                )
        )
        and not exists (
            select 1
            from log_block b
            where b.retention = d.retention
                and b.day = d.day
                and b.job_id = d.job_id
                and b.epoch = d.epoch
                and b.first_seq > coalesce(
                    (select max(o.first_seq) from doomed_block o where o.job_id = d.job_id and o.epoch = d.epoch), 0
                )
        )
    returning r.job_id
)
select
    (select count(*) from due d)::integer as due,
    ((select count(*) from gone_chunk g) + (select count(*) from gone_block g))::integer as removed,
    (select count(*) from forgotten f)::integer as forgotten;
