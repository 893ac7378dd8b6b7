-- name: FindPlannedRuns :many
-- Runs whose plan job has finished and whose plan has not been applied.
-- @notnull run_id
select j.run_id
from job j
where j.kind = 'plan'
    and not j.settled
    and j.finished_at is not null
    and j.run_id is not null
limit @max_runs::integer;

-- name: ReadPlanJob :one
-- How the plan job of a locked run ended, if its plan is still to be applied.
-- @json result shared.plan_result:PlanResult
select j.id as job_id, j.state, a.error, a.result
from job j
left join attempt a on a.job_id = j.id and a.epoch = j.claim_epoch
where j.id = @plan_job_id::uuid
    and not j.settled
    and j.finished_at is not null
for update of j;

-- name: InsertPlannedJobs :exec
-- Insert the jobs of a plan, in the states that the planner gave them. `needs` are array literals of ids. A job with a type is one
-- of a handler; its payload is the text of JSON.
-- Lock order: the run is locked. Rings once if any is ready.
-- @json specs shared.job_spec:JobSpec
-- @json metadata shared.run_metadata:RunMetadata
with planned as (
    select
        u.id, u.key, u.position, u.needs, u.timeout_seconds, u.spec, u.state, u.reason, u.job_type, u.payload
    from rows from (
        unnest(@job_ids::uuid[]),
        unnest(@keys::text[]),
        unnest(@positions::integer[]),
        unnest(@needs::text[]),
        unnest(@timeouts_seconds::integer[]),
        unnest(@specs::jsonb[]),
        unnest(@states::job_state[]),
        unnest(@reasons::text[]),
        unnest(@job_types::text[]),
        unnest(@payloads::text[])
    ) as u (id, key, position, needs, timeout_seconds, spec, state, reason, job_type, payload)
),
inserted as (
    insert into job (
        id, run_id, kind, lane_id, state, reason, run_at, claim_order, max_attempts, settled, finished_at
    )
    select
        p.id, @run_id::uuid,
        (case when p.job_type = '' then 'shell' else 'handler' end)::job_kind,
        case
            when p.job_type = '' then lane_of('shell', 'default', '', '{}')
            else lane_of('handler', 'default', p.job_type, '{}')
        end,
        p.state, nullif(p.reason, ''), now(),
        claim_order_of(now(), 0::smallint) + p.position, @max_attempts::smallint, p.state = 'skipped',
        case when p.state = 'skipped' then now() end
    from planned p
    returning id, lane_id, state
),
counted as (
    insert into job_count_change (lane_id, state, jobs)
    select i.lane_id, i.state, count(*)
    from inserted i
    group by i.lane_id, i.state
),
specified as (
    insert into job_spec (job_id, key, position, needs, timeout_seconds, spec, payload, metadata)
    select
        p.id, p.key, p.position, p.needs::uuid[], p.timeout_seconds, p.spec,
        case when p.job_type <> '' then p.payload::jsonb end,
        case when p.job_type <> '' then @metadata::jsonb end
    from planned p
)
select (select ring('job_ready')) as rung
from inserted i
where i.state = 'ready';

-- name: StartRun :exec
-- moves run: requested → running
-- Its plan has been applied.
update run r
set
    state = 'running',
    started_at = now(),
    commit_sha = @commit_sha::text,
    title = @title::text,
    author = @author::text
where r.id = @run_id::uuid
    and r.state = 'requested';
