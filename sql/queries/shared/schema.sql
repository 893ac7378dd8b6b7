-- name: ReadSchemaVersion :one
-- The newest applied migration, and the oldest code that may run with it. Also what health asks.
-- @required
select
    applied_schema_version()::text as version,
    c.min_code_version
from schema_contract c;
