-- name: ReadWebhookTarget :one
-- What is needed to check a webhook's signature and to compare its repository.
select
    p.id as pipeline_id, p.repository_key, p.repository_url, p.default_branch, p.sealed_webhook_secret,
    p.sealed_git_credential, p.key_id
from pipeline p
where p.name = @name::text;

-- name: AcceptDeliveries :many
-- Record signed deliveries and request their runs, those of many calls in one statement: it is all or none. Returns the runs'
-- numbers. A run that is missing from the answer was not requested: its delivery was received before, or its pipeline is gone.
-- Runs are numbered in the order of the delivery ids, which is that in which the calls came.
-- The calls travel as one document: that is several times cheaper, here and there, than an array for each column.
-- Locks: the pipelines (FOR KEY SHARE), then their run counters, each by id.
-- @json pushes services.ingest.push_order:PushOrders
with arrived as (
    select
        u.delivery_id, u.pipeline_id, u.run_id, u.plan_job_id, u.source, u.event, u.forge_delivery_id, u.digest,
        u.remote_address, u.body, u.ref, u.branch, u.commit_sha, u.before_sha, u.title, u.author
    from json_populate_recordset(null::push, @pushes::json) as u (
        delivery_id, run_id, plan_job_id, pipeline_id, source, event, forge_delivery_id, digest, remote_address, body,
        ref, branch, commit_sha, before_sha, title, author
    )
),
living as (
    select p.id
    from pipeline p
    where p.id in (select a.pipeline_id from arrived a)
    order by p.id
    for key share of p
),
received as (
    insert into delivery (
        id, pipeline_id, source, event, forge_delivery_id, digest, outcome, reason, remote_address, body
    )
    select
        a.delivery_id, l.id, a.source, a.event, a.forge_delivery_id, decode(a.digest, 'base64'), 'accepted', '',
        a.remote_address, decode(a.body, 'base64')
    from arrived a
    join living l on l.id = a.pipeline_id
    order by a.pipeline_id, a.digest
    on conflict (pipeline_id, digest) where digest is not null do nothing
    returning id
),
fresh as (
    select array_agg(
        row(
            a.run_id, a.plan_job_id, a.pipeline_id, 'push', a.ref, a.branch, a.commit_sha, a.before_sha, a.title,
            a.author, 'webhook:' || a.source, a.delivery_id, null
        )::run_request
        order by a.delivery_id
    ) as requests
    from received r
    join arrived a on a.delivery_id = r.id
    having count(*) > 0
)
select n.run_id::uuid as run_id, n.number::integer as number
from fresh f
cross join lateral request_runs(f.requests, @plan_timeout_seconds::integer) as n (run_id, number);

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
