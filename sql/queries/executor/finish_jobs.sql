-- name: FinishJobs :many
-- moves job: running → succeeded | failed | canceled | scheduled | dead | ready
-- By next_job_state, where the claim epoch still holds; ends the attempts, or records them now if they had no row. A job that is
-- missing from the answer was not ours any more, or is final already.
-- Sentinels, since arrays carry no NULL here: exit code -1, error '', reason '' (that of the outcome), result JSON null;
-- retry_in_seconds < 0: not retryable; failing line -1 and text '': none.
-- @json results typing:Any
-- The state is compared as text, so that the jobs are found by id: the index of running jobs looks small to the planner, but holds
-- everything that ever ran here for as long as an old snapshot is held open somewhere.
-- Locks: the job rows, then the attempt rows.
with ending as (
    select
        u.job_id, u.epoch, u.outcome, u.reason, u.exit_code, u.error, u.result, u.retry_in_seconds, u.failing_line,
        u.failing_text
    from rows from (
        unnest(@job_ids::uuid[]),
        unnest(@epochs::integer[]),
        unnest(@outcomes::attempt_outcome[]),
        unnest(@reasons::text[]),
        unnest(@exit_codes::integer[]),
        unnest(@errors::text[]),
        unnest(@results::jsonb[]),
        unnest(@retry_in_seconds::float8[]),
        unnest(@failing_lines::bigint[]),
        unnest(@failing_texts::text[])
    ) as u (job_id, epoch, outcome, reason, exit_code, error, result, retry_in_seconds, failing_line, failing_text)
),
decided as (
    select
        j.id,
        e.epoch,
        e.outcome,
        e.reason,
        e.retry_in_seconds,
        counted.attempts_used,
        next_job_state(
            e.outcome,
            e.retry_in_seconds >= 0,
            j.cancel_requested_at is not null,
            counted.attempts_used,
            j.max_attempts,
            j.losses,
            j.max_losses,
            j.run_id is not null
        ) as next_state
    from ending e
    join job j on j.id = e.job_id and j.claim_epoch = e.epoch and (j.state)::text = 'running'
    cross join lateral (
        select (
            j.attempts_used + case when e.outcome in ('handed_back', 'canceled', 'snoozed') then 0 else 1 end
        )::integer as attempts_used
    ) counted
    order by j.id
    for update of j
),
moved as (
    update job j
    set
        state = d.next_state,
        reason = case
            when d.next_state in ('succeeded', 'ready') then null
            when d.next_state = 'canceled' then 'canceled'
            when d.outcome = 'snoozed' then 'snooze'
            when d.next_state = 'scheduled' then 'retry'
            else coalesce(nullif(d.reason, ''), d.outcome::text)
        end,
        attempts_used = d.attempts_used,
        run_at = case
            when d.next_state = 'scheduled' then now() + make_interval(secs => d.retry_in_seconds)
            else j.run_at
        end,
        claim_order = case
            when d.next_state = 'scheduled'
                then claim_order_of(now() + make_interval(secs => d.retry_in_seconds), j.priority)
            else j.claim_order
        end,
        finished_at = case when d.next_state in ('scheduled', 'ready') then null else now() end
    from decided d
    where j.id = d.id
        and j.claim_epoch = d.epoch
        and (j.state)::text = 'running'
    returning j.id, j.claim_epoch, j.claimed_at, j.run_id, j.limit_key_id, j.state
),
ended as (
    insert into attempt as a (
        job_id, epoch, executor_id, started_at, log_day, ended_at, outcome, exit_code, error, result, failing_line,
        failing_text
    )
    select
        m.id, m.claim_epoch, @executor_id::uuid, m.claimed_at, (m.claimed_at at time zone 'utc')::date, now(), e.outcome,
        nullif(e.exit_code, -1), nullif(e.error, ''), nullif(e.result, 'null'::jsonb), nullif(e.failing_line, -1),
        nullif(e.failing_text, '')
    from ending e
    join moved m on m.id = e.job_id
    order by m.id
    on conflict (job_id, epoch) do update
    set
        ended_at = excluded.ended_at,
        outcome = excluded.outcome,
        exit_code = excluded.exit_code,
        error = excluded.error,
        result = excluded.result,
        failing_line = excluded.failing_line,
        failing_text = excluded.failing_text
    returning a.job_id
),
told as (
    insert into audit_event (name, actor, run_id, job_id, detail)
    select
        'job.finished', 'executor:' || (@executor_id::uuid)::text, m.run_id, m.id,
        jsonb_build_object('state', m.state, 'epoch', m.claim_epoch)
    from moved m
    where m.run_id is not null
        or m.state in ('failed', 'dead', 'canceled')
    returning (select ring('event_recorded'))
)
select
    m.id as job_id,
    m.state,
    coalesce(
        case
            when m.state = 'ready' then (select ring('job_ready'))
            when m.run_id is not null or m.limit_key_id is not null or m.state = 'scheduled'
                then (select ring('job_finished'))
        end,
        false
    )::boolean as rung
from moved m;

-- name: ReadJobEnds :many
-- What the books say of jobs whose finish was refused: final under our epoch means that the answer was lost.
-- An attempt without a row of its own succeeded, if the job did.
-- @nullable outcome
select
    j.id as job_id,
    j.state,
    coalesce(a.outcome, case when j.state = 'succeeded' then 'succeeded'::attempt_outcome end)::attempt_outcome as outcome
from rows from (unnest(@job_ids::uuid[]), unnest(@epochs::integer[])) as u (job_id, epoch)
join job j on j.id = u.job_id and j.claim_epoch = u.epoch
left join attempt a on a.job_id = u.job_id and a.epoch = u.epoch;
