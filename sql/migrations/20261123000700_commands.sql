-- migrate:up

create type command_kind as enum ('cancel_run', 'cancel_job', 'rerun_run');

-- What a person or a program asked for. Insert-only but for the mark of the scheduler: it is its own audit.
create table command (
    id uuid not null primary key,
    kind command_kind not null,
    run_id uuid not null references run (id) on delete cascade,
    job_id uuid references job (id) on delete cascade,
    given_by text not null,
    why text not null,
    given_at timestamptz not null default now(),
    applied_at timestamptz,
    -- What came of it, in a sentence.
    outcome text,
    result_run_id uuid references run (id) on delete set null,
    check ((kind = 'cancel_job') = (job_id is not null)),
    check ((applied_at is null) = (outcome is null))
);

create index command_given on command (given_at) where applied_at is null;

-- migrate:down

drop table command;
drop type command_kind;
