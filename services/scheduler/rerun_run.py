"""Running a run again: a new run of the same commit."""

from services.scheduler.queries.rerun_run import rerun_run as request_rerun
from shared.db import Connection
from shared.ids import JobId, RunId, new_id


async def rerun_run(
    connection: Connection, run_id: RunId, *, requested_by: str, plan_timeout_seconds: int
) -> tuple[str, RunId | None]:
    """Request the new run; returns what came of it, and its id."""
    new_run = RunId(new_id())
    number = await request_rerun(
        connection,
        run_id=run_id,
        new_run_id=new_run,
        new_plan_job_id=JobId(new_id()),
        requested_by=requested_by,
        plan_timeout_seconds=plan_timeout_seconds,
    )
    return (f"requested run {number}", new_run) if number is not None else ("the run is gone", None)
