-- name: FindDueSchedules :one
-- Schedules that are not paused and are new, were changed, or are due, the one that has waited longest first; and in how many seconds
-- the next of the others is due. Locks nothing.
-- @required
-- @nullable next_due_in_seconds
with clock as (
    select coalesce(sqlc.narg('now')::timestamptz, now()) as at_time
)
select
    array(
        select s.id
        from schedule s
        left join schedule_state st on st.schedule_id = s.id
        where s.paused_at is null
            and (
                st.schedule_id is null
                or st.seen_updated_at <> s.updated_at
                or st.next_at <= (select c.at_time from clock c)
            )
        order by coalesce(st.next_at, s.updated_at), s.id
        limit @max_schedules::integer
    )::uuid[] as schedule_ids,
    (
        select extract(epoch from min(st.next_at) - (select c.at_time from clock c))
        from schedule_state st
        join schedule s on s.id = st.schedule_id
        where s.paused_at is null
            and st.next_at > (select c.at_time from clock c)
    )::float8 as next_due_in_seconds;

-- name: LockSchedule :one
-- Lock a schedule, unless it has been paused. No row: that, or it is gone, or another scheduler is at it. Its state is read by the next
-- query, which sees what was committed before this lock was there. Locks: the schedule (SKIP LOCKED).
select
    s.id as schedule_id, s.name, s.cron, s.timezone, s.catch_up, s.updated_at,
    (coalesce(sqlc.narg('now')::timestamptz, now()))::timestamptz as at_time
from schedule s
where s.id = @schedule_id::uuid
    and s.paused_at is null
for no key update skip locked;

-- name: ReadScheduleState :one
-- Where a locked schedule stands. No row: it is new.
select st.next_at, st.seen_updated_at
from schedule_state st
where st.schedule_id = @schedule_id::uuid;

-- name: FireTicks :execrows
-- Enqueue the job of a locked schedule for each of these ticks, oldest first, and record them; a tick that was recorded before is left
-- as it is. Locks: what insert_jobs locks.
with ours as (
    select s.id, s.name, s.job, coalesce(nullif(s.job -> 'metadata', 'null'), '{}') as metadata
    from schedule s
    where s.id = @schedule_id::uuid
),
due as (
    select u.due_at, (row_number() over (order by u.due_at) - 1)::integer as place
    from unnest(@due_ats::timestamptz[]) as u (due_at)
    where not exists (
        select 1
        from schedule_tick t
        where t.schedule_id = @schedule_id::uuid
            and t.due_at = u.due_at
    )
),
enqueued as (
    select i.place, i.job_id
    from insert_jobs(
        (
            select coalesce(
                jsonb_agg(
                    o.job || jsonb_build_object(
                        'metadata', o.metadata || jsonb_build_object('schedule', o.name, 'due_at', d.due_at)
                    )
                    order by d.place
                ),
                '[]'
            )
            from due d
            cross join ours o
        ),
        (select 'schedule:' || o.name from ours o)
    ) as i (place, job_id, created)
)
insert into schedule_tick (schedule_id, due_at, job_id)
select @schedule_id::uuid, d.due_at, e.job_id
from due d
join enqueued e on e.place = d.place
order by d.due_at;

-- name: SkipTicks :execrows
-- Record ticks of a locked schedule for which nothing is enqueued.
insert into schedule_tick (schedule_id, due_at)
select @schedule_id::uuid, u.due_at
from unnest(@due_ats::timestamptz[]) as u (due_at)
order by u.due_at
on conflict do nothing;

-- name: SetScheduleState :exec
-- When a locked schedule is due next, as it was when it was read.
insert into schedule_state as st (schedule_id, next_at, seen_updated_at)
values (@schedule_id::uuid, @next_at::timestamptz, @seen_updated_at::timestamptz)
on conflict (schedule_id) do update
set
    next_at = excluded.next_at,
    seen_updated_at = excluded.seen_updated_at;

-- name: PauseSchedule :execrows
-- A schedule that cannot be fired waits for somebody to put it right. No row: somebody has changed or paused it meanwhile.
-- Locks: the schedule.
update schedule s
set paused_at = now()
where s.id = @schedule_id::uuid
    and s.updated_at = @seen_updated_at::timestamptz
    and s.paused_at is null;
