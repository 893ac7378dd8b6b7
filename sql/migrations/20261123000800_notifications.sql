-- migrate:up

create type channel_kind as enum ('webhook', 'slack', 'discord');

create table channel (
    id uuid not null primary key,
    name text not null unique,
    kind channel_kind not null,
    -- Null: for every pipeline.
    pipeline_id uuid references pipeline (id) on delete cascade,
    -- Which events it wants: `run.failed`, `run.succeeded`, `run.canceled`, `run.skipped`, `job.failed`.
    events text[] not null,
    sealed_url bytea not null,
    sealed_secret bytea,
    key_id text not null,
    created_at timestamptz not null default now()
);

create type notification_state as enum (
    'pending',
    'delivered',
    'dead' -- given up; last_error says why
);

-- The outbox: one message for one channel.
create table notification (
    id uuid not null primary key,
    channel_id uuid not null references channel (id) on delete cascade,
    event text not null,
    run_id uuid not null references run (id) on delete cascade,
    job_id uuid references job (id) on delete cascade,
    payload jsonb not null,
    state notification_state not null default 'pending',
    -- Rises with every claim; fences what a notifier writes about its try.
    claim_epoch integer not null default 0,
    due_at timestamptz not null default now(),
    -- While it lies ahead, a notifier is at it; then the claim has lapsed.
    claimed_until timestamptz,
    last_error text,
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    -- The same happening is told once, also when it is recorded twice.
    unique nulls not distinct (channel_id, run_id, job_id, event),
    check ((state = 'pending') = (ended_at is null))
);

-- By channel first: a channel whose target is slow must not stand before the others.
create index notification_due on notification (channel_id, due_at) where state = 'pending';

-- migrate:down

drop table notification;
drop type notification_state;
drop table channel;
drop type channel_kind;
