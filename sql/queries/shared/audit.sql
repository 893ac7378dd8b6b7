-- name: RecordEvent :exec
-- Append one event to the audit, in the transaction of what it tells, and wake those who watch.
-- @json detail typing:Any
insert into audit_event (name, actor, pipeline_id, run_id, job_id, detail)
values (
    @name::text,
    @actor::text,
    sqlc.narg('pipeline_id')::uuid,
    sqlc.narg('run_id')::uuid,
    sqlc.narg('job_id')::uuid,
    @detail::jsonb
)
returning (select ring('event_recorded'));
