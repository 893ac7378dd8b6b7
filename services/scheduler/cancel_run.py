"""Canceling a run, or one job of a run: what waits ends at once, what runs is asked to end."""

from typing import Final

from services.scheduler.queries.cancel_run import cancel_run_jobs, request_run_cancel
from services.scheduler.queries.lock_run import lock_run_for_command
from shared.db import Connection
from shared.ids import JobId, RunId
from shared.queries.models import RunState

_ENDED: Final = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED, RunState.SKIPPED)


async def cancel_run(connection: Connection, run_id: RunId, job_id: JobId | None) -> str:
    """Cancel all jobs of a run, or one; returns what came of it."""
    run = await lock_run_for_command(connection, run_id=run_id)
    if run is None:
        return "the run is gone"
    if run.state in _ENDED:
        return f"nothing to cancel: run {run.number} has ended as {run.state}"
    if job_id is None:
        await request_run_cancel(connection, run_id=run_id)
    done = await cancel_run_jobs(connection, run_id=run_id, job_id=job_id)
    if not done.canceled and not done.flagged:
        return "nothing to cancel: no job is waiting or running"
    return f"canceled {done.canceled} waiting and asked {done.flagged} running jobs to end"
