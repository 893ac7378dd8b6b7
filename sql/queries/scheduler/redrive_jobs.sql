-- name: RedriveJobs :one
-- moves job: failed | dead | canceled → ready | blocked
-- Of these jobs on their own, those in one of the states and, if one is given, of the reason: they begin anew, at the end of their
-- queue; those with a concurrency key wait for their turn. `refused` counts those that had been redriven `max_redrives` times.
-- Locks: the job rows, by id.
-- What they are once they are locked decides, and the primary key alone finds them: with numbers that are out of date, another index
-- may look better, and be read once for every job.
-- @required
with named as materialized (
    select j.id, j.run_id, j.state, j.reason, j.redrives
    from job j
    where j.id = any(@job_ids::uuid[])
    order by j.id
    for update of j
),
wanted as (
    select n.id, n.redrives
    from named n
    where n.run_id is null
        and n.state in ('failed', 'dead', 'canceled')
        and n.state = any(@states::job_state[])
        and (sqlc.narg('reason')::text is null or n.reason = sqlc.narg('reason')::text)
),
redriven as (
    update job j
    set
        state = case when j.limit_key_id is null then 'ready' else 'blocked' end::job_state,
        reason = case when j.limit_key_id is null then null else 'limit' end,
        run_at = now(),
        claim_order = claim_order_of(now(), j.priority),
        attempts_used = 0,
        losses = 0,
        redrives = j.redrives + 1,
        cancel_requested_at = null,
        finished_at = null
    from wanted w
    where j.id = w.id
        and w.redrives < @max_redrives::integer
    returning
        j.id, j.state,
        case when j.state = 'ready' then (select ring('job_ready')) else (select ring('job_waiting')) end as rung
),
told as (
    insert into audit_event (name, actor, job_id, detail)
    select 'job.redriven', 'scheduler', r.id, jsonb_build_object('state', r.state, 'command_id', @command_id::uuid)
    from redriven r
    returning (select ring('event_recorded'))
)
select
    (select count(*) from redriven r)::integer as moved,
    (select count(*) from wanted w where w.redrives >= @max_redrives::integer)::integer as refused;
