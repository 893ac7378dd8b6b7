-- name: ClaimNotifications :many
-- Take messages that are due, at most `max_per_channel` under way for each channel, so that a slow target holds up nobody else.
-- A claim lapses after `claim_seconds`: a notifier that died in between leaves nothing stuck. Locks: notification rows (SKIP LOCKED).
-- @json payload shared.notice:Notice
with clock as (
    select coalesce(sqlc.narg('now')::timestamptz, now()) as at_time
),
room as (
    select
        c.id as channel_id,
        ((@max_per_channel::integer) - count(b.id))::integer as free
    from channel c
    left join notification b
        on b.channel_id = c.id
        and b.state = 'pending'
        and b.claimed_until > (select k.at_time from clock k)
    group by c.id
),
chosen as (
    select due.id
    from room r
    cross join lateral (
        select n.id, n.due_at
        from notification n
        where n.channel_id = r.channel_id
            and n.state = 'pending'
            and n.due_at <= (select k.at_time from clock k)
            and (n.claimed_until is null or n.claimed_until <= (select k.at_time from clock k))
        order by n.due_at
        limit greatest(r.free, 0)
        for update skip locked
    ) due
    order by due.due_at
    limit @max_notifications::integer
),
claimed as (
    update notification n
    set
        claim_epoch = n.claim_epoch + 1,
        claimed_until = (select k.at_time from clock k) + make_interval(secs => @claim_seconds::float8)
    from chosen h
    where n.id = h.id
    returning n.id, n.channel_id, n.claim_epoch, n.event, n.payload, n.created_at
)
select
    d.id as notification_id, d.claim_epoch, d.event, d.payload, d.created_at,
    c.id as channel_id, c.name as channel_name, c.kind, c.sealed_url, c.sealed_secret, c.key_id
from claimed d
join channel c on c.id = d.channel_id;

-- name: NextNotificationDue :one
-- In how many seconds the next message falls due or the next claim lapses; null when the outbox is empty.
-- @nullable due_in_seconds
-- @required
select (
    select extract(epoch from min(greatest(n.due_at, n.claimed_until)) - now())
    from notification n
    where n.state = 'pending'
)::float8 as due_in_seconds;
