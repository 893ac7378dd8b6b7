-- name: ListRunJobs :many
-- The jobs of a run in their order, the plan job first.
-- @row Job
-- @nullable started_at
select
    j.id as job_id, j.run_id, s.key, j.kind, j.state, j.reason, s.needs, s.timeout_seconds, j.claim_epoch, j.attempts_used,
    j.max_attempts, j.losses, j.cancel_requested_at, j.created_at, j.run_at, j.claimed_at as started_at, j.finished_at,
    a.exit_code, a.error, a.failing_line, a.failing_text
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
    a.exit_code, a.error, a.failing_line, a.failing_text
from job j
join job_spec s on s.job_id = j.id
left join attempt a on a.job_id = j.id and a.epoch = j.claim_epoch
where j.id = @job_id::uuid;

-- name: GetJobDetails :one
-- What lists do not show of a job; the result is that of its newest attempt. Who canceled it is known if it was meant by itself.
-- @json metadata typing:Any
-- @json retry typing:Any
-- @nullable payload metadata retry concurrency_key idempotency_key result progress_fraction progress_message progress_at
-- @nullable canceled_by cancel_why
select
    l.job_type, l.queue, l.labels, j.priority, j.redrives, (s.payload)::text as payload, s.metadata, s.retry, s.traceparent,
    s.enqueued_by, k.name as concurrency_key, i.key as idempotency_key,
    (case when j.kind = 'handler' then a.result end)::text as result,
    p.fraction as progress_fraction, p.message as progress_message, p.updated_at as progress_at,
    c.given_by as canceled_by, c.why as cancel_why
from job j
join lane l on l.id = j.lane_id
join job_spec s on s.job_id = j.id
left join limit_key k on k.id = j.limit_key_id
left join job_key i on i.job_id = j.id
left join attempt a on a.job_id = j.id and a.epoch = j.claim_epoch
left join job_progress p on p.job_id = j.id and p.epoch = j.claim_epoch
left join lateral (
    select g.given_by, g.why
    from command g
    where g.job_id = j.id
        and g.kind in ('cancel_job', 'cancel_jobs')
        and j.cancel_requested_at is not null
    order by g.given_at desc
    limit 1
) c on true
where j.id = @job_id::uuid;

-- name: ListAttempts :many
-- Every try at a job, the first one first. The newest of a handler's job has no row of its own while it runs, nor when it succeeded
-- and had nothing to say: then it is the job's row.
-- @nullable executor_name ended_at outcome exit_code error failing_line failing_text
select
    t.epoch::integer as epoch, t.executor_id::uuid as executor_id, e.name as executor_name,
    t.started_at::timestamptz as started_at, t.ended_at::timestamptz as ended_at, t.outcome::attempt_outcome as outcome,
    t.exit_code::integer as exit_code, t.error::text as error, t.last_seq::bigint as last_seq,
    t.failing_line::bigint as failing_line, t.failing_text::text as failing_text
from (
    select a.epoch, a.executor_id, a.started_at, a.ended_at, a.outcome, a.exit_code, a.error, a.last_seq, a.failing_line,
        a.failing_text
    from attempt a
    where a.job_id = @job_id::uuid
    union all
    select
        j.claim_epoch, j.executor_id, j.claimed_at, j.finished_at,
        case when j.state = 'succeeded' then 'succeeded'::attempt_outcome end, null, null, 0, null, null
    from job j
    where j.id = @job_id::uuid
        and j.kind = 'handler'
        and j.claim_epoch > 0
        and not exists (select 1 from attempt o where o.job_id = j.id and o.epoch = j.claim_epoch)
) t
left join executor e on e.id = t.executor_id
order by t.epoch;

-- name: ListSteps :many
-- The steps of every try at a job.
select s.epoch, s.position, s.name, s.started_at, s.ended_at, s.exit_code
from step s
where s.job_id = @job_id::uuid
order by s.epoch, s.position;

-- name: ExplainReady :many
-- Why ready jobs are not running yet: whether somebody paused their queue, how many live executors can run them, and how much stands
-- before each (10,001: more than that).
-- @nullable paused_at paused_by paused_why
select
    j.id as job_id,
    l.kind,
    l.job_type,
    l.queue,
    l.labels,
    q.paused_at,
    q.paused_by,
    q.why as paused_why,
    (
        select count(*)
        from executor e
        where e.ended_at is null
            and e.state = 'active'
            and l.queue = any(e.queues)
            and l.labels <@ e.labels
            and (l.kind <> 'handler' or l.job_type = any(e.job_types))
    )::integer as executors,
    (
        select count(*)
        from (
            select 1 as one
            from job o
            where o.lane_id = j.lane_id
                and o.state = 'ready'
                and o.claim_order < j.claim_order
            limit 10001
        ) b
    )::integer as jobs_before
from job j
join lane l on l.id = j.lane_id
left join queue q on q.name = l.queue and q.paused_at is not null
where j.id = any(@job_ids::uuid[])
    and j.state = 'ready';

-- name: ExplainLimits :many
-- What jobs wait for that a concurrency key holds back: how many of the key hold its places, and how much stands before each
-- (10,001: more than that).
select
    j.id as job_id,
    k.name as concurrency_key,
    k.max_running,
    k.rate_count,
    k.rate_seconds,
    (
        select count(*)
        from (
            select 1 as one
            from job o
            where o.limit_key_id = k.id
                and o.finished_at is null
                and o.state in ('ready', 'running')
            limit 10001
        ) h
    )::integer as holding,
    (
        select count(*)
        from (
            select 1 as one
            from job o
            where o.limit_key_id = k.id
                and o.finished_at is null
                and o.state = 'blocked'
                and o.claim_order < j.claim_order
            limit 10001
        ) b
    )::integer as jobs_before
from job j
join limit_key k on k.id = j.limit_key_id
where j.id = any(@job_ids::uuid[])
    and j.state = 'blocked';

-- name: ReadJobStates :many
-- Where jobs stand, for those who watch them. Progress is that of the newest attempt.
-- @nullable fraction message updated_at
select
    j.id as job_id, j.state, j.reason, j.claim_epoch, j.attempts_used, j.max_attempts, j.run_at,
    (j.finished_at is not null)::boolean as final, p.fraction, p.message, p.updated_at
from job j
left join job_progress p on p.job_id = j.id and p.epoch = j.claim_epoch
where j.id = any(@job_ids::uuid[]);
