-- migrate:up

-- A key whose jobs are limited in number and rate, across all executors.
create table limit_key (
    id integer not null generated always as identity primary key,
    name text not null unique check (name <> '' and length(name) <= 255),
    -- How many of its jobs may be ready or running at once.
    max_running integer not null default 1 check (max_running between 0 and 1000000),
    -- At most so many are released in each stretch of rate_seconds; null: at any rate.
    rate_count integer check (rate_count > 0),
    rate_seconds double precision check (rate_seconds > 0),
    updated_at timestamptz not null default now(),
    constraint limit_key_rate_is_whole check ((rate_count is null) = (rate_seconds is null))
);

-- The token bucket of a rate. Apart from the limit, which is a person's.
create table limit_bucket (
    limit_key_id integer not null primary key references limit_key (id) on delete cascade,
    tokens double precision not null,
    filled_at timestamptz not null
);

-- The rows that come with every job have no foreign keys: checking them took a fifth of the time of enqueueing. What
-- belongs to a job is inserted in the statement that inserts the job, and goes with it, in sets (job_gone, below).
alter table job drop constraint job_lane_id_fkey;
alter table job_spec drop constraint job_spec_job_id_fkey;
alter table attempt drop constraint attempt_job_id_fkey;
alter table step drop constraint step_job_id_epoch_fkey;

alter table job
    -- A limit_key, without a foreign key, too: limit keys stay.
    add column limit_key_id integer,
    -- How often somebody has brought it back from its end.
    add column redrives smallint not null default 0;

-- Every statement reads every constraint anew from its text in the catalog, and every update evaluates all of them: nine of them, with
-- lists of states in them, took a tenth of adding a job by itself. So this is one, which says what a move from state to state can get
-- wrong; what is asked for is checked where a job comes in. States come in the order of a life: up to 'running' a job has not ended.
-- The executor of the newest attempt stays on record, because that attempt may have no row of its own.
alter table job
    drop constraint job_running_has_executor,
    drop constraint job_running_has_claim,
    drop constraint job_final_has_end,
    drop constraint job_settled_is_final,
    drop constraint job_dead_is_alone,
    drop constraint job_attempts_bounded,
    drop constraint job_priority_check,
    drop constraint job_max_attempts_check,
    drop constraint job_max_losses_check,
    add constraint job_state_has_its_columns check (
        attempts_used <= max_attempts
        and losses <= max_losses
        and (finished_at is null) = (state <= 'running')
        and (state <> 'running' or (executor_id is not null and claim_epoch > 0 and claimed_at is not null))
        and (run_id is null or case when finished_at is null then not settled else state <> 'dead' end)
    );

-- Every update of a job evaluates the predicate of every index: as few as can be, and what is rare first.
drop index job_plan_finished;
drop index job_run_finished;
-- Ends of which the scheduler has still to draw the consequences.
create index job_unsettled on job (run_id) where run_id is not null and not settled and finished_at is not null;
-- The beat looks only at what is to be canceled, however much has run here.
create index job_cancel_requested on job (executor_id) where cancel_requested_at is not null and state = 'running';
-- Of each limited key: what counts against the limit, and what waits.
create index job_limited on job (limit_key_id, state, claim_order)
where limit_key_id is not null and finished_at is null;
-- What ended otherwise than well, newest last; nobody pays for it on the way to a success.
create index job_unsuccessful on job (state, id) where state in ('failed', 'dead', 'canceled');

alter table job_spec
    -- What the handler gets; null for jobs that are commands.
    add column payload jsonb,
    add column metadata jsonb,
    -- shared.jobs' RetryPolicy; null: that of the handler.
    add column retry jsonb,
    -- W3C Trace Context, for whoever follows a request through.
    add column traceparent text,
    add column enqueued_by text not null default '';

create index job_spec_metadata on job_spec using gin (metadata jsonb_path_ops) where metadata is not null;

-- Idempotency: the job that a key led to, for as long as the key counts.
create table job_key (
    job_type text not null,
    key text not null check (key <> '' and length(key) <= 255),
    job_id uuid not null,
    expires_at timestamptz not null,
    primary key (job_type, key)
);

create index job_key_of_job on job_key (job_id);
create index job_key_expires on job_key (expires_at);

-- What a handler last said of its progress.
create table job_progress (
    job_id uuid not null primary key,
    epoch integer not null,
    fraction real not null check (fraction between 0 and 1),
    message text not null,
    updated_at timestamptz not null default now()
) with (fillfactor = 70);

-- What belongs to a job goes with it. Log chunks do not: their partitions are dropped by the day.
create function forget_jobs() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
    delete from job_spec s using old_job o where s.job_id = o.id;
    delete from attempt a using old_job o where a.job_id = o.id;
    delete from step s using old_job o where s.job_id = o.id;
    delete from job_key k using old_job o where k.job_id = o.id;
    delete from job_progress p using old_job o where p.job_id = o.id;
    return null;
end
$$;

create trigger forget_deleted_jobs after delete on job
referencing old table as old_job for each statement execute function forget_jobs();

-- What executors publish of their handlers. It stays when they leave: jobs may be enqueued before one is back.
create table job_type (
    name text not null primary key check (name ~ '^[a-z][a-z0-9_.-]{0,62}$'),
    description text not null,
    payload_schema jsonb not null,
    result_schema jsonb not null,
    max_attempts smallint not null check (max_attempts between 1 and 100),
    timeout_seconds integer not null check (timeout_seconds > 0),
    retry jsonb not null,
    -- How many jobs one call may take; 1: a handler of single jobs.
    batch_size integer not null default 1 check (batch_size > 0),
    published_at timestamptz not null default now()
);

alter table executor
    add column handler_slots integer not null default 0 check (handler_slots between 0 and 100000),
    add column job_types text[] not null default '{}';

alter table command
    alter column run_id drop not null,
    add column queue text,
    -- Which jobs, for commands about many: services.ingest's JobFilter.
    add column job_filter jsonb,
    drop constraint command_check,
    add constraint command_has_object check (
        case
            when kind in ('cancel_run', 'rerun_run') then run_id is not null
            when kind = 'cancel_job' then job_id is not null
            when kind in ('pause_queue', 'resume_queue') then queue is not null
            else job_id is not null or job_filter is not null
        end
    );

create index command_of_job on command (job_id, given_at) where job_id is not null;

-- migrate:down

drop index command_of_job;
delete from command where run_id is null;
alter table command
    drop constraint command_has_object,
    drop column job_filter,
    drop column queue,
    alter column run_id set not null,
    add constraint command_check check ((kind = 'cancel_job') = (job_id is not null));
alter table executor drop column job_types, drop column handler_slots;
drop table job_type;
drop trigger forget_deleted_jobs on job;
drop function forget_jobs();
drop table job_progress;
drop table job_key;
drop index job_spec_metadata;
alter table job_spec
    drop column payload, drop column metadata, drop column retry, drop column traceparent, drop column enqueued_by;
drop index job_unsuccessful;
drop index job_limited;
drop index job_cancel_requested;
drop index job_unsettled;
create index job_plan_finished on job (run_id) where kind = 'plan' and not settled and finished_at is not null;
create index job_run_finished on job (run_id) where kind <> 'plan' and not settled and finished_at is not null;
delete from job_spec s using job j where j.id = s.job_id and j.kind = 'handler';
delete from attempt a using job j where j.id = a.job_id and j.kind = 'handler';
delete from job where kind = 'handler';
update job set executor_id = null where state <> 'running';
alter table job
    drop constraint job_state_has_its_columns,
    add constraint job_running_has_executor check ((state = 'running') = (executor_id is not null)),
    add constraint job_running_has_claim check (state <> 'running' or (claim_epoch > 0 and claimed_at is not null)),
    add constraint job_final_has_end check (
        (state in ('succeeded', 'failed', 'canceled', 'dead', 'skipped')) = (finished_at is not null)
    ),
    add constraint job_settled_is_final check (not settled or run_id is null or finished_at is not null),
    add constraint job_dead_is_alone check (state <> 'dead' or run_id is null),
    add constraint job_attempts_bounded check (attempts_used <= max_attempts and losses <= max_losses),
    add constraint job_priority_check check (priority between -100 and 100),
    add constraint job_max_attempts_check check (max_attempts between 1 and 100),
    add constraint job_max_losses_check check (max_losses between 1 and 100),
    drop column redrives,
    drop column limit_key_id,
    add constraint job_lane_id_fkey foreign key (lane_id) references lane (id);
alter table job_spec
    add constraint job_spec_job_id_fkey foreign key (job_id) references job (id) on delete cascade;
alter table attempt
    add constraint attempt_job_id_fkey foreign key (job_id) references job (id) on delete cascade;
alter table step
    add constraint step_job_id_epoch_fkey
    foreign key (job_id, epoch) references attempt (job_id, epoch) on delete cascade;
drop table limit_bucket;
drop table limit_key;
