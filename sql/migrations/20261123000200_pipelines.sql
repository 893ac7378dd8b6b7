-- migrate:up

create table pipeline (
    id uuid not null primary key,
    name text not null unique check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    repository_url text not null,
    -- The repository's identity: the URL without scheme, user, `.git` and letter case of the host.
    repository_key text not null,
    default_branch text not null,
    file_path text not null,
    env jsonb not null,
    sealed_webhook_secret bytea not null,
    sealed_git_credential bytea,
    key_id text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

comment on column pipeline.sealed_webhook_secret is 'AES-256-GCM under key_id';

-- Numbers runs per pipeline. A row of its own, so that counting a run never waits for an edit of the pipeline.
create table run_counter (
    pipeline_id uuid not null primary key references pipeline (id) on delete cascade,
    last_number integer not null default 0
);

-- migrate:down

drop table run_counter;
drop table pipeline;
