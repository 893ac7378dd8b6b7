-- name: RecordSteps :exec
-- Write begun and ended steps of attempts that are still open. Exit code -1: not ended yet.
insert into step (job_id, epoch, position, name, first_line, started_at, ended_at, exit_code)
select
    u.job_id, u.epoch, u.position, u.name, u.first_line, u.started_at,
    case when u.exit_code >= 0 then u.ended_at end, nullif(u.exit_code, -1)
from rows from (
    unnest(@job_ids::uuid[]),
    unnest(@epochs::integer[]),
    unnest(@positions::smallint[]),
    unnest(@names::text[]),
    unnest(@first_lines::bigint[]),
    unnest(@started_ats::timestamptz[]),
    unnest(@ended_ats::timestamptz[]),
    unnest(@exit_codes::integer[])
) as u (job_id, epoch, position, name, first_line, started_at, ended_at, exit_code)
join attempt a on a.job_id = u.job_id and a.epoch = u.epoch and a.ended_at is null
on conflict (job_id, epoch, position) do update
set
    ended_at = excluded.ended_at,
    exit_code = excluded.exit_code;
