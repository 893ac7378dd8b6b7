-- name: CreateToken :exec
-- Enter an API token; only the hash of its secret is kept.
insert into api_token (id, name, role, secret_hash, created_by, expires_at)
values (
    @token_id::uuid, @name::text, @role::token_role, @secret_hash::bytea, @created_by::text,
    sqlc.narg('expires_at')::timestamptz
);

-- name: FindToken :one
-- A token that still holds.
select t.id as token_id, t.name, t.role, t.secret_hash
from api_token t
where t.id = @token_id::uuid
    and t.revoked_at is null
    and (t.expires_at is null or t.expires_at > now());

-- name: ListTokens :many
-- All tokens, newest first.
select t.id as token_id, t.name, t.role, t.created_by, t.created_at, t.expires_at, t.revoked_at
from api_token t
order by t.created_at desc, t.id desc
limit @max_rows::integer;

-- name: RevokeToken :execrows
-- From now on the token opens nothing.
update api_token t
set revoked_at = now()
where t.id = @token_id::uuid
    and t.revoked_at is null;
