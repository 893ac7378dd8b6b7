-- name: ReconcileJobs :many
-- moves job: running → ready | canceled
-- Free, for jobs that the books give to this executor and that it does not hold: the answer to their
-- claim was lost. Must not overlap a claim of the same executor. Locks: job rows of this executor.
with held as (
    select u.job_id, u.epoch
    from rows from (unnest(@held_job_ids::uuid[]), unnest(@held_epochs::integer[])) as u (job_id, epoch)
),
returned as (
    update job j
    set
        state = case when j.cancel_requested_at is null then 'ready' else 'canceled' end::job_state,
        reason = case when j.cancel_requested_at is null then null else 'canceled' end,
        finished_at = case when j.cancel_requested_at is null then null else now() end
    where j.executor_id = @executor_id::uuid
        and j.state = 'running'
        and not exists (select 1 from held h where h.job_id = j.id and h.epoch = j.claim_epoch)
    returning j.id, j.claim_epoch, j.claimed_at
),
ended as (
    insert into attempt as a (job_id, epoch, executor_id, started_at, log_day, ended_at, outcome, error)
    select
        r.id, r.claim_epoch, @executor_id::uuid, r.claimed_at, (r.claimed_at at time zone 'utc')::date, now(), 'handed_back',
        'the answer to the claim was lost'
    from returned r
    on conflict (job_id, epoch) do update
    set
        ended_at = excluded.ended_at,
        outcome = excluded.outcome,
        error = excluded.error
    where a.ended_at is null
    returning a.job_id, a.epoch
)
select
    r.id as job_id,
    r.claim_epoch as epoch,
    ((select ring('job_ready')) or (select ring('job_finished')))::boolean as rung
from returned r
left join ended e on e.job_id = r.id;
