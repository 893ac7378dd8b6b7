-- name: PublishJobTypes :exec
-- What the handlers of this executor take and give. The executor that comes last has the say.
-- @json payload_schemas typing:Any
-- @json result_schemas typing:Any
-- @json retries typing:Any
insert into job_type as t (
    name, description, payload_schema, result_schema, max_attempts, timeout_seconds, retry, batch_size
)
select
    u.name, u.description, u.payload_schema, u.result_schema, u.max_attempts, u.timeout_seconds, u.retry, u.batch_size
from rows from (
    unnest(@names::text[]),
    unnest(@descriptions::text[]),
    unnest(@payload_schemas::jsonb[]),
    unnest(@result_schemas::jsonb[]),
    unnest(@max_attempts::smallint[]),
    unnest(@timeouts_seconds::integer[]),
    unnest(@retries::jsonb[]),
    unnest(@batch_sizes::integer[])
) as u (name, description, payload_schema, result_schema, max_attempts, timeout_seconds, retry, batch_size)
order by u.name
on conflict (name) do update
set
    description = excluded.description,
    payload_schema = excluded.payload_schema,
    result_schema = excluded.result_schema,
    max_attempts = excluded.max_attempts,
    timeout_seconds = excluded.timeout_seconds,
    retry = excluded.retry,
    batch_size = excluded.batch_size,
    published_at = now()
where (
    t.description, t.payload_schema, t.result_schema, t.max_attempts, t.timeout_seconds, t.retry, t.batch_size
) is distinct from (
    excluded.description, excluded.payload_schema, excluded.result_schema, excluded.max_attempts,
    excluded.timeout_seconds, excluded.retry, excluded.batch_size
);
