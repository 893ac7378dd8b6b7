-- name: WatchExecutors :many
-- The beats of all executors that have not ended.
select e.id as executor_id, e.beat_seq
from executor e
where e.ended_at is null;

-- name: DeclareLost :many
-- moves executor: active | draining → lost
-- If the beat has not moved since it was seen. Locks: executor rows.
with declared as (
    update executor e
    set
        state = 'lost',
        ended_at = now()
    from rows from (unnest(@executor_ids::uuid[]), unnest(@beat_seqs::bigint[])) as u (executor_id, beat_seq)
    where e.id = u.executor_id
        and e.beat_seq = u.beat_seq
        and e.ended_at is null
    returning e.id, e.name
),
told as (
    insert into audit_event (name, actor, detail)
    select 'executor.lost', 'scheduler', jsonb_build_object('executor_id', d.id, 'name', d.name)
    from declared d
    returning (select ring('event_recorded'))
)
select d.id as executor_id, d.name
from declared d;

-- name: RescueJobs :many
-- moves job: running → ready | failed | dead | canceled
-- Jobs whose executor has ended, also when it claimed them in the very moment of
-- being declared lost. Each executor that ended within `ended_within_seconds` is a look into the index of running jobs.
-- Locks: the job rows (SKIP LOCKED), then their attempts.
with orphaned as (
    select j.id, j.claim_epoch, (j.losses + 1)::smallint as losses,
        next_job_state(
            'lost', true, j.cancel_requested_at is not null, j.attempts_used, j.max_attempts, j.losses + 1,
            j.max_losses, j.run_id is not null
        ) as next_state
    from executor e
    join job j on j.executor_id = e.id and j.state = 'running'
    where e.ended_at > now() - make_interval(secs => @ended_within_seconds::float8)
    order by j.id
    limit @max_jobs::integer
    for update of j skip locked
),
moved as (
    update job j
    set
        state = o.next_state,
        reason = case when o.next_state = 'canceled' then 'canceled' else 'lost' end,
        losses = o.losses,
        finished_at = case when o.next_state = 'ready' then null else now() end
    from orphaned o
    where j.id = o.id
        and j.claim_epoch = o.claim_epoch
        and j.state = 'running'
    returning j.id, j.claim_epoch, j.claimed_at, j.executor_id, j.run_id, j.limit_key_id, j.state
),
ended as (
    insert into attempt as a (job_id, epoch, executor_id, started_at, log_day, ended_at, outcome, error)
    select
        m.id, m.claim_epoch, m.executor_id, m.claimed_at, (m.claimed_at at time zone 'utc')::date, now(), 'lost',
        'its executor stopped beating'
    from moved m
    on conflict (job_id, epoch) do update
    set
        ended_at = excluded.ended_at,
        outcome = excluded.outcome,
        error = excluded.error
    where a.ended_at is null
),
told as (
    insert into audit_event (name, actor, run_id, job_id, detail)
    select
        'job.rescued', 'scheduler', m.run_id, m.id,
        jsonb_build_object('state', m.state, 'epoch', m.claim_epoch)
    from moved m
    returning (select ring('event_recorded'))
)
select
    m.id as job_id,
    m.state,
    (case when m.state = 'ready' then (select ring('job_ready')) else (select ring('job_finished')) end)::boolean as rung
from moved m;
