-- name: CreateSchedule :one
-- Enter a schedule. No row: the name is taken.
-- @row Schedule
-- @json job typing:Any
insert into schedule (id, name, cron, timezone, catch_up, job, paused_at, created_by)
values (
    @schedule_id::uuid, @name::text, @cron::text, @timezone::text, @catch_up::schedule_catch_up, @job::jsonb,
    case when @paused::boolean then now() end, @created_by::text
)
on conflict (name) do nothing
returning
    id as schedule_id, name, cron, timezone, catch_up, job, paused_at, created_by, created_at, updated_at;

-- name: ListSchedules :many
-- Schedules by name, after the given one.
-- @row Schedule
-- @json job typing:Any
select
    s.id as schedule_id, s.name, s.cron, s.timezone, s.catch_up, s.job, s.paused_at, s.created_by, s.created_at, s.updated_at
from schedule s
where s.name > @after_name::text
order by s.name
limit @max_rows::integer;

-- name: FindSchedule :one
-- @row Schedule
-- @json job typing:Any
select
    s.id as schedule_id, s.name, s.cron, s.timezone, s.catch_up, s.job, s.paused_at, s.created_by, s.created_at, s.updated_at
from schedule s
where s.name = @name::text;

-- name: ChangeSchedule :one
-- Change what is given; whoever fires schedules sees by `updated_at` that it is to be reckoned anew. Locks: the schedule.
-- @row Schedule
-- @json job typing:Any
update schedule s
set
    cron = coalesce(sqlc.narg('cron')::text, s.cron),
    timezone = coalesce(sqlc.narg('timezone')::text, s.timezone),
    catch_up = coalesce(sqlc.narg('catch_up')::schedule_catch_up, s.catch_up),
    job = coalesce(sqlc.narg('job')::jsonb, s.job),
    paused_at = case
        when sqlc.narg('paused')::boolean is null then s.paused_at
        when sqlc.narg('paused')::boolean then coalesce(s.paused_at, now())
    end,
    updated_at = clock_timestamp()
where s.name = @name::text
returning
    s.id as schedule_id, s.name, s.cron, s.timezone, s.catch_up, s.job, s.paused_at, s.created_by, s.created_at, s.updated_at;

-- name: DeleteSchedule :execrows
-- Delete a schedule with its ticks. The jobs of the ticks stay.
delete from schedule s
where s.name = @name::text;

-- name: ListTicks :many
-- The last ticks of a schedule and what became of their jobs, newest first. A job is gone when its time to be kept is over.
select t.due_at, t.job_id, j.state, t.recorded_at
from schedule_tick t
left join job j on j.id = t.job_id
where t.schedule_id = @schedule_id::uuid
order by t.due_at desc
limit @max_rows::integer;
