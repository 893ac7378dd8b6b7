-- name: EnterReader :exec
-- @json address tests.unit.codegen.payloads:Address
insert into reader (id, name, kind, address, joined_on)
values (@reader_id::uuid, @name::text, @kind::reader_kind, sqlc.narg('address')::jsonb, @joined_on::date);

-- name: ReadReader :one
-- @required
-- @json profile typing:Any
select r.id as reader_id, r.kind, r.address, jsonb_build_object('name', r.name)::jsonb as profile, r.joined_on
from reader r
where r.id = @reader_id::uuid;

-- name: ReadAddress :one
-- @required
select r.address from reader r where r.id = @reader_id::uuid;
