-- migrate:up

-- What each service may do: no more than its queries need. tests/contract proves both directions.

-- ingest: the front door. It starts runs with their plan jobs, and changes nothing of them afterwards.
grant select, insert, update, delete on pipeline to howdah_ingest;
grant select, insert, update on run_counter to howdah_ingest;
grant select, insert, delete on delivery to howdah_ingest;
grant select, insert on run to howdah_ingest;
grant select, insert on lane to howdah_ingest;
grant select, insert on job to howdah_ingest;
grant select, insert on job_spec to howdah_ingest;
grant select on attempt, step, executor, log_chunk, notification to howdah_ingest;
grant select, insert on command to howdah_ingest;
grant insert, delete on channel to howdah_ingest;
grant select (id, name, kind, pipeline_id, events, created_at) on channel to howdah_ingest;
grant select, insert on api_token to howdah_ingest;
grant update (revoked_at) on api_token to howdah_ingest;
grant select, insert on audit_event to howdah_ingest;
grant execute on function
    lane_of(text, text[]),
    claim_order_of(timestamptz, smallint),
    request_run(uuid, uuid, uuid, text, text, text, text, text, text, text, text, uuid, uuid, integer)
to howdah_ingest;

-- scheduler: draws the consequences.
grant select (id, name) on pipeline to howdah_scheduler;
grant select, insert, update on run_counter to howdah_scheduler;
grant select, insert, update on run to howdah_scheduler;
grant select, insert on lane to howdah_scheduler;
grant select, insert, update on job to howdah_scheduler;
grant select, insert on job_spec to howdah_scheduler;
grant select on attempt to howdah_scheduler;
grant update (ended_at, outcome, error) on attempt to howdah_scheduler;
grant select on executor to howdah_scheduler;
grant update (state, ended_at) on executor to howdah_scheduler;
grant select on command to howdah_scheduler;
grant update (applied_at, outcome, result_run_id) on command to howdah_scheduler;
grant select (id, pipeline_id, events) on channel to howdah_scheduler;
grant insert on notification to howdah_scheduler;
grant insert on audit_event to howdah_scheduler;
grant execute on function
    lane_of(text, text[]),
    claim_order_of(timestamptz, smallint),
    next_job_state(attempt_outcome, boolean, boolean, integer, integer, integer, integer, boolean),
    request_run(uuid, uuid, uuid, text, text, text, text, text, text, text, text, uuid, uuid, integer),
    make_log_partitions(integer),
    new_id()
to howdah_scheduler;

-- executor: works, and writes down what happens, under its claim epoch.
grant select on lane, job, job_spec, run to howdah_executor;
grant update (
    state, reason, run_at, claim_order, claim_epoch, executor_id, attempts_used, claimed_at, finished_at
) on job to howdah_executor;
grant select (
    id, name, repository_url, default_branch, file_path, env, sealed_git_credential, key_id
) on pipeline to howdah_executor;
grant select, insert, update on attempt to howdah_executor;
grant select, insert, update on step to howdah_executor;
grant insert on log_chunk to howdah_executor;
grant usage on sequence log_chunk_row_id to howdah_executor;
grant select, insert, update on executor to howdah_executor;
grant insert on audit_event to howdah_executor;
grant execute on function
    claim_order_of(timestamptz, smallint),
    next_job_state(attempt_outcome, boolean, boolean, integer, integer, integer, integer, boolean),
    make_log_partitions(integer)
to howdah_executor;

-- notifier: empties the outbox.
grant select on channel, notification to howdah_notifier;
grant update (state, claim_epoch, due_at, claimed_until, last_error, ended_at) on notification to howdah_notifier;

-- Every service may record events of its own.
grant insert on audit_event to howdah_notifier;

-- migrate:down

revoke all on all tables in schema public
from howdah_ingest, howdah_scheduler, howdah_executor, howdah_notifier;
revoke all on all sequences in schema public
from howdah_ingest, howdah_scheduler, howdah_executor, howdah_notifier;
revoke all on all functions in schema public
from howdah_ingest, howdah_scheduler, howdah_executor, howdah_notifier;
grant execute on function ring(text), applied_schema_version()
to howdah_ingest, howdah_scheduler, howdah_executor, howdah_notifier;
grant select on schema_contract to howdah_ingest, howdah_scheduler, howdah_executor, howdah_notifier;
