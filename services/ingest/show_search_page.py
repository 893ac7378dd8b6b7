"""`/search`: the page on which the logs of all jobs are searched."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from litestar import get
from litestar.params import QueryParameter
from litestar.response import Template

from services.ingest.arrange_hits import arrange_hits
from services.ingest.authenticate import FromActor, require_page_viewer
from services.ingest.problem_details import Problem
from services.ingest.queries.pipelines import list_pipelines
from services.ingest.render_page import page
from services.ingest.resources import FromResources
from services.ingest.search_logs import LogSearchOrder, SearchPage, search_logs
from services.ingest.search_terms import MOST_QUERY
from shared.db import query
from shared.logs.find_level import Level
from shared.queries.models import JobState

_HITS_SHOWN: Final = 50
_CONTEXT_LINES: Final = 2
_PIPELINES_OFFERED: Final = 200
# In which a job can be whose log is searched: one that has ended.
_STATES: Final = [JobState.FAILED, JobState.SUCCEEDED, JobState.CANCELED, JobState.DEAD]
_LEVELS: Final = {"warning": Level.WARNING, "error": Level.ERROR}
_PERIODS: Final = {
    "1h": ("the last hour", timedelta(hours=1)),
    "1d": ("the last day", timedelta(days=1)),
    "7d": ("the last 7 days", timedelta(days=7)),
    "30d": ("the last 30 days", timedelta(days=30)),
}

Chosen = Annotated[str, QueryParameter(max_length=255)]


@get("/search", guards=[require_page_viewer], include_in_schema=False)
async def show_search_page(
    *,
    resources: FromResources,
    actor: FromActor,
    q: Annotated[str, QueryParameter(max_length=MOST_QUERY)] = "",
    pipeline: Chosen = "",
    branch: Chosen = "",
    job_state: Annotated[str, QueryParameter(name="state", max_length=20)] = "",
    level: Annotated[str, QueryParameter(max_length=20)] = "",
    since: Annotated[str, QueryParameter(max_length=20)] = "",
    cursor: Annotated[str | None, QueryParameter(max_length=500)] = None,
) -> Template:
    """Show the lines that a search finds, by job, newest first."""
    asked = {
        name: value.strip()
        for name, value, is_known in (
            ("q", q, True),
            ("pipeline", pipeline, True),
            ("branch", branch, True),
            ("state", job_state, job_state in _STATES),
            ("level", level, level in _LEVELS),
            ("since", since, since in _PERIODS),
        )
        if is_known and value.strip()
    }
    found: SearchPage | None = None
    wrong: str | None = None
    status = 200
    if "q" in asked:
        try:
            found = await search_logs(resources, _order(asked, cursor))
        except Problem as problem:
            wrong, status = _explain(problem), problem.status_code
    pipelines = await query(
        resources.pool, lambda connection: list_pipelines(connection, after_name="", max_rows=_PIPELINES_OFFERED)
    )
    shown = page(
        "search.html",
        actor,
        asked=asked,
        chosen={"q": q, **{name: asked.get(name, "") for name in ("pipeline", "branch", "state", "level", "since")}},
        found=found,
        groups=[] if found is None else arrange_hits(found.hits),
        wrong=wrong,
        cursor=cursor,
        pipelines=[known.name for known in pipelines],
        states=_STATES,
        periods={name: words for name, (words, _) in _PERIODS.items()},
    )
    shown.status_code = status
    return shown


def _order(asked: dict[str, str], cursor: str | None) -> LogSearchOrder:
    since = asked.get("since")
    return LogSearchOrder(
        q=asked["q"],
        pipeline=asked.get("pipeline"),
        branch=asked.get("branch"),
        states=(JobState(asked["state"]),) if "state" in asked else (),
        level=_LEVELS.get(asked.get("level", ""), Level.UNMARKED),
        since=None if since is None else datetime.now(UTC) - _PERIODS[since][1],
        context=_CONTEXT_LINES,
        limit=_HITS_SHOWN,
        cursor=cursor,
    )


def _explain(problem: Problem) -> str:
    """Return what a person is told of a search that cannot be made, or not now."""
    told = [error.message if error.field == "q" else f"{error.field}: {error.message}" for error in problem.errors]
    return "; ".join(told) or problem.detail
