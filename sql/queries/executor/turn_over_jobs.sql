-- name: TurnOverJobs :many
-- moves job: running → succeeded
-- moves job: ready → running
-- Of jobs of handlers: finish those that succeeded and claim the next, in one statement. `done` says how many ends were recorded: if
-- fewer than were sent, the others were not where they had been (a cancel, a lost answer), and FinishJobs settles them.
-- The claim takes at most `slots` jobs of one lane: the one whose head has waited longest. Up to a lane's mark everything has been
-- claimed, as far as the caller knows: the scan begins there, past what an old snapshot keeps from being cleaned up. What became
-- ready before the mark is found by a call without marks.
-- No attempt is opened. The newest attempt of a handler's job is the job's row; it gets a row of its own when it has something to say.
-- Lists come as the text of arrays, which costs a quarter of dumping them; results only of those jobs that have one, as a JSON array.
-- `is_held`: more of that lane was ready, and there were slots for it, but somebody held it. `others_ready`: another lane had
-- something, too.
-- What is claimed goes back as JSON, a text for all small jobs and one for each that is large: a row for each job, of as many
-- columns, costs both sides more. See the function claimed_text.
-- Locks: the finished job rows, found by ctid; then the claimed ones (SKIP LOCKED), by ctid too. In that order, which the condition on
-- `ended` sees to: a claim may come upon a row that another executor has just claimed, and hold it until the end of the statement. Whoever
-- recorded ends after that could wait for an executor that waits for it. After its claims a statement waits for nobody.
-- The state of what is done is compared in a way that no index answers: the index of running jobs looks small to the planner, which
-- would read all of it for each statement.
-- What is rare (jobs of runs, limits, results) is looked for only where an aggregate has seen it: each look goes through all rows.
-- @nullable lane_id job_type queue last_order jobs rung others_ready
-- @arraytext done_rows_at done_job_ids done_epochs result_job_ids mark_lane_ids marks queues job_types labels
with ending as (
    select u.row_at, u.job_id, u.epoch
    from rows from (
        unnest(@done_rows_at::tid[]),
        unnest(@done_job_ids::uuid[]),
        unnest(@done_epochs::integer[])
    ) as u (row_at, job_id, epoch)
),
done as (
    update job j
    set
        state = 'succeeded',
        reason = null,
        attempts_used = j.attempts_used + 1,
        finished_at = now()
    from ending e
    where j.ctid = e.row_at
        and j.id = e.job_id
        and j.claim_epoch = e.epoch
        and not (j.state is distinct from 'running')
    returning j.id, j.claim_epoch, j.claimed_at, j.run_id, j.limit_key_id
),
ended as materialized (
    select
        count(*)::integer as jobs,
        coalesce(bool_or(d.run_id is not null), false) as in_runs,
        coalesce(bool_or(d.limit_key_id is not null), false) as are_limited
    from done d
),
given as (
    select u.job_id, u.result
    from rows from (
        unnest(@result_job_ids::uuid[]),
        jsonb_array_elements((@results::text)::jsonb)
    ) as u (job_id, result)
),
recorded as (
    insert into attempt (job_id, epoch, executor_id, started_at, ended_at, outcome, result, log_day)
    select
        d.id, d.claim_epoch, @executor_id::uuid, d.claimed_at, now(), 'succeeded', g.result,
        (d.claimed_at at time zone 'utc')::date
    from done d
    left join given g on g.job_id = d.id
    where ((select e.in_runs from ended e) or @result_job_ids::uuid[] <> '{}')
        and (g.job_id is not null or d.run_id is not null)
    on conflict (job_id, epoch) do nothing
),
best as (
    select
        l.id as lane_id,
        l.job_type,
        l.queue,
        coalesce(m.claim_order, -9223372036854775808) as mark,
        count(*) over () > 1 as others_ready
    from lane l
    left join (
        select u.lane_id, u.claim_order
        from rows from (unnest(@mark_lane_ids::integer[]), unnest(@marks::bigint[])) as u (lane_id, claim_order)
    ) m on m.lane_id = l.id
    cross join lateral (
        select c.claim_order
        from job c
        where c.lane_id = l.id
            and c.state = 'ready'
            and c.claim_order >= coalesce(m.claim_order, -9223372036854775808)
        order by c.claim_order
        limit 1
    ) head
    where l.kind = 'handler'
        and l.queue = any(@queues::text[])
        and l.job_type = any(@job_types::text[])
        and l.labels <@ @labels::text[]
        and not exists (select 1 from queue q where q.name = l.queue and q.paused_at is not null)
        and @slots::integer > 0
        and (select e.jobs from ended e) >= 0
    order by head.claim_order
    limit 1
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
        select c.ctid as row_at
        from job c
        where c.lane_id = (select b.lane_id from best b)
            and c.state = 'ready'
            and c.claim_order >= (select b.mark from best b)
        order by c.claim_order
        limit @slots::integer
        for update skip locked
    ))
        and exists (
            select 1 from executor e where e.id = @executor_id::uuid and e.state = 'active'
        )
    returning (j.ctid)::text as row_at, j.id, j.run_id, j.claim_epoch, j.attempts_used, j.max_attempts, j.claim_order
),
taken as materialized (
    select
        count(*)::integer as jobs,
        max(c.claim_order) as last_order,
        coalesce(bool_or(c.run_id is not null), false) as in_runs
    from claimed c
),
leaving as materialized (
    select
        case
            when t.jobs < @slots::integer then (
                select count(*)
                from (
                    select 1
                    from job c
                    where c.lane_id = b.lane_id
                        and c.state = 'ready'
                        and c.claim_order >= b.mark
                    order by c.claim_order
                    limit t.jobs + 1
                ) seen
            ) > t.jobs
            else false
        end as is_held
    from taken t
    left join best b on true
),
told as (
    insert into audit_event (name, actor, run_id, job_id, detail)
    select
        'job.claimed', 'executor:' || (@executor_id::uuid)::text, c.run_id, c.id,
        jsonb_build_object('state', 'running', 'epoch', c.claim_epoch)
    from claimed c
    where (select t.in_runs from taken t)
        and c.run_id is not null
    union all
    select
        'job.finished', 'executor:' || (@executor_id::uuid)::text, d.run_id, d.id,
        jsonb_build_object('state', 'succeeded', 'epoch', d.claim_epoch)
    from done d
    where (select e.in_runs from ended e)
        and d.run_id is not null
    returning (select ring('event_recorded'))
)
select
    e.jobs::integer as done,
    b.lane_id,
    b.job_type,
    b.queue,
    (t.last_order)::bigint as last_order,
    (l.is_held)::boolean as is_held,
    b.others_ready,
    (g.jobs)::text as jobs,
    (case when e.in_runs or e.are_limited then (select ring('job_finished')) end)::boolean as rung
from ended e
left join best b on true
cross join taken t
cross join leaving l
left join (
    select
        '[' || string_agg(
            claimed_text(
                c.row_at, c.id, c.claim_epoch, c.attempts_used, c.max_attempts,
                s.timeout_seconds, s.payload, s.metadata, s.retry, s.traceparent
            ),
            ','
        ) || ']' as jobs
    from claimed c
    join job_spec s on s.job_id = c.id
    group by case when pg_column_size(s.payload) > 8000 or pg_column_size(s.metadata) > 8000 then c.id end
) g on true;

-- name: ClaimOfLane :many
-- moves job: ready → running
-- Of jobs of handlers that are on their own: claim those of one lane, up to `slots`. For an executor that knows the lane, and that
-- nothing else is ready: it takes half the time of a statement that can do everything. What is claimed comes as in TurnOverJobs.
-- `seen`: so many it would have taken, had nobody held any of them.
-- Locks: the claimed job rows (SKIP LOCKED), by ctid.
with claimed as (
    update job j
    set
        state = 'running',
        reason = null,
        executor_id = @executor_id::uuid,
        claim_epoch = j.claim_epoch + 1,
        claimed_at = now()
    where j.ctid = any(array(
        select c.ctid as row_at
        from job c
        where c.lane_id = @lane_id::integer
            and c.state = 'ready'
            and c.run_id is null
        order by c.claim_order
        limit @slots::integer
        for update skip locked
    ))
        and exists (
            select 1 from executor e where e.id = @executor_id::uuid and e.state = 'active'
        )
        and not exists (
            select 1 from queue q where q.name = @queue::text and q.paused_at is not null
        )
    returning (j.ctid)::text as row_at, j.id, j.claim_epoch, j.attempts_used, j.max_attempts, j.claim_order
)
select
    (
        select count(*)
        from (
            select 1
            from job c
            where c.lane_id = @lane_id::integer
                and c.state = 'ready'
                and c.run_id is null
            order by c.claim_order
            limit @slots::integer
        ) ready
    )::integer as seen,
    ('[' || string_agg(
        claimed_text(
            c.row_at, c.id, c.claim_epoch, c.attempts_used, c.max_attempts,
            s.timeout_seconds, s.payload, s.metadata, s.retry, s.traceparent
        ),
        ','
    ) || ']')::text as jobs
from claimed c
join job_spec s on s.job_id = c.id
group by case when pg_column_size(s.payload) > 8000 or pg_column_size(s.metadata) > 8000 then c.id end;
