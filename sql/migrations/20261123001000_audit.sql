-- migrate:up

-- What happened, in the transaction in which it happened. Append-only for every service.
create table audit_event (
    id bigint not null generated always as identity primary key,
    -- Cursor of the event stream: (tx_id, id), valid below pg_snapshot_xmin.
    tx_id bigint not null default (pg_current_xact_id()::text::bigint),
    name text not null,
    actor text not null,
    pipeline_id uuid,
    run_id uuid,
    job_id uuid,
    detail jsonb not null,
    recorded_at timestamptz not null default now()
);

create index audit_event_cursor on audit_event (tx_id, id);
create index audit_event_of_run on audit_event (run_id, id) where run_id is not null;

-- migrate:down

drop table audit_event;
