-- migrate:up

-- What the executor's new queries need.
grant select on queue to howdah_executor;
grant select, insert, update on job_progress, job_type to howdah_executor;

-- Whoever enqueues or requests may come upon a lane that is not there yet.
grant execute on function lane_of(job_kind, text, text, text[]) to howdah_ingest, howdah_scheduler;
grant insert on attempt to howdah_scheduler;

-- Whoever inserts jobs counts them.
grant insert on job_count_change to howdah_ingest, howdah_scheduler;

-- migrate:down

revoke insert on job_count_change from howdah_ingest, howdah_scheduler;
revoke insert on attempt from howdah_scheduler;
revoke execute on function lane_of(job_kind, text, text, text[]) from howdah_ingest, howdah_scheduler;
revoke all on job_type, job_progress, queue from howdah_executor;
