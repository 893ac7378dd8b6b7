"""The page of jobs on their own: how many there are, which, and the queues that they wait in."""

from typing import Annotated, Final
from urllib.parse import urlencode

from litestar import get
from litestar.params import QueryParameter
from litestar.response import Template

from services.ingest.authenticate import FromActor, require_page_viewer
from services.ingest.find_jobs import JobSearch
from services.ingest.list_jobs import find_page
from services.ingest.manage_queues import find_queues
from services.ingest.render_page import page
from services.ingest.report_jobs import find_report
from services.ingest.resources import FromResources
from services.ingest.watch_horizon import read_steady_horizon
from shared.queries.models import JobState

_JOBS_SHOWN: Final = 30
# In the order of a job's life; skipped are only jobs of runs.
_STATES: Final = [state for state in JobState if state != JobState.SKIPPED]

Word = Annotated[str, QueryParameter(max_length=255)]


@get("/jobs", guards=[require_page_viewer], include_in_schema=False)
async def show_jobs_page(
    *,
    resources: FromResources,
    actor: FromActor,
    job_state: Annotated[str, QueryParameter(name="state", max_length=20)] = "",
    job_type: Annotated[str, QueryParameter(name="type", max_length=255)] = "",
    queue: Word = "",
    concurrency_key: Word = "",
    cursor: Annotated[str | None, QueryParameter(max_length=500)] = None,
) -> Template:
    """Show jobs on their own, newest first."""
    start = (await read_steady_horizon(resources.pool)).start()
    state = JobState(job_state) if job_state in _STATES else None
    chosen = {
        name: value.replace("\0", "")
        for name, value in (("type", job_type), ("queue", queue), ("concurrency_key", concurrency_key))
    }
    search = JobSearch(
        states=() if state is None else (state,),
        job_type=chosen["type"] or None,
        queue=chosen["queue"] or None,
        concurrency_key=chosen["concurrency_key"] or None,
    )
    found = await find_page(resources.pool, search, limit=_JOBS_SHOWN, cursor=cursor)
    report = await find_report(resources.pool)
    asked = {name: value for name, value in (("state", state or ""), *chosen.items()) if value}
    return page(
        "jobs.html",
        actor,
        found=found,
        report=report,
        queues=await find_queues(resources.pool),
        states=_STATES,
        types=sorted(await resources.job_catalog.types()),
        chosen=chosen,
        state=state,
        asked=asked,
        here=f"/jobs?{urlencode(asked)}" if asked else "/jobs",
        cursor=cursor,
        after=start,
    )
