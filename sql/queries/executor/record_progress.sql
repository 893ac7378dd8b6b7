-- name: RecordProgress :exec
-- What handlers last said, of attempts that still run.
insert into job_progress as p (job_id, epoch, fraction, message)
select j.id, u.epoch, u.fraction, u.message
from rows from (
    unnest(@job_ids::uuid[]),
    unnest(@epochs::integer[]),
    unnest(@fractions::real[]),
    unnest(@messages::text[])
) as u (job_id, epoch, fraction, message)
join job j on j.id = u.job_id and j.claim_epoch = u.epoch and (j.state)::text = 'running'
order by j.id
on conflict (job_id) do update
set
    epoch = excluded.epoch,
    fraction = excluded.fraction,
    message = excluded.message,
    updated_at = now();
