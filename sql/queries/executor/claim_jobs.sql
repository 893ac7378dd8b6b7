-- name: ClaimJobs :many
-- moves job: ready → running
-- Of each kind that is asked for, at most `slots` jobs of one lane: the lane whose head has waited longest. So nothing is locked that
-- is not claimed; whoever has slots left looks again. Opens an attempt for each job.
-- Locks: the claimed job rows (SKIP LOCKED). They are found again by ctid, which an old snapshot does not slow down.
-- @nullable pipeline_id pipeline_name run_number event ref branch commit_sha before_sha author title
-- @nullable repository_url default_branch file_path pipeline_env sealed_git_credential key_id run_id
-- @json spec shared.job_spec:JobSpec
-- @json pipeline_env shared.job_spec:Environment
with want as (
    select u.kind, u.slots
    from rows from (unnest(@kinds::job_kind[]), unnest(@slots::integer[])) as u (kind, slots)
),
best as (
    select distinct on (w.kind) w.kind, w.slots, l.id as lane_id
    from want w
    join lane l on l.kind = w.kind
    cross join lateral (
        select c.claim_order
        from job c
        where c.lane_id = l.id
            and c.state = 'ready'
        order by c.claim_order
        limit 1
    ) head
    where l.queue = any(@queues::text[])
        and l.labels <@ @labels::text[]
        and not exists (select 1 from queue q where q.name = l.queue and q.paused_at is not null)
    order by w.kind, head.claim_order
),
claimed as (
    update job j
    set
        state = 'running',
        reason = null,
        executor_id = @executor_id::uuid,
        claim_epoch = j.claim_epoch + 1,
        claimed_at = now()
    where j.ctid = any(array(
        select chosen.row_at
        from best b
        cross join lateral (
            select c.ctid as row_at
            from job c
            where c.lane_id = b.lane_id
                and c.state = 'ready'
            order by c.claim_order
            limit b.slots
            for update skip locked
        ) chosen
    ))
        and exists (
            select 1 from executor e where e.id = @executor_id::uuid and e.state = 'active'
        )
    returning j.id, j.run_id, j.kind, j.claim_epoch, j.claimed_at
),
opened as (
    insert into attempt (job_id, epoch, executor_id, started_at, log_day)
    select c.id, c.claim_epoch, @executor_id::uuid, c.claimed_at, (c.claimed_at at time zone 'utc')::date
    from claimed c
    returning job_id, log_day
),
told as (
    insert into audit_event (name, actor, run_id, job_id, detail)
    select
        'job.claimed', 'executor:' || (@executor_id::uuid)::text, c.run_id, c.id,
        jsonb_build_object('state', 'running', 'epoch', c.claim_epoch)
    from claimed c
    where c.run_id is not null
    returning (select ring('event_recorded'))
)
select
    c.id as job_id,
    c.claim_epoch as epoch,
    c.kind,
    o.log_day,
    s.key,
    s.timeout_seconds,
    s.spec,
    c.run_id,
    r.number as run_number,
    r.event,
    r.ref,
    r.branch,
    r.commit_sha,
    r.before_sha,
    r.author,
    r.title,
    p.id as pipeline_id,
    p.name as pipeline_name,
    p.repository_url,
    p.default_branch,
    p.file_path,
    p.env as pipeline_env,
    p.sealed_git_credential,
    p.key_id
from claimed c
join opened o on o.job_id = c.id
join job_spec s on s.job_id = c.id
left join run r on r.id = c.run_id
left join pipeline p on p.id = r.pipeline_id;
