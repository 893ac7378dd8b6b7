-- name: PauseQueue :execrows
-- Nothing of the queue is claimed any more. No row: it is paused already. Locks: the queue's row.
insert into queue as q (name, paused_at, paused_by, why)
values (@queue::text, now(), @paused_by::text, @why::text)
on conflict (name) do update
set
    paused_at = excluded.paused_at,
    paused_by = excluded.paused_by,
    why = excluded.why
where q.paused_at is null;

-- name: ResumeQueue :execrows
-- Jobs of the queue are claimed again, from now on. No row: it was not paused. Locks: the queue's row.
update queue q
set
    paused_at = null,
    paused_by = null,
    why = null
where q.name = @queue::text
    and q.paused_at is not null
returning (select ring('job_ready'));
