-- name: ReadWebhookTarget :one
-- What is needed to check a webhook's signature and to compare its repository.
select
    p.id as pipeline_id, p.repository_key, p.repository_url, p.default_branch, p.sealed_webhook_secret,
    p.sealed_git_credential, p.key_id
from pipeline p
where p.name = @name::text;

-- name: AcceptDelivery :one
-- Record a signed delivery and request its run, in one statement. Returns the run's number. No row: the same signed content
-- was received before, or the pipeline is gone. Locks: the pipeline (FOR KEY SHARE), then its run counter.
with received as (
    insert into delivery (
        id, pipeline_id, source, event, forge_delivery_id, digest, outcome, reason, remote_address, body
    )
    select
        @delivery_id::uuid, p.id, @source::text, @delivery_event::text, sqlc.narg('forge_delivery_id')::text,
        @digest::bytea, 'accepted', '', @remote_address::text, @body::bytea
    from pipeline p
    where p.id = @pipeline_id::uuid
    for key share of p
    on conflict (pipeline_id, digest) where digest is not null do nothing
    returning id, pipeline_id
)
select request_run(
    @run_id::uuid, @plan_job_id::uuid, r.pipeline_id, 'push', @ref::text, sqlc.narg('branch')::text, @commit_sha::text,
    sqlc.narg('before_sha')::text, @title::text, @author::text, @requested_by::text, r.id, null,
    @plan_timeout_seconds::integer
)::integer as number
from received r;

-- name: IgnoreDelivery :execrows
-- Record a signed delivery that starts no run, and why. 0 rows: received before, or the pipeline is gone.
insert into delivery (
    id, pipeline_id, source, event, forge_delivery_id, digest, outcome, reason, remote_address
)
select
    @delivery_id::uuid, p.id, @source::text, @delivery_event::text, sqlc.narg('forge_delivery_id')::text, @digest::bytea,
    'ignored', @reason::text, @remote_address::text
from pipeline p
where p.id = @pipeline_id::uuid
for key share of p
on conflict (pipeline_id, digest) where digest is not null do nothing;

-- name: FindDelivery :one
-- The delivery of some signed content, and its run if it started one.
select d.id as delivery_id, d.outcome, d.reason, d.received_at, r.id as run_id, r.number as run_number
from delivery d
left join run r on r.delivery_id = d.id
where d.pipeline_id = @pipeline_id::uuid
    and d.digest = @digest::bytea;

-- name: RejectDelivery :exec
-- Record that a call was turned away, without its body, and forget all but the newest of the pipeline's: strangers cannot fill the disk.
with forgotten as (
    delete from delivery d
    where d.id in (
        select o.id
        from delivery o
        where o.pipeline_id = @pipeline_id::uuid
            and o.outcome = 'rejected'
        order by o.received_at desc
        offset @kept::integer
    )
)
insert into delivery (
    id, pipeline_id, source, event, forge_delivery_id, outcome, reason, remote_address
)
select
    @delivery_id::uuid, p.id, @source::text, @delivery_event::text, sqlc.narg('forge_delivery_id')::text, 'rejected',
    @reason::text, @remote_address::text
from pipeline p
where p.id = @pipeline_id::uuid
for key share of p;

-- name: ListDeliveries :many
-- The deliveries of a pipeline, newest first, before a cursor (received_at, id).
select
    d.id as delivery_id, d.source, d.event, d.forge_delivery_id, d.outcome, d.reason, d.remote_address, d.received_at,
    r.id as run_id, r.number as run_number
from delivery d
left join run r on r.delivery_id = d.id
where d.pipeline_id = @pipeline_id::uuid
    and (d.received_at, d.id) < (@before_received_at::timestamptz, @before_delivery_id::uuid)
order by d.received_at desc, d.id desc
limit @max_rows::integer;
