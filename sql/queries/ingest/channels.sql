-- name: CreateChannel :one
-- Enter a channel. No row: the name is taken.
-- @row Channel
-- @nullable pipeline_name
with entered as (
    insert into channel (id, name, kind, pipeline_id, events, sealed_url, sealed_secret, key_id)
    values (
        @channel_id::uuid, @name::text, @kind::channel_kind, sqlc.narg('pipeline_id')::uuid, @events::text[],
        @sealed_url::bytea, sqlc.narg('sealed_secret')::bytea, @key_id::text
    )
    on conflict (name) do nothing
    returning id, name, kind, pipeline_id, events, created_at
)
select e.id as channel_id, e.name, e.kind, p.name as pipeline_name, e.events, e.created_at
from entered e
left join pipeline p on p.id = e.pipeline_id;

-- name: ListChannels :many
-- Channels by name, after the given one. Their URLs and secrets are shown to nobody.
-- @row Channel
-- @nullable pipeline_name
select c.id as channel_id, c.name, c.kind, p.name as pipeline_name, c.events, c.created_at
from channel c
left join pipeline p on p.id = c.pipeline_id
where c.name > @after_name::text
order by c.name
limit @max_rows::integer;

-- name: DeleteChannel :execrows
-- Delete a channel with its messages.
delete from channel c
where c.name = @name::text;

-- name: ListNotifications :many
-- The messages about a run and what became of them.
select
    n.id as notification_id, c.name as channel_name, c.kind, n.event, n.job_id, n.state, n.claim_epoch as tries, n.due_at,
    n.last_error, n.created_at, n.ended_at
from notification n
join channel c on c.id = n.channel_id
where n.run_id = @run_id::uuid
order by n.created_at, n.id;
