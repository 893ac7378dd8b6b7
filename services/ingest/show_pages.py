"""The three pages: runs, a run with its jobs, a job with its log. Each has the cursor that its events go on from."""

from typing import Annotated, Final

from litestar import get
from litestar.params import QueryParameter
from litestar.response import Template

from services.ingest.authenticate import FromActor, require_page_viewer
from services.ingest.find_job import find_job, find_run_jobs
from services.ingest.order_jobs import order_jobs
from services.ingest.queries.channels import list_notifications
from services.ingest.queries.pipelines import list_pipelines
from services.ingest.read_log import JobInPath
from services.ingest.render_page import page
from services.ingest.resources import FromResources
from services.ingest.show_runs import RunInPath, find_run_by_id, find_runs
from services.ingest.watch_horizon import read_steady_horizon
from shared.db import query
from shared.ids import RunId
from shared.queries.models import RunState

_RUNS_SHOWN: Final = 30
_PIPELINES_OFFERED: Final = 200


@get("/runs", guards=[require_page_viewer], include_in_schema=False)
async def show_runs_page(
    resources: FromResources,
    actor: FromActor,
    pipeline: Annotated[str, QueryParameter(max_length=63)] = "",
    run_state: Annotated[str, QueryParameter(name="state", max_length=20)] = "",
    cursor: Annotated[str | None, QueryParameter(max_length=500)] = None,
) -> Template:
    """Show runs, newest first."""
    # Read before the rows: an event in between is then told again, rather than not at all.
    start = (await read_steady_horizon(resources.pool)).start()
    chosen_state = RunState(run_state) if run_state in set(RunState) else None
    found = await find_runs(
        resources.pool, pipeline=pipeline or None, state=chosen_state, limit=_RUNS_SHOWN, cursor=cursor
    )
    pipelines = await query(
        resources.pool, lambda connection: list_pipelines(connection, after_name="", max_rows=_PIPELINES_OFFERED)
    )
    return page(
        "runs.html",
        actor,
        found=found,
        pipelines=[known.name for known in pipelines],
        states=list(RunState),
        pipeline=pipeline,
        state=chosen_state,
        cursor=cursor,
        after=start,
    )


@get("/runs/{run:str}", guards=[require_page_viewer], include_in_schema=False)
async def show_run_page(run: RunInPath, resources: FromResources, actor: FromActor) -> Template:
    """Show a run with its jobs."""
    start = (await read_steady_horizon(resources.pool)).start()
    shown = await find_run_by_id(resources.pool, run)
    jobs = await find_run_jobs(resources.pool, run)
    notifications = await query(resources.pool, lambda connection: list_notifications(connection, run_id=run))
    return page(
        "run.html",
        actor,
        run=shown,
        columns=order_jobs(jobs),
        names={job.job_id: job.key for job in jobs},
        notifications=notifications,
        after=start,
    )


@get("/jobs/{job:str}", guards=[require_page_viewer], include_in_schema=False)
async def show_job_page(job: JobInPath, resources: FromResources, actor: FromActor) -> Template:
    """Show a job with its log."""
    start = (await read_steady_horizon(resources.pool)).start()
    shown = await find_job(resources.pool, job)
    run = None if shown.run_id is None else await find_run_by_id(resources.pool, RunId(shown.run_id))
    return page("job.html", actor, job=shown, run=run, after=start)
