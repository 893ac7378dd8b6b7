"""`GET /api/v1/jobs/{job}`: one job, with everything that was tried; and the jobs of a run."""

from typing import Annotated, Final

import anyio
import msgspec
from litestar import get
from litestar.params import QueryParameter

from services.ingest.authenticate import require_viewer
from services.ingest.find_job import JobDetails, ShownJob, find_job, find_run_jobs
from services.ingest.problem_details import problem_responses
from services.ingest.read_log import JobInPath
from services.ingest.resources import FromResources, Resources
from services.ingest.show_runs import RunInPath, find_run_by_id
from shared.ids import JobId
from shared.loop import Bell

_RESPONSES: Final = problem_responses(401, 403, 404, 422, 503)
_MOST_WAIT_SECONDS: Final = 60


class JobList(msgspec.Struct, frozen=True):
    """The jobs of a run in their order, the plan job first."""

    jobs: list[ShownJob]


@get("/runs/{run:str}/jobs", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_run_jobs(run: RunInPath, resources: FromResources) -> JobList:
    """Show the jobs of a run. Before its plan job has ended, there is only that."""
    jobs = await find_run_jobs(resources.pool, run)
    if not jobs:
        await find_run_by_id(resources.pool, run)
    return JobList(jobs)


@get("/jobs/{job:str}", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_job(
    job: JobInPath,
    resources: FromResources,
    wait_seconds: Annotated[
        float,
        QueryParameter(ge=0, le=_MOST_WAIT_SECONDS, description="Answer when the job has ended, at the latest then."),
    ] = 0,
) -> JobDetails:
    """Show a job with its attempts and their steps."""
    found = await find_job(resources.pool, job)
    if wait_seconds <= 0 or found.finished_at is not None:
        return found
    await _wait_for_end(resources, job, wait_seconds)
    return await find_job(resources.pool, job)


async def _wait_for_end(resources: Resources, job_id: JobId, seconds: float) -> None:
    bell = Bell()
    deadline = anyio.current_time() + seconds
    with resources.job_watch.follow(job_id, bell):
        while (left := deadline - anyio.current_time()) > 0 and not resources.stop.requested:
            bell.hush()
            state = resources.job_watch.state(job_id)
            if state is not None and state.final:
                return
            await bell.wait(left)
