-- migrate:up

-- The UUIDv7 (RFC 9562) of one of many rows that are made at once: milliseconds, then the row's place (below 16384), then
-- 15 hexadecimal digits that are random, but the same for all of them. So the rows of one call sort as they were given.
create function new_id_at(made_at timestamptz, place integer, random_digits text) returns uuid
language sql stable
as $$
    select (
        lpad(to_hex((extract(epoch from made_at) * 1000)::bigint), 12, '0')
        || '7' || lpad(to_hex(place >> 2), 3, '0')
        || to_hex(8 + (place & 3)) || random_digits
    )::uuid
$$;

-- Refuse what was asked for, with an SQLSTATE of our own: HD422 malformed, HD409 idempotency key taken, HD413 too large.
create function refuse(code text, message text, hint text) returns boolean
language plpgsql volatile
set search_path = pg_catalog
as $$
begin
    raise exception using errcode = code, message = message, hint = hint;
end
$$;

-- Whether a text is a time: ISO 8601, from the year 1 to the year 9999. PostgreSQL 15 cannot tell without an error.
create function is_time(wanted text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return wanted ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d' and wanted::timestamptz >= '0001-01-01 00:00:00+00';
exception
    -- Nothing is written in this block, so it takes no transaction id.
    when data_exception then
        return false;
end
$$;

-- Insert jobs on their own: all of them, or none. `jobs` is an array of objects, as enqueue_jobs describes them.
-- Returns a row for each, in order; `created` is false where an idempotency key led to an earlier job.
-- Locks: lanes and limit keys that are new, then idempotency keys, each sorted, so that two calls never deadlock.
create function insert_jobs(jobs jsonb, by_whom text)
returns table (place integer, job_id uuid, created boolean)
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
    at_time timestamptz := now();
    made_at timestamptz := clock_timestamp();
    random_digits text := substr(md5(gen_random_uuid()::text), 1, 15);
    has_keys boolean := jobs @? '$[*].idempotency_key';
    new_places integer[];
    new_ids uuid[];
begin
    if jobs @? '$[*].concurrency_key' then
        insert into limit_key (name)
        select distinct e ->> 'concurrency_key' as name
        from jsonb_array_elements(jobs) e
        where length(e ->> 'concurrency_key') between 1 and 255
        order by name
        on conflict (name) do nothing;
    end if;

    -- Whatever may be malformed stays text or JSON until it has been checked.
    with entry as materialized (
        select
            (u.ordinality - 1)::integer as place,
            u.type as job_type,
            coalesce(u.payload, 'null'::jsonb) as payload,
            coalesce(u.queue, 'default') as queue,
            coalesce(nullif(u.labels, 'null'), '[]') as labels,
            u.run_at,
            u.delay_seconds,
            u.priority,
            u.max_attempts,
            u.timeout_seconds,
            t.max_attempts as usual_max_attempts,
            t.timeout_seconds as usual_timeout_seconds,
            u.idempotency_key,
            u.idempotency_seconds,
            u.concurrency_key,
            nullif(u.retry, 'null') as retry,
            nullif(u.metadata, 'null') as metadata,
            u.traceparent
        from rows from (
            jsonb_to_recordset(jobs) as (
                type text, payload jsonb, queue text, labels jsonb, run_at text, delay_seconds text, priority text,
                max_attempts text, timeout_seconds text, idempotency_key text, idempotency_seconds text,
                concurrency_key text, retry jsonb, metadata jsonb, traceparent text
            )
        ) with ordinality as u
        left join job_type t on t.name = u.type
    ),
    -- Jobs of one call are of few kinds, and patterns are what takes longest to check.
    named as materialized (
        select e.job_type, e.queue, e.labels, min(e.place) as place
        from entry e
        group by e.job_type, e.queue, e.labels
    ),
    checked_names as materialized (
        select
            count(*) filter (
                where case
                    when coalesce(n.job_type !~ '^[a-z][a-z0-9_.-]{0,62}$', true) then refuse(
                        'HD422', format('job %s: %L is no job type', n.place, left(n.job_type, 100)),
                        'A type is a lower-case letter, then letters, digits, points, hyphens or underscores, at most 63.'
                    )
                    when n.queue !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' then refuse(
                        'HD422', format('job %s: %L is no queue', n.place, left(n.queue, 100)),
                        'A queue is letters, digits, points, hyphens or underscores, at most 63.'
                    )
                    when jsonb_typeof(n.labels) <> 'array' then refuse(
                        'HD422', format('job %s: the labels are no array', n.place), 'Pass an array of strings.'
                    )
                    when jsonb_array_length(n.labels) > 20 then refuse(
                        'HD422', format('job %s: %s labels', n.place, jsonb_array_length(n.labels)), 'It has at most 20.'
                    )
                    when n.labels @? 'strict $[*] ? (@.type() != "string" || !(@ like_regex "^[^[:cntrl:]]{1,63}$"))'
                    then refuse(
                        'HD422', format('job %s: one of its labels is none', n.place),
                        'A label is a string of 1 to 63 characters.'
                    )
                    else false
                end
            ) as refused
        from named n
    ),
    checked as materialized (
        select
            count(*) filter (
                where case
                    when e.run_at is not null and not is_time(e.run_at) then refuse(
                        'HD422', format('job %s: the run_at %L is no time', e.place, left(e.run_at, 100)),
                        'It is a time in ISO 8601, as 2026-11-25T18:30:00Z.'
                    )
                    when case
                        when e.delay_seconds ~ '^\d{1,9}(\.\d+)?$' then e.delay_seconds::float8 > 315360000
                        else e.delay_seconds is not null
                    end then refuse(
                        'HD422', format('job %s: delay_seconds %s is out of range', e.place, left(e.delay_seconds, 100)),
                        'It is a number between 0 and 315360000, which is ten years.'
                    )
                    when e.priority !~ '^-?(\d\d?|100)$' then refuse(
                        'HD422', format('job %s: the priority %s is out of range', e.place, left(e.priority, 100)),
                        'It is a whole number between -100 and 100; a higher one goes first.'
                    )
                    when e.max_attempts !~ '^([1-9]\d?|100)$' then refuse(
                        'HD422', format('job %s: max_attempts %s is out of range', e.place, left(e.max_attempts, 100)),
                        'It is a whole number between 1 and 100.'
                    )
                    when case
                        when e.timeout_seconds ~ '^\d{1,6}$' then e.timeout_seconds::integer not between 1 and 604800
                        else e.timeout_seconds is not null
                    end then refuse(
                        'HD422', format('job %s: timeout_seconds %s is out of range', e.place, left(e.timeout_seconds, 100)),
                        'It is a whole number between 1 and 604800, which is a week.'
                    )
                    when e.idempotency_key = '' or length(e.idempotency_key) > 255 then refuse(
                        'HD422', format('job %s: the idempotency key is empty or too long', e.place),
                        'It has 1 to 255 characters.'
                    )
                    when case
                        when e.idempotency_seconds ~ '^\d{1,8}(\.\d+)?$'
                            then e.idempotency_seconds::float8 not between 1 and 31622400
                        else e.idempotency_seconds is not null
                    end then refuse(
                        'HD422',
                        format('job %s: idempotency_seconds %s is out of range', e.place, left(e.idempotency_seconds, 100)),
                        'It is a number between 1 and 31622400, which is a year.'
                    )
                    when e.concurrency_key = '' or length(e.concurrency_key) > 255 then refuse(
                        'HD422', format('job %s: the concurrency key is empty or too long', e.place),
                        'It has 1 to 255 characters.'
                    )
                    when jsonb_typeof(e.metadata) <> 'object' then refuse(
                        'HD422', format('job %s: the metadata is no object', e.place), 'Pass a JSON object, or leave it out.'
                    )
                    when jsonb_typeof(e.retry) <> 'object' then refuse(
                        'HD422', format('job %s: the retry policy is no object', e.place),
                        'Pass a JSON object, or leave it out.'
                    )
                    when case
                        when e.retry is null then false
                        when e.retry - array['first_seconds', 'factor', 'most_seconds'] <> '{}' then true
                        when e.retry @? 'strict $.* ? (@.type() != "number")' then true
                        -- What is left out is as shared.jobs' RetryPolicy has it.
                        else coalesce((e.retry -> 'first_seconds')::numeric, 5) < 0.001
                            or coalesce((e.retry -> 'factor')::numeric, 2) not between 1 and 1000
                            or coalesce((e.retry -> 'most_seconds')::numeric, 3600)
                                not between coalesce((e.retry -> 'first_seconds')::numeric, 5) and 315360000
                    end then refuse(
                        'HD422', format('job %s: its retry is no retry policy', e.place),
                        'It has first_seconds (from 0.001), factor (1 to 1000), most_seconds (from first_seconds to 315360000).'
                    )
                    when length(e.traceparent) > 255 then refuse(
                        'HD422', format('job %s: the traceparent has more than 255 characters', e.place),
                        'It is as W3C Trace Context has it.'
                    )
                    -- By their text, which claims carry: a number of ten bytes may have a hundred thousand digits.
                    when octet_length(e.payload::text) > 1048576 then refuse(
                        'HD413', format('job %s: the payload has more than 1 MiB', e.place),
                        'Store it elsewhere, and pass where it is.'
                    )
                    when octet_length(e.metadata::text) > 65536 then refuse(
                        'HD413', format('job %s: the metadata has more than 64 KiB', e.place), 'Pass less.'
                    )
                    else false
                end
            ) as refused
        from entry e
    ),
    laned as (
        select
            d.queue, d.job_type, d.labels,
            lane_of('handler'::job_kind, d.queue, d.job_type, d.sorted_labels) as lane_id
        from (
            select
                n.queue, n.job_type, n.labels,
                array(select distinct l from jsonb_array_elements_text(n.labels) as l order by l) as sorted_labels
            from named n
            where (select c.refused from checked_names c) = 0
                and (select c.refused from checked c) = 0
            order by n.queue, n.job_type, sorted_labels
        ) d
    ),
    -- Put together again for each of its uses, which is cheaper than to keep it.
    placed as not materialized (
        select
            e.place,
            e.job_type,
            e.payload,
            new_id_at(made_at, e.place, random_digits) as id,
            l.lane_id,
            k.id as limit_key_id,
            coalesce(
                e.run_at::timestamptz, at_time + make_interval(secs => coalesce(e.delay_seconds::float8, 0))
            ) as run_at,
            coalesce(e.priority::smallint, 0::smallint) as priority,
            coalesce(e.max_attempts::smallint, e.usual_max_attempts, 10::smallint) as max_attempts,
            coalesce(e.timeout_seconds::integer, e.usual_timeout_seconds, 300) as timeout_seconds,
            e.idempotency_key,
            coalesce(e.idempotency_seconds::float8, 604800) as idempotency_seconds,
            e.retry,
            e.metadata,
            e.traceparent
        from entry e
        join laned l on l.queue = e.queue and l.job_type = e.job_type and l.labels = e.labels
        left join limit_key k on k.name = e.concurrency_key
    ),
    keyed as (
        insert into job_key as k (job_type, key, job_id, expires_at)
        select distinct on (p.job_type, p.idempotency_key)
            p.job_type, p.idempotency_key, p.id,
            at_time + make_interval(secs => p.idempotency_seconds)
        from placed p
        where has_keys
            and p.idempotency_key is not null
        order by p.job_type, p.idempotency_key, p.place
        on conflict (job_type, key) do update
        set job_id = excluded.job_id, expires_at = excluded.expires_at
        where k.expires_at <= at_time
        returning k.job_id
    ),
    fresh as (
        select
            p.*,
            case
                when p.run_at > at_time then 'scheduled'
                when p.limit_key_id is not null then 'blocked'
                else 'ready'
            end::job_state as state
        from placed p
        where p.idempotency_key is null
            or exists (select from keyed k where k.job_id = p.id)
    ),
    inserted as (
        insert into job (
            id, kind, lane_id, state, reason, priority, run_at, claim_order, max_attempts, settled, limit_key_id, created_at
        )
        select
            f.id, 'handler', f.lane_id, f.state,
            case f.state when 'blocked' then 'limit' when 'scheduled' then 'asked' end,
            f.priority, f.run_at,
            -- Jobs of one call that are due together are claimed as they were given.
            claim_order_of(f.run_at, f.priority) + f.place,
            f.max_attempts, true, f.limit_key_id, at_time
        from fresh f
    ),
    counted as (
        insert into job_count_change (lane_id, state, jobs)
        select f.lane_id, f.state, count(*)
        from fresh f
        group by f.lane_id, f.state
    ),
    specified as (
        insert into job_spec (
            job_id, key, timeout_seconds, spec, payload, metadata, retry, traceparent, enqueued_by
        )
        select
            f.id, f.job_type, f.timeout_seconds, '{"type": "handler"}', f.payload, f.metadata,
            f.retry, f.traceparent, by_whom
        from fresh f
    ),
    rung as (
        select
            (select ring('handler_job_ready') from fresh f where f.state = 'ready' limit 1) as ready,
            -- A scheduler sleeps for five seconds at most: what is due later it finds in time by itself.
            (
                select ring('job_waiting')
                from fresh f
                where f.state = 'blocked'
                    or (f.state = 'scheduled' and f.run_at < at_time + interval '6 seconds')
                limit 1
            ) as waiting
    )
    select array_agg(f.place order by f.place), array_agg(f.id order by f.place)
    into new_places, new_ids
    from fresh f
    cross join rung r;

    if not has_keys then
        return query select u.place, u.id, true from unnest(new_places, new_ids) as u (place, id);
        return;
    end if;

    -- A statement of its own: it sees what another call committed while ours waited for its keys.
    return query
    with entry as materialized (
        select
            (u.ordinality - 1)::integer as place, u.type, u.idempotency_key as key, n.id,
            coalesce(u.queue, 'default') as queue, coalesce(u.payload, 'null'::jsonb) as payload
        from rows from (
            jsonb_to_recordset(jobs) as (type text, payload jsonb, queue text, idempotency_key text)
        ) with ordinality as u
        left join unnest(new_places, new_ids) as n (place, id) on n.place = u.ordinality - 1
    )
    select
        e.place,
        coalesce(e.id, k.job_id),
        case
            when e.id is not null then true
            when k.job_id is null then refuse(
                '40001', format('job %s: the job of its idempotency key has just been deleted', e.place), 'Try again.'
            )
            -- As JSON, in which 1.0 is 1, and the order of keys is none.
            when (
                select s.payload <> e.payload or l.queue <> e.queue
                from job j
                join job_spec s on s.job_id = j.id
                join lane l on l.id = j.lane_id
                where j.id = k.job_id
            ) then refuse(
                'HD409',
                format(
                    'job %s: the idempotency key %L of the type %s was used for another payload or queue, by job %s',
                    e.place, e.key, e.type, k.job_id
                ),
                'Use a new key for a new job, or the same payload and queue for the same one.'
            )
            else false
        end
    from entry e
    left join job_key k on e.id is null and k.job_type = e.type and k.key = e.key
    order by e.place;
end
$$;

-- Insert one job that asks for nothing unusual, and return its id; null if it does ask for something, or if anything about it
-- may be wrong: then insert_jobs has to look at it, which says what. A statement that can do everything takes several times as long
-- to start as this takes in all.
create function insert_plain_job(
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

-- Enqueue jobs on their own: all of them, or none, at most 10,000. `jobs` is an array of objects; docs/jobs.md lists
-- their fields. Runs in the caller's transaction: the jobs are there when it commits. For any program, under the role
-- howdah_producer. Errors: HD422 a malformed job, HD409 its idempotency key was used for another payload or queue,
-- HD413 a payload over 1 MiB; 40001 and 40P01 may be tried again.
create function enqueue_jobs(jobs jsonb)
returns table (place integer, job_id uuid, created boolean)
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
    known_fields constant text[] := array[
        'type', 'payload', 'queue', 'labels', 'run_at', 'delay_seconds', 'priority', 'max_attempts', 'timeout_seconds',
        'idempotency_key', 'idempotency_seconds', 'concurrency_key', 'retry', 'metadata', 'traceparent'
    ];
    plain_fields constant text[] := array['type', 'payload', 'queue', 'metadata', 'traceparent'];
    new_job_id uuid;
begin
    if jsonb_typeof(jobs) is distinct from 'array' then
        perform refuse('HD422', 'jobs must be an array of objects', 'Pass a JSON array, of one object for each job.');
    end if;
    if jsonb_array_length(jobs) > 10000 then
        perform refuse('HD422', format('%s jobs in one call', jsonb_array_length(jobs)), 'Pass at most 10000 at a time.');
    end if;
    if jsonb_array_length(jobs) = 1
        and (case when jsonb_typeof(jobs -> 0) = 'object' then (jobs -> 0) - plain_fields = '{}' end)
    then
        new_job_id := insert_plain_job(
            jobs -> 0 ->> 'type', jobs -> 0 -> 'payload', jobs -> 0 ->> 'queue', null, null, null, null, null,
            jobs -> 0 -> 'metadata', jobs -> 0 ->> 'traceparent', session_user
        );
        if new_job_id is not null then
            return query select 0, new_job_id, true;
            return;
        end if;
    end if;
    perform case
        when jsonb_typeof(e.job) <> 'object' then refuse(
            'HD422', format('job %s is no object', e.place - 1), 'Pass an object for each job.'
        )
        when e.job - known_fields <> '{}' then refuse(
            'HD422',
            format('job %s: unknown field %L', e.place - 1, (select min(f) from jsonb_object_keys(e.job - known_fields) f)),
            'The fields are ' || array_to_string(known_fields, ', ') || '.'
        )
    end
    from jsonb_array_elements(jobs) with ordinality as e (job, place);
    return query select * from insert_jobs(jobs, session_user);
end
$$;

-- Enqueue one job on its own, and return its id: that of the earlier job, where an idempotency key led to one.
-- Whatever is null is as the handler, or Howdah, has it by default. Errors: as enqueue_jobs.
create function enqueue(
    type text,
    payload jsonb default null,
    queue text default null,
    labels text[] default null,
    run_at timestamptz default null,
    delay_seconds double precision default null,
    priority integer default null,
    max_attempts integer default null,
    timeout_seconds integer default null,
    idempotency_key text default null,
    idempotency_seconds double precision default null,
    concurrency_key text default null,
    retry jsonb default null,
    metadata jsonb default null,
    traceparent text default null
) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_variable
declare
    new_job_id uuid;
begin
    if coalesce(cardinality(labels), 0) = 0
        and idempotency_key is null
        and idempotency_seconds is null
        and concurrency_key is null
        and retry is null
    then
        new_job_id := insert_plain_job(
            type, payload, queue, run_at, delay_seconds, priority, max_attempts, timeout_seconds, metadata, traceparent,
            session_user
        );
        if new_job_id is not null then
            return new_job_id;
        end if;
    end if;
    return (
        select i.job_id
        from insert_jobs(
            jsonb_build_array(
                jsonb_strip_nulls(jsonb_build_object(
                    'type', type, 'queue', queue, 'labels', labels, 'run_at', run_at, 'delay_seconds', delay_seconds,
                    'priority', priority, 'max_attempts', max_attempts, 'timeout_seconds', timeout_seconds,
                    'idempotency_key', idempotency_key, 'idempotency_seconds', idempotency_seconds,
                    'concurrency_key', concurrency_key, 'traceparent', traceparent
                )) || jsonb_build_object('payload', payload, 'retry', retry, 'metadata', metadata)
            ),
            session_user
        ) i
    );
end
$$;

grant execute on function
    enqueue_jobs(jsonb),
    enqueue(
        text, jsonb, text, text[], timestamptz, double precision, integer, integer, integer, text, double precision,
        text, jsonb, jsonb, text
    )
to howdah_producer;

-- migrate:down

drop function enqueue(
    text, jsonb, text, text[], timestamptz, double precision, integer, integer, integer, text, double precision, text,
    jsonb, jsonb, text
);
drop function enqueue_jobs(jsonb);
drop function insert_plain_job(
    text, jsonb, text, timestamptz, double precision, integer, integer, integer, jsonb, text, text
);
drop function insert_jobs(jsonb, text);
drop function is_time(text);
drop function refuse(text, text, text);
drop function new_id_at(timestamptz, integer, text);
