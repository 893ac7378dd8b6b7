-- name: RemoveChunks :one
-- moves attempt.log_state: packed → compact
-- Remove the first chunks of the attempts that were packed longest ago, and say in log_gone up to where some are gone; an attempt of
-- which none are left is compact. Locks: the attempt rows (SKIP LOCKED), then log_gone.
-- @required
with due as materialized (
    select a.job_id, a.epoch, a.log_day
    from attempt a
    where a.log_state = 'packed'
        and a.packed_at
        <= coalesce(sqlc.narg('now')::timestamptz, now()) - make_interval(secs => @keep_seconds::float8)
    order by a.packed_at
    limit @max_attempts::integer
    for update skip locked
),
doomed as materialized (
    select d.job_id, d.epoch, d.log_day, n.seq
    from due d
    cross join lateral (
        select c.seq
        from log_chunk c
        where c.day = d.log_day
            and c.job_id = d.job_id
            and c.epoch = d.epoch
        order by c.seq
        limit @max_chunks::integer
    ) n
    limit @max_chunks::integer
),
gone as (
    delete from log_chunk c
    using doomed d
    where c.day = d.log_day
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
        from gone o
        order by o.tx_id desc, o.row_id desc
        limit 1
    ) n
    where (g.tx_id, g.row_id) < (n.tx_id, n.row_id)
),
compacted as (
    update attempt a
    set log_state = 'compact'
    from due d
    where a.job_id = d.job_id
        and a.epoch = d.epoch
        and not exists (
            select 1
            from log_chunk c
            where c.day = d.log_day
                and c.job_id = d.job_id
                and c.epoch = d.epoch
                and c.seq > coalesce(
                    (select max(o.seq) from doomed o where o.job_id = d.job_id and o.epoch = d.epoch), 0
                )
        )
    returning a.job_id
)
select
    (select count(*) from due d)::integer as due,
    (select count(*) from gone g)::integer as removed,
    (select count(*) from compacted c)::integer as compacted;
