-- migrate:up

-- Whoever enqueues through ingest needs the right to call this, and none of those to the tables below it.
alter function insert_jobs(jsonb, text) security definer;
grant execute on function insert_jobs(jsonb, text) to howdah_ingest;

grant select on job_type, limit_key, job_key to howdah_ingest;

-- migrate:down

revoke all on job_type, limit_key, job_key from howdah_ingest;
revoke execute on function insert_jobs(jsonb, text) from howdah_ingest;
alter function insert_jobs(jsonb, text) security invoker;
