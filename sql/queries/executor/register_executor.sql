-- name: RegisterExecutor :exec
-- Enter as a new executor. A lost executor comes back under a new id.
with entered as (
    insert into executor (id, name, version, queues, labels, slots, plan_slots, handler_slots, job_types)
    values (
        @executor_id::uuid, @name::text, @version::text, @queues::text[], @labels::text[],
        @slots::integer, @plan_slots::integer, @handler_slots::integer, @job_types::text[]
    )
    returning id, name
)
insert into audit_event (name, actor, detail)
select 'executor.registered', 'executor:' || e.id::text, jsonb_build_object('name', e.name)
from entered e;

-- name: MakeLogPartitions :one
-- Make the log partitions of the coming days where they are lacking.
-- @required
select make_log_partitions(@days_ahead::integer)::integer as made;
