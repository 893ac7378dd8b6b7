"""`GET /api/v1/stream/events`: what happens, as it happens: the audit, of all runs or of one.

The id of an event is (transaction id, row id); see `watch_horizon` for why.
"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from services.ingest.authenticate import FromActor, require_viewer
from services.ingest.problem_details import problem_responses
from services.ingest.queries.events import StreamEventsRow
from services.ingest.queries.events import stream_events as read_events
from services.ingest.resources import FromResources, Resources
from services.ingest.row_cursor import RowCursor, read_row_cursor
from services.ingest.send_events import Look, event_stream, follow, frame_event
from services.ingest.watch_horizon import read_steady_horizon
from shared.db import query
from shared.ids import JobId, RunId
from shared.loop import Bell

_PAGE_ROWS: Final = 200


class ShownEvent(msgspec.Struct, frozen=True):
    """One thing that happened. `detail` depends on its name; that of runs and jobs has their new `state`."""

    name: str
    actor: str
    pipeline_name: str | None
    run_id: RunId | None
    run_number: int | None
    job_id: JobId | None
    job_key: str | None
    detail: Any
    at: datetime


class EventReader:
    """Reads events onwards from a cursor, a bounded page at a time."""

    def __init__(self, resources: Resources, cursor: RowCursor, run_id: RunId | None) -> None:
        self._resources = resources
        self._cursor = cursor
        self._run_id = run_id

    async def look(self) -> Look:
        """Return what there is beyond the cursor. Raises `DatabaseUnavailableError`."""
        horizon = self._resources.horizon_watch.horizon()
        if horizon is None or self._cursor >= horizon.newest_event:
            return Look()
        rows = await query(
            self._resources.pool,
            lambda connection: read_events(
                connection,
                after_tx_id=self._cursor.tx_id,
                after_row_id=self._cursor.row_id,
                below_tx_id=horizon.below_tx_id,
                run_id=self._run_id,
                max_rows=_PAGE_ROWS,
            ),
        )
        if len(rows) < _PAGE_ROWS:
            # All below the horizon has been looked through: the events of other runs are not to be read again.
            self._cursor = horizon.newest_event
        else:
            self._cursor = RowCursor(rows[-1].tx_id, rows[-1].row_id)
        return Look(b"".join(map(_frame, rows)), more=bool(rows))


def _frame(row: StreamEventsRow) -> bytes:
    shown = ShownEvent(
        name=row.name,
        actor=row.actor,
        pipeline_name=row.pipeline_name,
        run_id=row.run_id,
        run_number=row.run_number,
        job_id=row.job_id,
        job_key=row.job_key,
        detail=row.detail,
        at=row.recorded_at,
    )
    return frame_event(shown, event_id=RowCursor(row.tx_id, row.row_id))


@get(
    "/stream/events",
    guards=[require_viewer],
    tags=["streams"],
    media_type="text/event-stream",
    responses=problem_responses(401, 403, 422, 503),
)
async def stream_events(
    request: Request[Any, Any, Any],
    resources: FromResources,
    actor: FromActor,
    run: Annotated[RunId | None, QueryParameter(description="Only events of this run.")] = None,
    after: Annotated[
        str | None,
        QueryParameter(
            description="Begin after this event's id, 0-0 for the very first; the header Last-Event-ID goes before it."
        ),
    ] = None,
) -> Stream:
    """Stream what happens as server-sent events, from now on."""
    begin_after = request.headers.get("last-event-id") or after
    if begin_after is not None:
        cursor = read_row_cursor(begin_after)
    else:
        cursor = (await read_steady_horizon(resources.pool)).start()
    reader = EventReader(resources, cursor, run)
    bell = Bell()
    return event_stream(
        follow(
            reader.look,
            bell=bell,
            watching=resources.horizon_watch.follow(bell),
            stop=resources.stop,
            still_allowed=partial(resources.tokens.holds, actor.token_id),
        )
    )
