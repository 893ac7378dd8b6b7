-- name: FoldJobCounts :one
-- Move changes of counts into the totals, `max_changes` at most, beginning at a place in the table. One statement: whoever adds totals
-- and changes up in one statement, and so in one snapshot, has all of them exactly once. Returns how many, and the place of the last.
-- Locks: the changes, which nobody else touches, then the totals, by lane and state.
-- @required
-- @nullable last_row_at
with taken as (
    delete from job_count_change c
    where c.ctid = any(array(
        select f.ctid
        from job_count_change f
        where f.ctid >= (@from_row_at::text)::tid
        limit @max_changes::integer
    ))
    returning (c.ctid)::tid as row_at, c.lane_id, c.state, c.jobs
),
folded as (
    insert into job_count as n (lane_id, state, jobs)
    select t.lane_id, t.state, sum(t.jobs)
    from taken t
    group by t.lane_id, t.state
    order by t.lane_id, t.state
    on conflict (lane_id, state) do update
    set jobs = n.jobs + excluded.jobs
)
select
    count(*)::integer as folded,
    (max(t.row_at))::text as last_row_at
from taken t;
