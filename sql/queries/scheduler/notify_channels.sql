-- name: NotifyChannels :execrows
-- Put a message for every channel that wants this event into the outbox, once per channel, run, job and event.
-- @json payload shared.notice:Notice
insert into notification (id, channel_id, event, run_id, job_id, payload)
select new_id(), c.id, @event::text, @run_id::uuid, sqlc.narg('job_id')::uuid, @payload::jsonb
from channel c
where @event::text = any(c.events)
    and (c.pipeline_id is null or c.pipeline_id = @pipeline_id::uuid)
on conflict do nothing
returning (select ring('notification_due'));
