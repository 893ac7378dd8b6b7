-- migrate:up

create type executor_state as enum (
    'active',
    'draining', -- finishes what it has, claims nothing
    'lost',     -- declared so by a scheduler; its jobs were taken away
    'left'      -- ended in good order
);

-- One lease for all jobs of an executor: beat_seq rises while it lives.
create table executor (
    id uuid not null primary key,
    name text not null,
    version text not null,
    queues text[] not null,
    labels text[] not null,
    slots integer not null check (slots between 0 and 1000),
    plan_slots integer not null check (plan_slots between 0 and 1000),
    state executor_state not null default 'active',
    beat_seq bigint not null default 0,
    beat_at timestamptz not null default now(),
    registered_at timestamptz not null default now(),
    ended_at timestamptz,
    constraint executor_ended_has_end check ((state in ('lost', 'left')) = (ended_at is not null))
) with (fillfactor = 50);

create index executor_alive on executor (id) where ended_at is null;

-- migrate:down

drop table executor;
drop type executor_state;
