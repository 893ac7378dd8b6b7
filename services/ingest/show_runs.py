"""Runs: a list that is filtered and paged, and one of them."""

from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.params import PathParameter, QueryParameter

from services.ingest.authenticate import require_viewer
from services.ingest.manage_pipelines import PipelineInPath, checked_name
from services.ingest.page_cursor import DEFAULT_LIMIT, NEWEST, Cursor, Limit, TimeKey, read_cursor, write_cursor
from services.ingest.problem_details import not_found, problem_responses
from services.ingest.queries.channels import ListNotificationsRow, list_notifications
from services.ingest.queries.rows import Run
from services.ingest.queries.runs import count_runs, find_run, get_run, list_runs
from services.ingest.resources import FromResources
from shared.db import Connection, Pool, query
from shared.ids import RunId
from shared.queries.models import RunState

RunInPath = Annotated[RunId, PathParameter(description="The run's id.")]
_RESPONSES: Final = problem_responses(401, 403, 404, 422, 503)
_MOST_NUMBER: Final = 2**31 - 1


class RunPage(msgspec.Struct, frozen=True):
    """Runs, newest first. `total` is how many the filters find in all."""

    runs: list[Run]
    next: str | None
    total: int


class NotificationList(msgspec.Struct, frozen=True):
    """The messages about a run."""

    notifications: list[ListNotificationsRow]


@get("/runs", guards=[require_viewer], tags=["runs"], responses=_RESPONSES)
async def show_runs(
    resources: FromResources,
    pipeline: Annotated[str | None, QueryParameter(description="Only runs of this pipeline.")] = None,
    run_state: Annotated[RunState | None, QueryParameter(name="state", description="Only runs in this state.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> RunPage:
    """List runs, newest first."""
    return await find_runs(resources.pool, pipeline=pipeline, state=run_state, limit=limit, cursor=cursor)


async def find_runs(
    pool: Pool, *, pipeline: str | None, state: RunState | None, limit: int, cursor: str | None
) -> RunPage:
    """Read one page of runs. Raises `Problem` for a bad filter or cursor."""
    before = NEWEST if cursor is None else read_cursor(cursor, TimeKey)
    if pipeline is not None:
        checked_name(pipeline)

    async def read(connection: Connection) -> tuple[list[Run], int]:
        found = await list_runs(
            connection,
            before_created_at=before.at,
            before_run_id=RunId(before.row_id),
            pipeline_name=pipeline,
            state=state,
            max_rows=limit + 1,
        )
        return found, await count_runs(connection, pipeline_name=pipeline, state=state)

    found, total = await query(pool, read)
    last = found[limit - 1] if len(found) > limit else None
    return RunPage(found[:limit], write_cursor(TimeKey(last.created_at, last.run_id)) if last else None, total)


@get("/runs/{run:str}", guards=[require_viewer], tags=["runs"], responses=_RESPONSES)
async def show_run(run: RunInPath, resources: FromResources) -> Run:
    """Show a run."""
    return await find_run_by_id(resources.pool, run)


@get("/pipelines/{pipeline:str}/runs/{number:str}", guards=[require_viewer], tags=["runs"], responses=_RESPONSES)
async def show_numbered_run(
    pipeline: PipelineInPath,
    number: Annotated[int, PathParameter(ge=1, description="The run's number in its pipeline.")],
    resources: FromResources,
) -> Run:
    """Show a run by its number."""
    checked_name(pipeline)
    if number > _MOST_NUMBER:
        raise not_found("run of that number")
    found = await query(resources.pool, lambda connection: find_run(connection, pipeline_name=pipeline, number=number))
    if found is None:
        raise not_found("run of that number")
    return found


@get("/runs/{run:str}/notifications", guards=[require_viewer], tags=["runs"], responses=_RESPONSES)
async def show_run_notifications(run: RunInPath, resources: FromResources) -> NotificationList:
    """Show the messages about a run, and what became of them."""
    await find_run_by_id(resources.pool, run)
    return NotificationList(await query(resources.pool, lambda connection: list_notifications(connection, run_id=run)))


async def find_run_by_id(pool: Pool, run_id: RunId) -> Run:
    """Return a run. Raises `Problem`."""
    found = await query(pool, lambda connection: get_run(connection, run_id=run_id))
    if found is None:
        raise not_found("run of that id")
    return found
