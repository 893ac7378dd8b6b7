-- migrate:up

create type delivery_outcome as enum ('accepted', 'ignored', 'rejected');

-- One webhook call. A rejected one keeps no body, and only the newest of a pipeline are kept.
create table delivery (
    id uuid not null primary key,
    pipeline_id uuid references pipeline (id) on delete cascade,
    source text not null,
    event text not null,
    forge_delivery_id text,
    -- SHA-256 of what the sender signed; null when the signature did not hold.
    digest bytea,
    outcome delivery_outcome not null,
    reason text not null,
    remote_address text not null,
    body bytea,
    received_at timestamptz not null default now(),
    check ((outcome = 'rejected') = (digest is null)),
    check (outcome <> 'rejected' or body is null)
);

-- A replay is the same signed content for the same pipeline, whatever its unsigned headers say.
create unique index delivery_digest on delivery (pipeline_id, digest) where digest is not null;
create index delivery_rejected on delivery (pipeline_id, received_at) where outcome = 'rejected';
create index delivery_by_pipeline on delivery (pipeline_id, received_at desc);

create type run_state as enum (
    'requested', -- its plan job is not done yet
    'running',
    'waiting',   -- a person must act
    'succeeded',
    'failed',
    'canceled',
    'skipped'    -- nothing to do; reason says why
);

create table run (
    id uuid not null primary key,
    pipeline_id uuid not null references pipeline (id) on delete cascade,
    number integer not null,
    state run_state not null default 'requested',
    reason text,
    event text not null,
    ref text not null,
    branch text,
    -- Null until the plan job has resolved the ref, when the run was started by hand.
    commit_sha text,
    before_sha text,
    title text not null,
    author text not null,
    requested_by text not null,
    delivery_id uuid unique references delivery (id),
    plan_job_id uuid not null,
    rerun_of uuid references run (id) on delete set null,
    cancel_requested_at timestamptz,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    unique (pipeline_id, number),
    check ((state in ('succeeded', 'failed', 'canceled', 'skipped')) = (finished_at is not null)),
    check (state <> 'requested' or started_at is null)
);

create index run_newest on run (created_at desc, id desc);
create index run_newest_of_pipeline on run (pipeline_id, created_at desc, id desc);

-- migrate:down

drop table run;
drop type run_state;
drop table delivery;
drop type delivery_outcome;
