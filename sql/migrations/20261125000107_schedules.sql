-- migrate:up

create type schedule_catch_up as enum (
    'skip',   -- ticks that were missed are forgotten
    'latest', -- of several, only the last one is made up for
    'all'     -- each is made up for, oldest first
);

-- Jobs that are enqueued by the clock. A person's; what has come of it is in the next two tables.
create table schedule (
    id uuid not null primary key,
    name text not null unique check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    -- Five fields, as cron(8) has them, in the time zone.
    cron text not null,
    timezone text not null,
    catch_up schedule_catch_up not null,
    -- One element of what enqueue_jobs takes, without run_at and idempotency key.
    job jsonb not null,
    paused_at timestamptz,
    created_by text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- Where a schedule stands. `seen_updated_at` tells whether it was changed since.
create table schedule_state (
    schedule_id uuid not null primary key references schedule (id) on delete cascade,
    next_at timestamptz not null,
    seen_updated_at timestamptz not null
);

create index schedule_state_due on schedule_state (next_at);

-- Each tick leads to one job, whoever finds it due first. No job: it was skipped.
create table schedule_tick (
    schedule_id uuid not null references schedule (id) on delete cascade,
    due_at timestamptz not null,
    job_id uuid,
    recorded_at timestamptz not null default now(),
    primary key (schedule_id, due_at)
);

-- migrate:down

drop table schedule_tick;
drop table schedule_state;
drop table schedule;
drop type schedule_catch_up;
