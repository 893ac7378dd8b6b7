-- name: CountJobs :many
-- How many jobs are in each state, by queue and type: what has been folded, and what has changed since, in one statement, so that
-- nothing is counted twice or left out. Never looks at the jobs themselves.
select l.queue, l.kind, l.job_type, c.state::job_state as state, sum(c.jobs)::bigint as jobs
from (
    select f.lane_id, f.state, f.jobs from job_count f
    union all
    select d.lane_id, d.state, d.jobs from job_count_change d
) c
join lane l on l.id = c.lane_id
group by l.queue, l.kind, l.job_type, c.state
having sum(c.jobs) <> 0
order by l.queue, l.kind, l.job_type, c.state;

-- name: ListOldestReady :many
-- Since when the job waits that each queue will give out first, of each kind and type. One index look for a lane.
select l.queue, l.kind, l.job_type, min(h.run_at)::timestamptz as ready_since
from lane l
cross join lateral (
    select j.run_at
    from job j
    where j.lane_id = l.id
        and j.state = 'ready'
    order by j.claim_order
    limit 1
) h
group by l.queue, l.kind, l.job_type
order by l.queue, l.kind, l.job_type;
