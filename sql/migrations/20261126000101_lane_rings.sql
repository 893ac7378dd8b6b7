-- migrate:up

-- Wake whoever listens, and say what about.
create function ring(channel text, about text) returns boolean
language sql volatile
as $$
    select case
        when current_setting('howdah.notify', true) = 'off' then false
        else pg_notify(channel, about) is not null
    end
$$;

-- What an executor is told of a job that it has claimed: an array of JSON; see services.executor.read_claimed. The last four are
-- left out where all of them are null. The planner takes this in, so it costs no call.
create function claimed_text(
    row_at text,
    job_id uuid,
    epoch integer,
    attempts_used smallint,
    max_attempts smallint,
    timeout_seconds integer,
    payload jsonb,
    metadata jsonb,
    retry jsonb,
    traceparent text
) returns text
language sql stable
as $$
    select concat(
        '["', row_at, '","', job_id, '",', epoch, ',', attempts_used, ',', max_attempts, ',', timeout_seconds,
        case
            when payload <> 'null' or metadata is not null or retry is not null or traceparent is not null then concat(
                ',', coalesce((payload)::text, 'null'), ',', coalesce((metadata)::text, 'null'), ',',
                coalesce((retry)::text, 'null'), ',', coalesce((to_json(traceparent))::text, 'null')
            )
        end,
        ']'
    )
$$;

grant execute on function
    claimed_text(text, uuid, integer, smallint, smallint, integer, jsonb, jsonb, jsonb, text)
to howdah_executor;

-- Insert one job that asks for nothing unusual, and return its id; null if it does ask for something, or if anything about it
-- may be wrong: then insert_jobs has to look at it, which says what. A statement that can do everything takes several times as long
-- to start as this takes in all.
create or replace function insert_plain_job(
    job_type text,
    payload jsonb,
    queue text,
    run_at timestamptz,
    delay_seconds double precision,
    priority integer,
    max_attempts integer,
    timeout_seconds integer,
    metadata jsonb,
    traceparent text,
    by_whom text
) returns uuid
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_variable
declare
    at_time constant timestamptz := now();
    new_job_id uuid;
    lane_found integer;
    usual_max_attempts smallint;
    usual_timeout_seconds integer;
    due timestamptz;
    new_state job_state := 'ready';
begin
    -- The same bounds as in insert_jobs. What is null is not asked for, and passes.
    if job_type is null
        or job_type !~ '^[a-z][a-z0-9_.-]{0,62}$'
        or queue !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'
        or run_at not between '0001-01-01 00:00:00+00' and '9999-12-31 00:00:00+00'
        or delay_seconds not between 0 and 315360000
        or priority not between -100 and 100
        or max_attempts not between 1 and 100
        or timeout_seconds not between 1 and 604800
        or octet_length(payload::text) > 1048576
        or jsonb_typeof(metadata) <> 'object'
        or octet_length(metadata::text) > 65536
        or length(traceparent) > 255
    then
        return null;
    end if;
    select l.id into lane_found
    from lane l
    where l.kind = 'handler'
        and l.queue = coalesce(insert_plain_job.queue, 'default')
        and l.job_type = insert_plain_job.job_type
        and l.labels = '{}';
    if lane_found is null then
        return null;
    end if;
    if max_attempts is null or timeout_seconds is null then
        select t.max_attempts, t.timeout_seconds into usual_max_attempts, usual_timeout_seconds
        from job_type t
        where t.name = insert_plain_job.job_type;
    end if;
    due := coalesce(run_at, at_time + make_interval(secs => coalesce(delay_seconds, 0)));
    if due > at_time then
        new_state := 'scheduled';
    end if;
    -- An id need not be secret, and a server that was built without OpenSSL opens a file for each gen_random_uuid().
    new_job_id := new_id_at(
        clock_timestamp(), 0, substr(md5(concat(pg_backend_pid(), clock_timestamp(), random())), 1, 15)
    );
    insert into job (
        id, kind, lane_id, state, reason, priority, run_at, claim_order, max_attempts, settled, created_at
    ) values (
        new_job_id, 'handler', lane_found, new_state, case when due > at_time then 'asked' end, coalesce(priority, 0), due,
        claim_order_of(due, coalesce(priority, 0)::smallint), coalesce(max_attempts, usual_max_attempts, 10), true, at_time
    );
    insert into job_count_change (lane_id, state, jobs) values (lane_found, new_state, 1);
    insert into job_spec (job_id, key, timeout_seconds, spec, payload, metadata, traceparent, enqueued_by)
    values (
        new_job_id, job_type, coalesce(timeout_seconds, usual_timeout_seconds, 300), '{"type": "handler"}',
        coalesce(payload, 'null'), metadata, traceparent, by_whom
    );
    if new_state = 'ready' then
        -- An executor that has nothing else to do then looks nowhere else.
        perform ring('handler_job_ready', (lane_found)::text);
    elsif due < at_time + interval '6 seconds' then
        perform ring('job_waiting');
    end if;
    return new_job_id;
end
$$;

-- migrate:down

-- Insert one job that asks for nothing unusual, and return its id; null if it does ask for something, or if anything about it
-- may be wrong: then insert_jobs has to look at it, which says what. A statement that can do everything takes several times as long
-- to start as this takes in all.
create or replace function insert_plain_job(
    job_type text,
    payload jsonb,
    queue text,
    run_at timestamptz,
    delay_seconds double precision,
    priority integer,
    max_attempts integer,
    timeout_seconds integer,
    metadata jsonb,
    traceparent text,
    by_whom text
) returns uuid
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_variable
declare
    at_time constant timestamptz := now();
    new_job_id uuid;
    lane_found integer;
    usual_max_attempts smallint;
    usual_timeout_seconds integer;
    due timestamptz;
    new_state job_state := 'ready';
begin
    -- The same bounds as in insert_jobs. What is null is not asked for, and passes.
    if job_type is null
        or job_type !~ '^[a-z][a-z0-9_.-]{0,62}$'
        or queue !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'
        or run_at not between '0001-01-01 00:00:00+00' and '9999-12-31 00:00:00+00'
        or delay_seconds not between 0 and 315360000
        or priority not between -100 and 100
        or max_attempts not between 1 and 100
        or timeout_seconds not between 1 and 604800
        or octet_length(payload::text) > 1048576
        or jsonb_typeof(metadata) <> 'object'
        or octet_length(metadata::text) > 65536
        or length(traceparent) > 255
    then
        return null;
    end if;
    select l.id into lane_found
    from lane l
    where l.kind = 'handler'
        and l.queue = coalesce(insert_plain_job.queue, 'default')
        and l.job_type = insert_plain_job.job_type
        and l.labels = '{}';
    if lane_found is null then
        return null;
    end if;
    if max_attempts is null or timeout_seconds is null then
        select t.max_attempts, t.timeout_seconds into usual_max_attempts, usual_timeout_seconds
        from job_type t
        where t.name = insert_plain_job.job_type;
    end if;
    due := coalesce(run_at, at_time + make_interval(secs => coalesce(delay_seconds, 0)));
    if due > at_time then
        new_state := 'scheduled';
    end if;
    -- An id need not be secret, and a server that was built without OpenSSL opens a file for each gen_random_uuid().
    new_job_id := new_id_at(
        clock_timestamp(), 0, substr(md5(concat(pg_backend_pid(), clock_timestamp(), random())), 1, 15)
    );
    insert into job (
        id, kind, lane_id, state, reason, priority, run_at, claim_order, max_attempts, settled, created_at
    ) values (
        new_job_id, 'handler', lane_found, new_state, case when due > at_time then 'asked' end, coalesce(priority, 0), due,
        claim_order_of(due, coalesce(priority, 0)::smallint), coalesce(max_attempts, usual_max_attempts, 10), true, at_time
    );
    insert into job_count_change (lane_id, state, jobs) values (lane_found, new_state, 1);
    insert into job_spec (job_id, key, timeout_seconds, spec, payload, metadata, traceparent, enqueued_by)
    values (
        new_job_id, job_type, coalesce(timeout_seconds, usual_timeout_seconds, 300), '{"type": "handler"}',
        coalesce(payload, 'null'), metadata, traceparent, by_whom
    );
    if new_state = 'ready' then
        perform ring('handler_job_ready');
    elsif due < at_time + interval '6 seconds' then
        perform ring('job_waiting');
    end if;
    return new_job_id;
end
$$;

drop function claimed_text(text, uuid, integer, smallint, smallint, integer, jsonb, jsonb, jsonb, text);
drop function ring(text, text);
