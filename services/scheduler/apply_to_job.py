"""A command about one job, on its own or of a run."""

from typing import Final

from services.scheduler.cancel_jobs import CANCEL
from services.scheduler.cancel_run import cancel_run
from services.scheduler.discard_jobs import DISCARD
from services.scheduler.move_jobs import Move, Tally, Wanted
from services.scheduler.queries.read_job import read_job
from services.scheduler.redrive_jobs import REDRIVE
from shared.db import Connection
from shared.ids import CommandId, JobId
from shared.pipeline.states import FINAL_JOB_STATES
from shared.queries.models import CommandKind

JOB_MOVES: Final = {
    CommandKind.CANCEL_JOB: CANCEL,
    CommandKind.CANCEL_JOBS: CANCEL,
    CommandKind.REDRIVE_JOBS: REDRIVE,
    CommandKind.DISCARD_JOBS: DISCARD,
}


async def apply_to_job(
    connection: Connection, move: Move, *, command_id: CommandId, job_id: JobId, max_redrives: int
) -> str:
    """Do to one job what a command says; returns what came of it."""
    wanted = Wanted(
        command_id=command_id, job_ids=[job_id], states=list(move.states), reason=None, max_redrives=max_redrives
    )
    tally = await move.apply(connection, wanted)
    if tally != Tally():
        return move.describe(tally, max_redrives)
    job = await read_job(connection, job_id=job_id)
    if job is None:
        return "the job is gone"
    if job.run_id is not None:
        if move is CANCEL:
            return await cancel_run(connection, job.run_id, job_id)
        return f"nothing to {move.verb}: the job belongs to a run; run that again instead"
    return f"nothing to {move.verb}: the job {'has ended as' if job.state in FINAL_JOB_STATES else 'is'} {job.state}"
