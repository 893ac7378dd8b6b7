-- migrate:up

grant select on schedule to howdah_scheduler;
-- One that is broken is paused, so that it does not stop the others.
grant update (paused_at) on schedule to howdah_scheduler;
grant select, insert, update on schedule_state to howdah_scheduler;
grant select, insert on schedule_tick to howdah_scheduler;
grant execute on function insert_jobs(jsonb, text) to howdah_scheduler;

-- migrate:down

revoke execute on function insert_jobs(jsonb, text) from howdah_scheduler;
revoke all on schedule_tick, schedule_state, schedule from howdah_scheduler;
