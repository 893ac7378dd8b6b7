"""Jobs: those of a run, and one with its attempts and steps; each says what it waits for."""

from collections.abc import Sequence
from typing import Final

import msgspec
from litestar import get

from services.ingest.authenticate import require_viewer
from services.ingest.explain_wait import explain_wait
from services.ingest.problem_details import not_found, problem_responses
from services.ingest.queries.jobs import (
    ListAttemptsRow,
    ListStepsRow,
    explain_ready,
    get_job,
    list_attempts,
    list_run_jobs,
    list_steps,
)
from services.ingest.queries.rows import Job
from services.ingest.read_log import JobInPath
from services.ingest.resources import FromResources
from services.ingest.show_runs import RunInPath, find_run_by_id
from shared.db import Connection, Pool, query
from shared.ids import JobId, RunId
from shared.queries.models import JobState

_RESPONSES: Final = problem_responses(401, 403, 404, 422, 503)
# Of a run with very many ready jobs, only so many are explained one by one.
_EXPLAINED: Final = 50


class ShownJob(Job, frozen=True, kw_only=True):
    """A job, and in a sentence what it waits for."""

    waits_for: str | None


class JobList(msgspec.Struct, frozen=True):
    """The jobs of a run in their order, the plan job first."""

    jobs: list[ShownJob]


class JobDetails(ShownJob, frozen=True, kw_only=True):
    """A job with everything that was tried."""

    attempts: list[ListAttemptsRow]
    steps: list[ListStepsRow]


@get("/runs/{run:str}/jobs", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_run_jobs(run: RunInPath, resources: FromResources) -> JobList:
    """Show the jobs of a run. Before its plan job has ended, there is only that."""
    jobs = await find_run_jobs(resources.pool, run)
    if not jobs:
        await find_run_by_id(resources.pool, run)
    return JobList(jobs)


@get("/jobs/{job:str}", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_job(job: JobInPath, resources: FromResources) -> JobDetails:
    """Show a job with its attempts and their steps."""
    return await find_job(resources.pool, job)


async def find_run_jobs(pool: Pool, run_id: RunId) -> list[ShownJob]:
    """Return the jobs of a run; none if there is no such run."""

    async def read(connection: Connection) -> list[ShownJob]:
        jobs = await list_run_jobs(connection, run_id=run_id)
        return await _explained(connection, jobs, jobs)

    return await query(pool, read)


async def find_job(pool: Pool, job_id: JobId) -> JobDetails:
    """Return a job with all that was tried. Raises `Problem`."""

    async def read(connection: Connection) -> JobDetails | None:
        job = await get_job(connection, job_id=job_id)
        if job is None:
            return None
        others = [job]
        if job.run_id is not None and job.state == JobState.BLOCKED:
            others = await list_run_jobs(connection, run_id=job.run_id)
        [shown] = await _explained(connection, [job], others)
        return JobDetails(
            **msgspec.structs.asdict(shown),
            attempts=await list_attempts(connection, job_id=job_id),
            steps=await list_steps(connection, job_id=job_id),
        )

    found = await query(pool, read)
    if found is None:
        raise not_found("job of that id")
    return found


async def _explained(connection: Connection, jobs: Sequence[Job], others: Sequence[Job]) -> list[ShownJob]:
    waiting = [job.job_id for job in jobs if job.state == JobState.READY][:_EXPLAINED]
    ready = {row.job_id: row for row in await explain_ready(connection, job_ids=waiting)} if waiting else {}
    by_id = {other.job_id: other for other in others}
    return [
        ShownJob(**msgspec.structs.asdict(job), waits_for=explain_wait(job, by_id, ready.get(job.job_id)))
        for job in jobs
    ]
