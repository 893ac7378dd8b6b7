-- name: ListRunJobs :many
-- The jobs of a run in their order, the plan job first.
-- @row Job
-- @nullable started_at
select
    j.id as job_id, j.run_id, s.key, j.kind, j.state, j.reason, s.needs, s.timeout_seconds, j.claim_epoch, j.attempts_used,
    j.max_attempts, j.losses, j.cancel_requested_at, j.created_at, j.run_at, j.claimed_at as started_at, j.finished_at,
    a.exit_code, a.error
from job j
join job_spec s on s.job_id = j.id
left join attempt a on a.job_id = j.id and a.epoch = j.claim_epoch
where j.run_id = @run_id::uuid
order by (j.kind <> 'plan'), s.position, j.id;

-- name: GetJob :one
-- @row Job
-- @nullable started_at
select
    j.id as job_id, j.run_id, s.key, j.kind, j.state, j.reason, s.needs, s.timeout_seconds, j.claim_epoch, j.attempts_used,
    j.max_attempts, j.losses, j.cancel_requested_at, j.created_at, j.run_at, j.claimed_at as started_at, j.finished_at,
    a.exit_code, a.error
from job j
join job_spec s on s.job_id = j.id
left join attempt a on a.job_id = j.id and a.epoch = j.claim_epoch
where j.id = @job_id::uuid;

-- name: ListAttempts :many
-- Every try at a job, the first one first.
select
    a.epoch, a.executor_id, e.name as executor_name, a.started_at, a.ended_at, a.outcome, a.exit_code, a.error, a.last_seq
from attempt a
left join executor e on e.id = a.executor_id
where a.job_id = @job_id::uuid
order by a.epoch;

-- name: ListSteps :many
-- The steps of every try at a job.
select s.epoch, s.position, s.name, s.started_at, s.ended_at, s.exit_code
from step s
where s.job_id = @job_id::uuid
order by s.epoch, s.position;

-- name: ExplainReady :many
-- Why ready jobs are not running yet: how many live executors serve their queue and labels, and how much stands before each.
select
    j.id as job_id,
    l.queue,
    l.labels,
    (
        select count(*)
        from executor e
        where e.ended_at is null
            and e.state = 'active'
            and l.queue = any(e.queues)
            and l.labels <@ e.labels
    )::integer as executors,
    (
        select count(*)
        from job o
        where o.lane_id = j.lane_id
            and o.state = 'ready'
            and o.claim_order < j.claim_order
    )::integer as jobs_before
from job j
join lane l on l.id = j.lane_id
where j.id = any(@job_ids::uuid[])
    and j.state = 'ready';
