-- migrate:up

-- These are called once a job. A setting on an SQL function would keep it from being inlined: so they have none, and
-- write out the schema of what is not in pg_catalog.
create or replace function claim_order_of(due timestamptz, priority smallint) returns bigint
language sql stable
as $$
    select (extract(epoch from due) * 1000000)::bigint - priority::bigint * 60000000
$$;

-- Rung once a statement, it took a tenth of adding one job.
create or replace function ring(channel text) returns boolean
language sql volatile
as $$
    select case
        when current_setting('howdah.notify', true) = 'off' then false
        else pg_notify(channel, '') is not null
    end
$$;

-- The state that an attempt's end leads to; the one place that knows.
-- `retryable`: whether the outcome may be tried again. `attempts_used` and `losses` count this attempt already.
create or replace function next_job_state(
    outcome attempt_outcome,
    retryable boolean,
    cancel_requested boolean,
    attempts_used integer,
    max_attempts integer,
    losses integer,
    max_losses integer,
    in_run boolean
) returns job_state
language sql immutable
as $$
    select case
        when outcome = 'succeeded' then 'succeeded'
        when outcome = 'canceled' or cancel_requested then 'canceled'
        when outcome = 'handed_back' then 'ready'
        when outcome = 'snoozed' then 'scheduled'
        when outcome = 'lost' and losses < max_losses then 'ready'
        when outcome = 'lost' and in_run then 'failed'
        when outcome = 'lost' then 'dead'
        when not retryable then 'failed'
        when attempts_used < max_attempts then 'scheduled'
        when in_run then 'failed'
        else 'dead'
    end::public.job_state
$$;

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

-- migrate:down

create or replace function claim_order_of(due timestamptz, priority smallint) returns bigint
language sql stable
set search_path = pg_catalog
as $$
    select (extract(epoch from due) * 1000000)::bigint - priority::bigint * 60000000
$$;

create or replace function next_job_state(
    outcome attempt_outcome,
    retryable boolean,
    cancel_requested boolean,
    attempts_used integer,
    max_attempts integer,
    losses integer,
    max_losses integer,
    in_run boolean
) returns job_state
language sql immutable
set search_path = pg_catalog, public
as $$
    select case
        when outcome = 'succeeded' then 'succeeded'
        when outcome = 'canceled' or cancel_requested then 'canceled'
        when outcome = 'handed_back' then 'ready'
        when outcome = 'lost' and losses < max_losses then 'ready'
        when outcome = 'lost' and in_run then 'failed'
        when outcome = 'lost' then 'dead'
        when not retryable then 'failed'
        when attempts_used < max_attempts then 'scheduled'
        when in_run then 'failed'
        else 'dead'
    end::job_state
$$;

create or replace function ring(channel text) returns boolean
language plpgsql volatile
set search_path = pg_catalog
as $$
begin
    if current_setting('howdah.notify', true) = 'off' then
        return false;
    end if;
    perform pg_notify(channel, '');
    return true;
end
$$;

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
        new_plan_job_id, new_run_id, 'plan', lane_of('plan', '{}'), 'ready', now(),
        claim_order_of(now(), 0::smallint), 3, false
    );

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
