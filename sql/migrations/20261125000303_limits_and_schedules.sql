-- migrate:up

grant insert on limit_key to howdah_ingest;
grant update (max_running, rate_count, rate_seconds, updated_at) on limit_key to howdah_ingest;
grant select, insert, delete on schedule to howdah_ingest;
grant update (cron, timezone, catch_up, job, paused_at, updated_at) on schedule to howdah_ingest;
grant select on schedule_tick to howdah_ingest;

-- migrate:down

revoke all on schedule_tick, schedule from howdah_ingest;
revoke update (max_running, rate_count, rate_seconds, updated_at) on limit_key from howdah_ingest;
revoke insert on limit_key from howdah_ingest;
