-- migrate:up

-- A queue together with the labels that an executor must have. Jobs carry the lane's number, so that
-- claiming reads one index range per lane, however deep the other lanes are.
create table lane (
    id integer not null generated always as identity primary key,
    queue text not null,
    labels text[] not null,
    unique (queue, labels)
);

create function lane_of(wanted_queue text, wanted_labels text[]) returns integer
language plpgsql volatile
set search_path = pg_catalog, public
as $$
declare
    sorted text[] := array(select distinct l from unnest(wanted_labels) as l order by l);
    found_id integer;
begin
    select l.id into found_id from lane l where l.queue = wanted_queue and l.labels = sorted;
    if found_id is null then
        insert into lane (queue, labels) values (wanted_queue, sorted)
        on conflict (queue, labels) do nothing;
        select l.id into found_id from lane l where l.queue = wanted_queue and l.labels = sorted;
    end if;
    return found_id;
end
$$;

-- Microseconds since 1970; a point of priority counts as a minute of waiting. So priority decides among jobs
-- of like age, and a job of any priority is overtaken only by those that came within a bounded time after it.
create function claim_order_of(due timestamptz, priority smallint) returns bigint
language sql stable
set search_path = pg_catalog
as $$
    select (extract(epoch from due) * 1000000)::bigint - priority::bigint * 60000000
$$;

create type job_kind as enum ('plan', 'shell');

create type job_state as enum (
    'blocked',   -- by needs
    'scheduled', -- run_at lies ahead
    'ready',
    'running',
    'succeeded',
    'failed',    -- for good
    'canceled',
    'dead',      -- retryable, but attempts are used up; only jobs on their own
    'skipped'
);

create type attempt_outcome as enum (
    'succeeded',
    'failed',      -- for good: exit code, bad file
    'errored',     -- may be tried again: the surroundings failed
    'timed_out',
    'canceled',
    'lost',        -- its executor stopped beating
    'handed_back'  -- its executor drained, or never started it; free
);

-- The hot row: narrow, found by one partial index for each of its consumers.
create table job (
    id uuid not null primary key,
    run_id uuid references run (id) on delete cascade,
    kind job_kind not null,
    lane_id integer not null references lane (id),
    state job_state not null,
    -- Why it waits, or why it ended so: a code, see docs/state-machine.md.
    reason text,
    priority smallint not null default 0 check (priority between -100 and 100),
    run_at timestamptz not null,
    claim_order bigint not null,
    -- Rises with every claim, never resets; fences everything that an attempt writes.
    claim_epoch integer not null default 0,
    executor_id uuid,
    attempts_used smallint not null default 0,
    max_attempts smallint not null default 1 check (max_attempts between 1 and 100),
    losses smallint not null default 0,
    max_losses smallint not null default 3 check (max_losses between 1 and 100),
    cancel_requested_at timestamptz,
    -- Whether the scheduler has drawn the run's consequences from this job's end. True for jobs on their own.
    settled boolean not null,
    created_at timestamptz not null default now(),
    claimed_at timestamptz,
    finished_at timestamptz,
    constraint job_running_has_executor check ((state = 'running') = (executor_id is not null)),
    constraint job_running_has_claim check (state <> 'running' or (claim_epoch > 0 and claimed_at is not null)),
    constraint job_final_has_end check (
        (state in ('succeeded', 'failed', 'canceled', 'dead', 'skipped')) = (finished_at is not null)
    ),
    constraint job_settled_is_final check (not settled or run_id is null or finished_at is not null),
    constraint job_dead_is_alone check (state <> 'dead' or run_id is null),
    constraint job_attempts_bounded check (attempts_used <= max_attempts and losses <= max_losses)
);

create index job_ready on job (lane_id, claim_order) where state = 'ready';
create index job_scheduled on job (run_at) where state = 'scheduled';
create index job_running on job (executor_id) where state = 'running';
create index job_plan_finished on job (run_id) where kind = 'plan' and not settled and finished_at is not null;
create index job_run_finished on job (run_id) where kind <> 'plan' and not settled and finished_at is not null;
create index job_of_run on job (run_id) where run_id is not null;

-- The state that an attempt's end leads to; the one place that knows.
-- `retryable`: whether the outcome may be tried again. `attempts_used` and `losses` count this attempt already.
create function next_job_state(
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

-- What the job is: written once.
create table job_spec (
    job_id uuid not null primary key references job (id) on delete cascade,
    -- Its name within the run (`test`); `plan` for the plan job.
    key text not null,
    position integer not null default 0,
    needs uuid[] not null default '{}',
    timeout_seconds integer not null check (timeout_seconds > 0),
    spec jsonb not null
);

-- One row a try, numbered by the claim epoch.
create table attempt (
    job_id uuid not null references job (id) on delete cascade,
    epoch integer not null,
    executor_id uuid not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    outcome attempt_outcome,
    exit_code integer,
    error text,
    result jsonb,
    -- The partition of all chunks of this attempt.
    log_day date not null,
    -- The newest chunk that is stored: the fence of appending, and the end of reading.
    last_seq bigint not null default 0,
    primary key (job_id, epoch),
    constraint attempt_ended_has_outcome check ((ended_at is null) = (outcome is null))
);

create table step (
    job_id uuid not null,
    epoch integer not null,
    position smallint not null,
    name text not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    exit_code integer,
    primary key (job_id, epoch, position),
    foreign key (job_id, epoch) references attempt (job_id, epoch) on delete cascade
);

-- migrate:down

drop table step;
drop table attempt;
drop table job_spec;
drop function next_job_state(
    attempt_outcome, boolean, boolean, integer, integer, integer, integer, boolean
);
drop table job;
drop type attempt_outcome;
drop type job_state;
drop type job_kind;
drop function claim_order_of(timestamptz, smallint);
drop function lane_of(text, text[]);
drop table lane;
