"""The duty that draws the consequences of finished jobs: what may start, what is skipped, whether the run has ended."""

import logging
from functools import partial
from typing import Final

from services.scheduler.finish_run import FAILED_STATES, finish_run, tell_failed_job
from services.scheduler.queries.lock_run import lock_run
from services.scheduler.queries.release_jobs import (
    ListRunJobsRow,
    find_unsettled_runs,
    list_run_jobs,
    settle_jobs,
    skip_jobs,
)
from services.scheduler.queries.release_jobs import release_jobs as make_ready
from shared.db import Connection, Pool, in_transaction, query
from shared.ids import RunId
from shared.loop import jittered
from shared.pipeline.release import ReleaseRow, decide_release
from shared.pipeline.states import FINAL_JOB_STATES

logger = logging.getLogger(__name__)

_BATCH: Final = 50
_LOOK_SECONDS: Final = 2.0


async def release_jobs(pool: Pool) -> float:
    """Settle what has finished; returns the seconds until the next look."""
    run_ids = await query(pool, lambda connection: find_unsettled_runs(connection, max_runs=_BATCH))
    settled = [await in_transaction(pool, partial(settle_run, run_id=run_id)) for run_id in run_ids]
    return 0 if any(settled) and len(run_ids) == _BATCH else jittered(_LOOK_SECONDS)


async def settle_run(connection: Connection, run_id: RunId) -> bool:
    """Settle the finished jobs of one run, in the caller's transaction; False if another scheduler is at it.

    Under the run's lock the jobs are read after every earlier settlement has committed: of two jobs that end
    together, one settlement sees both. A job that ends after the reading stays unsettled, and is found again.
    """
    run = await lock_run(connection, run_id=run_id)
    if run is None:
        return False
    jobs = await list_run_jobs(connection, run_id=run_id)
    ended = [job for job in jobs if job.state in FINAL_JOB_STATES and not job.settled]
    decision = decide_release(ReleaseRow(job.job_id, job.state, tuple(job.needs)) for job in jobs)
    if decision.skip:
        await skip_jobs(
            connection,
            job_ids=[skip.job_id for skip in decision.skip],
            reasons=[skip.reason for skip in decision.skip],
        )
    if decision.ready:
        await make_ready(connection, job_ids=list(decision.ready))
    await settle_jobs(connection, job_ids=[job.job_id for job in ended])
    for job in ended:
        if job.state in FAILED_STATES:
            await tell_failed_job(connection, run, job)
    if decision.run_state is not None:
        await finish_run(connection, run, decision.run_state, _why(jobs), jobs)
    return True


def _why(jobs: list[ListRunJobsRow]) -> str:
    failed = [job.key for job in jobs if job.state in FAILED_STATES]
    return f"failed: {', '.join(failed)}" if failed else ""
