-- name: FinishRun :one
-- moves run: requested → failed | canceled | skipped
-- moves run: running → succeeded | failed | canceled | skipped
-- The run is locked. No row: it had ended before.
update run r
set
    state = @state::run_state,
    reason = nullif(@reason::text, ''),
    finished_at = now()
where r.id = @run_id::uuid
    and r.finished_at is null
returning (now())::timestamptz as finished_at;
