-- name: BeatExecutor :one
-- moves executor: active → draining
-- Raise the beat and learn which running jobs are to be canceled. No row: a scheduler has declared us lost.
-- Locks: the executor's own row.
with beaten as (
    update executor e
    set
        beat_seq = e.beat_seq + 1,
        beat_at = now(),
        state = @state::executor_state
    where e.id = @executor_id::uuid
        and e.ended_at is null
    returning e.id
)
select array(
    select j.id
    from job j
    where j.executor_id = b.id
        and j.state = 'running'
        and j.cancel_requested_at is not null
)::uuid[] as canceled_job_ids
from beaten b;

-- name: LeaveExecutor :execrows
-- moves executor: active | draining → left
-- Once nothing runs here any more.
update executor e
set
    state = 'left',
    ended_at = now()
where e.id = @executor_id::uuid
    and e.ended_at is null;
