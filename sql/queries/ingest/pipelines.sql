-- name: CreatePipeline :one
-- Enter a new pipeline. No row: the name is taken.
-- @row Pipeline
-- @json env shared.job_spec:Environment
insert into pipeline as p (
    id, name, repository_url, repository_key, default_branch, file_path, env, log_retention, sealed_webhook_secret,
    sealed_git_credential, key_id
)
values (
    @pipeline_id::uuid, @name::text, @repository_url::text, @repository_key::text, @default_branch::text,
    @file_path::text, @env::jsonb, @log_retention::log_retention, @sealed_webhook_secret::bytea, sqlc.narg('sealed_git_credential')::bytea,
    @key_id::text
)
on conflict (name) do nothing
returning
    p.id as pipeline_id, p.name, p.repository_url, p.default_branch, p.file_path, p.env, p.log_retention,
    (p.sealed_git_credential is not null)::boolean as has_git_credential, p.created_at, p.updated_at;

-- name: GetPipeline :one
-- A pipeline by its name.
-- @row Pipeline
-- @json env shared.job_spec:Environment
select
    p.id as pipeline_id, p.name, p.repository_url, p.default_branch, p.file_path, p.env, p.log_retention,
    (p.sealed_git_credential is not null)::boolean as has_git_credential, p.created_at, p.updated_at
from pipeline p
where p.name = @name::text;

-- name: ListPipelines :many
-- Pipelines by name, after the given one.
-- @row Pipeline
-- @json env shared.job_spec:Environment
select
    p.id as pipeline_id, p.name, p.repository_url, p.default_branch, p.file_path, p.env, p.log_retention,
    (p.sealed_git_credential is not null)::boolean as has_git_credential, p.created_at, p.updated_at
from pipeline p
where p.name > @after_name::text
order by p.name
limit @max_rows::integer;

-- name: UpdatePipeline :one
-- Change what is given; null leaves as it is. No row: there is no such pipeline.
-- @row Pipeline
-- @json env shared.job_spec:Environment
update pipeline p
set
    repository_url = coalesce(sqlc.narg('repository_url')::text, p.repository_url),
    repository_key = coalesce(sqlc.narg('repository_key')::text, p.repository_key),
    default_branch = coalesce(sqlc.narg('default_branch')::text, p.default_branch),
    file_path = coalesce(sqlc.narg('file_path')::text, p.file_path),
    env = coalesce(sqlc.narg('env')::jsonb, p.env),
    log_retention = coalesce(sqlc.narg('log_retention')::log_retention, p.log_retention),
    updated_at = now()
where p.name = @name::text
returning
    p.id as pipeline_id, p.name, p.repository_url, p.default_branch, p.file_path, p.env, p.log_retention,
    (p.sealed_git_credential is not null)::boolean as has_git_credential, p.created_at, p.updated_at;

-- name: SealPipelineSecrets :execrows
-- Replace both sealed values, under one key.
update pipeline p
set
    sealed_webhook_secret = @sealed_webhook_secret::bytea,
    sealed_git_credential = sqlc.narg('sealed_git_credential')::bytea,
    key_id = @key_id::text,
    updated_at = now()
where p.id = @pipeline_id::uuid;

-- name: DeletePipeline :one
-- Delete a pipeline with its runs, unless one of them is still active. No row: there is no such pipeline.
with found as (
    select p.id
    from pipeline p
    where p.name = @name::text
    for update of p
),
active as (
    select count(*) as runs
    from run r
    join found f on f.id = r.pipeline_id
    where r.finished_at is null
),
deleted as (
    delete from pipeline p
    using found f, active a
    where p.id = f.id
        and a.runs = 0
    returning p.id
)
select
    f.id as pipeline_id,
    (exists (select 1 from deleted))::boolean as deleted,
    (select a.runs from active a)::integer as active_runs
from found f;
