-- name: ListChangedJobTypes :many
-- What executors have published since the caller looked: types that it does not know, or knows as of another time.
-- @json payload_schema typing:Any
-- @json result_schema typing:Any
-- @json retry typing:Any
select
    t.name as job_type, t.description, t.payload_schema, t.result_schema, t.max_attempts, t.timeout_seconds, t.retry,
    t.batch_size, t.published_at
from job_type t
where not exists (
    select 1
    from rows from (unnest(@known_names::text[]), unnest(@known_published_at::timestamptz[])) as k (name, published_at)
    where k.name = t.name
        and k.published_at = t.published_at
)
order by t.name;
