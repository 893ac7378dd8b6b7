"""`GET /api/v1/stream/logs`: the logs of all jobs as they grow, from now on, or on from `Last-Event-ID`.

The id of an event is (transaction id, row id); see `watch_horizon` for why. Rows are removed some time after they were
packed: who resumes from before that is told of the gap.
"""

from collections import OrderedDict
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from services.ingest.authenticate import FromActor, require_viewer
from services.ingest.feed_all_logs import AllLogsPage, job_of
from services.ingest.filter_lines import LineFilter
from services.ingest.problem_details import problem_responses
from services.ingest.queries.logs import StreamLogChunksRow
from services.ingest.read_chunks import stored
from services.ingest.read_level import LevelParameter, read_level
from services.ingest.resources import FromResources, Resources
from services.ingest.row_cursor import RowCursor, read_row_cursor
from services.ingest.send_events import PORTION_BYTES, Look, event_stream, follow, frame_event, frame_id, take_portion
from services.ingest.show_chunk import show_marked
from services.ingest.watch_horizon import read_steady_horizon
from shared.ids import JobId
from shared.logs.find_level import Level
from shared.loop import Bell

# Of so many attempts at once it is remembered whether a line goes on that is marked.
_MOST_FILTERS: Final = 1000


class LogGap(msgspec.Struct, frozen=True):
    """Some of what was printed before this event is not in the stream any more; the logs of the jobs have it."""

    until: str


class AllLogsReader:
    """Reads chunks of all jobs onwards from a cursor, a bounded portion at a time."""

    def __init__(self, resources: Resources, cursor: RowCursor, *, least: Level = Level.UNMARKED) -> None:
        self._resources = resources
        self._cursor = cursor
        self._least = least
        self._told_gone = RowCursor(0, 0)
        self._filters: OrderedDict[tuple[JobId, int], LineFilter] = OrderedDict()

    async def look(self) -> Look:
        """Return what there is beyond the cursor. Raises `DatabaseUnavailableError`."""
        horizon = self._resources.horizon_watch.horizon()
        if horizon is None or self._cursor >= horizon.newest_chunk:
            return Look()
        page = await self._resources.all_logs_feed.next_page(self._cursor, horizon.newest_chunk)
        gap = self._tell_gap(page)
        events = self._take(page) if self._least is Level.UNMARKED else self._take_marked(page)
        return Look(gap + events, more=True)

    def _tell_gap(self, page: AllLogsPage) -> bytes:
        if page.gone <= max(self._cursor, self._told_gone):
            return b""
        self._told_gone = page.gone
        return frame_event(LogGap(str(page.gone)), name="gap")

    def _take(self, page: AllLogsPage) -> bytes:
        events, cursors = page.events(self._cursor), page.cursors(self._cursor)
        count, _ = take_portion(events, PORTION_BYTES)
        self._cursor = cursors[count - 1] if count < len(cursors) else page.last
        return b"".join(events[:count])

    def _take_marked(self, page: AllLogsPage) -> bytes:
        events = b"".join(map(self._frame_marked, page.rows(self._cursor)))
        self._cursor = page.last
        # Whoever comes back need not look through it again.
        return events + frame_id(page.last)

    def _frame_marked(self, row: StreamLogChunksRow) -> bytes:
        key = (row.job_id, row.epoch)
        line_filter = self._filters.pop(key, None) or LineFilter(self._least)
        self._filters[key] = line_filter
        if len(self._filters) > _MOST_FILTERS:
            self._filters.popitem(last=False)
        marked = line_filter.feed(chunk := stored(row))
        if not marked or (job := job_of(row)) is None:
            return b""
        return frame_event(show_marked(chunk, row.epoch, marked, job=job), event_id=RowCursor(row.tx_id, row.row_id))


@get(
    "/stream/logs",
    guards=[require_viewer],
    tags=["streams"],
    media_type="text/event-stream",
    responses=problem_responses(401, 403, 422, 503),
)
async def stream_all_logs(
    request: Request[Any, Any, Any],
    resources: FromResources,
    actor: FromActor,
    after: Annotated[
        str | None, QueryParameter(description="Begin after this event's id; the header Last-Event-ID goes before it.")
    ] = None,
    level: LevelParameter = None,
) -> Stream:
    """Stream the logs of all jobs as server-sent events, from now on.

    `gap` comes first where some of what was printed since the event to go on from is not in this stream any more.
    """
    least = read_level(level)
    begin_after = request.headers.get("last-event-id") or after
    if begin_after is not None:
        cursor = read_row_cursor(begin_after)
    else:
        cursor = (await read_steady_horizon(resources.pool)).start()
    reader = AllLogsReader(resources, cursor, least=least)
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
