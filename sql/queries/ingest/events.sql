-- name: StreamEvents :many
-- Events after a cursor (transaction, row), of one run if asked. Rows that are not `steady` may still be overtaken: look again soon.
-- @json detail typing:Any
select
    e.tx_id, e.id as row_id, e.name, e.actor, p.name as pipeline_name, e.run_id, e.job_id, e.detail, e.recorded_at,
    (e.tx_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::boolean as steady
from audit_event e
left join pipeline p on p.id = e.pipeline_id
where (e.tx_id, e.id) > (@after_tx_id::bigint, @after_row_id::bigint)
    and (sqlc.narg('run_id')::uuid is null or e.run_id = sqlc.narg('run_id')::uuid)
order by e.tx_id, e.id
limit @max_rows::integer;
