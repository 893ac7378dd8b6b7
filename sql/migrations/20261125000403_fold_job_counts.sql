-- migrate:up

-- Changes are appended and taken away all the time, and the table stays small only if it is cleaned up as often: by number, not by share.
alter table job_count_change set (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000
);

grant select, delete on job_count_change to howdah_scheduler;
grant select, insert, update on job_count to howdah_scheduler;

-- migrate:down

revoke select, delete on job_count_change from howdah_scheduler;
revoke select, insert, update on job_count from howdah_scheduler;
alter table job_count_change reset (
    autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_threshold,
    autovacuum_analyze_scale_factor,
    autovacuum_analyze_threshold
);
