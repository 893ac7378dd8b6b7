-- name: ReadJob :one
-- Of which run a job is, if of one, and how it stands.
select j.run_id, j.state, j.redrives
from job j
where j.id = @job_id::uuid;
