-- migrate:up

-- Jobs of a typed handler; attempts that put themselves off; what may be asked for jobs on their own and for queues.
-- Apart from what uses them: a label cannot be used in the transaction that adds it.
alter type job_kind add value 'handler';
alter type attempt_outcome add value 'snoozed';
alter type command_kind add value 'redrive_jobs';
alter type command_kind add value 'discard_jobs';
alter type command_kind add value 'cancel_jobs';
alter type command_kind add value 'pause_queue';
alter type command_kind add value 'resume_queue';

-- migrate:down

-- An enum cannot lose a label: each is made anew, and what used the label goes.
delete from command where kind::text not in ('cancel_run', 'cancel_job', 'rerun_run');
alter table command drop constraint command_check;
alter type command_kind rename to wider_command_kind;
create type command_kind as enum ('cancel_run', 'cancel_job', 'rerun_run');
alter table command alter column kind type command_kind using kind::text::command_kind;
alter table command add constraint command_check check ((kind = 'cancel_job') = (job_id is not null));
drop type wider_command_kind;

delete from attempt where outcome::text = 'snoozed';
drop function next_job_state(attempt_outcome, boolean, boolean, integer, integer, integer, integer, boolean);
alter type attempt_outcome rename to wider_attempt_outcome;
create type attempt_outcome as enum ('succeeded', 'failed', 'errored', 'timed_out', 'canceled', 'lost', 'handed_back');
alter table attempt alter column outcome type attempt_outcome using outcome::text::attempt_outcome;
drop type wider_attempt_outcome;
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
grant execute on function
    next_job_state(attempt_outcome, boolean, boolean, integer, integer, integer, integer, boolean)
to howdah_scheduler, howdah_executor;

delete from job where kind::text = 'handler';
drop index job_plan_finished;
drop index job_run_finished;
alter type job_kind rename to wider_job_kind;
create type job_kind as enum ('plan', 'shell');
alter table job alter column kind type job_kind using kind::text::job_kind;
drop type wider_job_kind;
create index job_plan_finished on job (run_id) where kind = 'plan' and not settled and finished_at is not null;
create index job_run_finished on job (run_id) where kind <> 'plan' and not settled and finished_at is not null;
