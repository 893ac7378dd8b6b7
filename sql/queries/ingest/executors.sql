-- name: ListHandlerExecutors :many
-- The live executors that claim jobs of handlers, by name; what they claim is told by their types, queues and labels.
select
    e.id as executor_id, e.name, e.version, e.queues, e.labels, e.job_types, e.handler_slots, e.state, e.registered_at, e.beat_at
from executor e
where e.ended_at is null
    and cardinality(e.job_types) > 0
order by e.name, e.id;
