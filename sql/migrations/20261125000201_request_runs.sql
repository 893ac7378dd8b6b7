-- migrate:up

-- What is needed to record a run and its plan job.
create type run_request as (
    run_id uuid,
    plan_job_id uuid,
    pipeline_id uuid,
    event text,
    ref text,
    branch text,
    commit_sha text,
    before_sha text,
    title text,
    author text,
    requested_by text,
    delivery_id uuid,
    rerun_of uuid
);

-- A push as ingest hands it over, in a JSON document; `digest` and `body` are in base64.
create type push as (
    delivery_id uuid,
    run_id uuid,
    plan_job_id uuid,
    pipeline_id uuid,
    source text,
    event text,
    forge_delivery_id text,
    digest text,
    remote_address text,
    body text,
    ref text,
    branch text,
    commit_sha text,
    before_sha text,
    title text,
    author text
);

-- Record runs and their plan jobs in one step, so that neither is ever seen without the other. Numbers the runs within
-- their pipelines, in the order of the array, and wakes an executor. Returns the numbers.
-- One statement for all of them, since most of what a run costs is paid by statement: a table's indexes and checks are
-- opened once, a pipeline's counter is raised once, one bell is rung. Locks: the run counters, by pipeline id.
create function request_runs(requests run_request[], plan_timeout_seconds integer)
returns table (run_id uuid, number integer)
language plpgsql volatile
set search_path = pg_catalog, public
-- The plan is the same for one run and for many, and making it costs as much as several runs.
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    plan_lane integer := lane_of('plan', 'plan', '', '{}');
    plan_order bigint := claim_order_of(now(), 0::smallint);
begin
    return query
    with asked as (
        select
            r.run_id, r.plan_job_id, r.pipeline_id, r.event, r.ref, r.branch, r.commit_sha, r.before_sha, r.title,
            r.author, r.requested_by, r.delivery_id, r.rerun_of,
            row_number() over (partition by r.pipeline_id order by r.ordinality) as place,
            count(*) over (partition by r.pipeline_id) as runs
        from unnest(requests) with ordinality as r
    ),
    counted as (
        insert into run_counter as c (pipeline_id, last_number)
        select a.pipeline_id, a.runs
        from asked a
        where a.place = 1
        order by a.pipeline_id
        on conflict (pipeline_id) do update set last_number = c.last_number + excluded.last_number
        returning c.pipeline_id, c.last_number
    ),
    numbered as (
        select
            a.run_id, a.plan_job_id, a.pipeline_id, a.event, a.ref, a.branch, a.commit_sha, a.before_sha, a.title,
            a.author, a.requested_by, a.delivery_id, a.rerun_of,
            (c.last_number - a.runs + a.place)::integer as number
        from asked a
        join counted c on c.pipeline_id = a.pipeline_id
    ),
    new_run as (
        insert into run (
            id, pipeline_id, number, event, ref, branch, commit_sha, before_sha, title, author, requested_by,
            delivery_id, plan_job_id, rerun_of
        )
        select
            n.run_id, n.pipeline_id, n.number, n.event, n.ref, n.branch, n.commit_sha, n.before_sha, n.title, n.author,
            n.requested_by, n.delivery_id, n.plan_job_id, n.rerun_of
        from numbered n
    ),
    new_job as (
        insert into job (id, run_id, kind, lane_id, state, run_at, claim_order, max_attempts, settled)
        select n.plan_job_id, n.run_id, 'plan', plan_lane, 'ready', now(), plan_order, 3, false
        from numbered n
    ),
    new_count as (
        insert into job_count_change (lane_id, state, jobs)
        select plan_lane, 'ready', count(*)
        from numbered n
        having count(*) > 0
    ),
    new_job_spec as (
        insert into job_spec (job_id, key, timeout_seconds, spec)
        select n.plan_job_id, 'plan', plan_timeout_seconds, '{"type": "plan"}'
        from numbered n
    ),
    new_event as (
        insert into audit_event (name, actor, pipeline_id, run_id, detail)
        select
            'run.requested', n.requested_by, n.pipeline_id, n.run_id,
            jsonb_build_object('number', n.number, 'state', 'requested', 'event', n.event)
        from numbered n
    )
    select n.run_id, n.number
    from numbered n;

    if found then
        perform ring('job_ready'), ring('event_recorded');
    end if;
end
$$;

grant execute on function request_runs(run_request[], integer) to howdah_ingest, howdah_scheduler;

-- The same for one run. Returns its number.
create or replace function request_run(
    new_run_id uuid,
    new_plan_job_id uuid,
    of_pipeline uuid,
    by_event text,
    of_ref text,
    of_branch text,
    of_commit text,
    before_commit text,
    with_title text,
    with_author text,
    by_whom text,
    from_delivery uuid,
    again_for uuid,
    plan_timeout_seconds integer
) returns integer
language sql volatile
set search_path = pg_catalog, public
as $$
    select r.number
    from request_runs(
        array[
            row(
                new_run_id, new_plan_job_id, of_pipeline, by_event, of_ref, of_branch, of_commit, before_commit,
                with_title, with_author, by_whom, from_delivery, again_for
            )::run_request
        ],
        plan_timeout_seconds
    ) as r (run_id, number)
$$;

-- migrate:down

create or replace function request_run(
    new_run_id uuid,
    new_plan_job_id uuid,
    of_pipeline uuid,
    by_event text,
    of_ref text,
    of_branch text,
    of_commit text,
    before_commit text,
    with_title text,
    with_author text,
    by_whom text,
    from_delivery uuid,
    again_for uuid,
    plan_timeout_seconds integer
) returns integer
language plpgsql volatile
set search_path = pg_catalog, public
as $$
declare
    given_number integer;
begin
    insert into run_counter as c (pipeline_id, last_number) values (of_pipeline, 1)
    on conflict (pipeline_id) do update set last_number = c.last_number + 1
    returning c.last_number into given_number;

    insert into run (
        id, pipeline_id, number, event, ref, branch, commit_sha, before_sha, title, author, requested_by,
        delivery_id, plan_job_id, rerun_of
    ) values (
        new_run_id, of_pipeline, given_number, by_event, of_ref, of_branch, of_commit, before_commit, with_title,
        with_author, by_whom, from_delivery, new_plan_job_id, again_for
    );

    insert into job (id, run_id, kind, lane_id, state, run_at, claim_order, max_attempts, settled)
    values (
        new_plan_job_id, new_run_id, 'plan', lane_of('plan', 'plan', '', '{}'), 'ready', now(),
        claim_order_of(now(), 0::smallint), 3, false
    );

    insert into job_count_change (lane_id, state, jobs) values (lane_of('plan', 'plan', '', '{}'), 'ready', 1);

    insert into job_spec (job_id, key, timeout_seconds, spec)
    values (new_plan_job_id, 'plan', plan_timeout_seconds, '{"type": "plan"}');

    insert into audit_event (name, actor, pipeline_id, run_id, detail)
    values (
        'run.requested', by_whom, of_pipeline, new_run_id,
        jsonb_build_object('number', given_number, 'state', 'requested', 'event', by_event)
    );

    perform ring('job_ready');
    perform ring('event_recorded');
    return given_number;
end
$$;

drop function request_runs(run_request[], integer);
drop type push;
drop type run_request;
