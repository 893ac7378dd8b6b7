-- name: FinishNotifications :execrows
-- moves notification: pending → delivered | dead
-- Or still pending with a later due time, where the claim still holds. Sentinels: error '' for none;
-- retry_in_seconds is read for `pending` only. Locks: notification rows.
update notification n
set
    state = u.state,
    last_error = coalesce(nullif(u.error, ''), n.last_error),
    claimed_until = null,
    due_at = case
        when u.state = 'pending' then now() + make_interval(secs => u.retry_in_seconds)
        else n.due_at
    end,
    ended_at = case when u.state = 'pending' then null else now() end
from rows from (
    unnest(@notification_ids::uuid[]),
    unnest(@claim_epochs::integer[]),
    unnest(@states::notification_state[]),
    unnest(@errors::text[]),
    unnest(@retry_in_seconds::float8[])
) as u (notification_id, claim_epoch, state, error, retry_in_seconds)
where n.id = u.notification_id
    and n.claim_epoch = u.claim_epoch
    and n.state = 'pending';
