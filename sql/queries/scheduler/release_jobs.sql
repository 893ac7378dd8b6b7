-- name: FindUnsettledRuns :many
-- Runs with finished jobs from which no consequence has been drawn yet.
-- @notnull run_id
select distinct j.run_id
from job j
where j.kind <> 'plan'
    and not j.settled
    and j.finished_at is not null
    and j.run_id is not null
limit @max_runs::integer;

-- name: ListRunJobs :many
-- All jobs of a locked run but its plan job, as they stand now.
select
    j.id as job_id, s.key, j.state, j.settled, s.needs, a.exit_code, a.error, a.failing_line, a.failing_text
from job j
join job_spec s on s.job_id = j.id
left join attempt a on a.job_id = j.id and a.epoch = j.claim_epoch
where j.run_id = @run_id::uuid
    and j.kind <> 'plan'
order by s.position;

-- name: ReleaseJobs :execrows
-- moves job: blocked → ready
-- The run is locked.
with released as (
    update job j
    set
        state = 'ready',
        reason = null,
        run_at = now(),
        claim_order = claim_order_of(now(), j.priority)
    where j.id = any(@job_ids::uuid[])
        and j.state = 'blocked'
    returning j.id
)
select r.id, (select ring('job_ready')) as rung
from released r;

-- name: SkipJobs :execrows
-- moves job: blocked → skipped
-- For the reasons given. The run is locked.
update job j
set
    state = 'skipped',
    reason = u.reason,
    finished_at = now(),
    settled = true
from rows from (unnest(@job_ids::uuid[]), unnest(@reasons::text[])) as u (job_id, reason)
where j.id = u.job_id
    and j.state = 'blocked';

-- name: SettleJobs :execrows
-- The consequences of these jobs' ends have been drawn. The run is locked.
update job j
set settled = true
where j.id = any(@job_ids::uuid[])
    and j.finished_at is not null;
