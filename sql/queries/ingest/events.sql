-- name: StreamEvents :many
-- Events after a cursor (transaction, row) and below a horizon, of one run if asked.
-- @json detail typing:Any
select
    e.tx_id, e.id as row_id, e.name, e.actor, p.name as pipeline_name, r.number as run_number, e.run_id, e.job_id,
    s.key as job_key, e.detail, e.recorded_at
from audit_event e
left join run r on r.id = e.run_id
left join pipeline p on p.id = coalesce(e.pipeline_id, r.pipeline_id)
left join job_spec s on s.job_id = e.job_id
where (e.tx_id, e.id) > (@after_tx_id::bigint, @after_row_id::bigint)
    and e.tx_id < @below_tx_id::bigint
    and (sqlc.narg('run_id')::uuid is null or e.run_id = sqlc.narg('run_id')::uuid)
order by e.tx_id, e.id
limit @max_rows::integer;
