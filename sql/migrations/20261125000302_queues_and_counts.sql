-- migrate:up

-- What ingest shows of jobs on their own: counters, queues, progress.
grant select on job_count, job_count_change, queue, job_progress to howdah_ingest;

-- migrate:down

revoke select on job_count, job_count_change, queue, job_progress from howdah_ingest;
