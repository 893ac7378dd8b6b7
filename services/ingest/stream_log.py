"""`GET /api/v1/stream/logs/{job}`: the log of one job as it grows, every attempt in turn, then `end`.

The id of an event is (epoch, seq). A reader leaves an epoch only when it has ended and its last_seq was delivered.
"""

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.params import PathParameter, QueryParameter
from litestar.response import Stream

from services.ingest.authenticate import FromActor, require_viewer
from services.ingest.feed_logs import LogPage
from services.ingest.filter_lines import LineFilter
from services.ingest.find_attempt import find_log_state
from services.ingest.follow_attempts import is_over, next_attempt
from services.ingest.problem_details import problem_responses
from services.ingest.read_level import LevelParameter, read_level
from services.ingest.read_log_states import AttemptLog, LogState
from services.ingest.resources import FromResources, Resources
from services.ingest.row_cursor import ChunkCursor, read_chunk_cursor
from services.ingest.seek_log import seek_tail
from services.ingest.send_events import PORTION_BYTES, Look, event_stream, follow, frame_event, frame_id, take_portion
from services.ingest.show_chunk import show_marked
from shared.ids import JobId
from shared.logs.find_level import Level
from shared.loop import Bell
from shared.queries.models import JobState


class LogEnd(msgspec.Struct, frozen=True):
    """The job has ended, and all of its log was delivered."""

    state: JobState


class LogReader:
    """Reads the log of one job onwards from a cursor, a bounded portion at a time."""

    def __init__(
        self,
        resources: Resources,
        job_id: JobId,
        state: LogState,
        cursor: ChunkCursor,
        *,
        with_spans: bool = False,
        least: Level = Level.UNMARKED,
    ) -> None:
        self._resources = resources
        self._job_id = job_id
        self._state = state
        self._cursor = cursor
        self._with_spans = with_spans
        self._least = least
        self._filter: LineFilter | None = None

    async def look(self) -> Look:
        """Return what there is beyond the cursor. Raises `DatabaseUnavailableError`."""
        self._state = self._resources.log_watch.state(self._job_id) or self._state
        current, cursor = next_attempt(self._state, self._cursor)
        if cursor.epoch != self._cursor.epoch:
            self._filter = None
        self._cursor = cursor
        # What has been read ahead is told, whether it was known to be there or not.
        feeds = self._resources.log_feeds
        if current is not None and (cursor.seq < current.last_seq or feeds.find(self._job_id, cursor) is not None):
            events = await (self._read(current) if self._least is Level.UNMARKED else self._read_marked(current))
            return Look(events, more=True)
        if not is_over(self._state):
            return Look()
        return Look(frame_event(LogEnd(self._state.state), name="end"), done=True)

    async def _read(self, attempt: AttemptLog) -> bytes:
        """Return the next events, of as many pages as are there, and go on behind them."""
        feeds, seq = self._resources.log_feeds, self._cursor.seq
        page: LogPage | None = await feeds.next_page(self._job_id, attempt, seq)
        taken: list[bytes] = []
        left = PORTION_BYTES
        while page is not None and left > 0:
            events = (
                page.styled_events(seq, feeds.page_before(self._job_id, page)) if self._with_spans else page.events(seq)
            )
            count, size = take_portion(events, left)
            taken += events[:count]
            left -= size
            seq = seq + count if count < len(events) else page.last.seq
            page = feeds.find(self._job_id, ChunkCursor(attempt.epoch, seq))
        self._cursor = ChunkCursor(attempt.epoch, seq)
        return b"".join(taken)

    async def _read_marked(self, attempt: AttemptLog) -> bytes:
        """Return the next page's lines that are grave enough, and go on behind it."""
        feeds, seq = self._resources.log_feeds, self._cursor.seq
        # At once: what has been read ahead may be given up while the filter is made ready.
        page = await feeds.next_page(self._job_id, attempt, seq)
        line_filter = self._filter or await feeds.begin_filter(self._job_id, attempt, seq, self._least)
        events: list[bytes] = []
        for chunk in page.since(seq):
            if marked := line_filter.feed(chunk):
                shown = show_marked(chunk, attempt.epoch, marked)
                events.append(frame_event(shown, event_id=ChunkCursor(attempt.epoch, chunk.seq)))
        self._filter, self._cursor = line_filter, page.last
        # Whoever comes back need not look through it again.
        return b"".join(events) + frame_id(page.last)


@get(
    "/stream/logs/{job:str}",
    guards=[require_viewer],
    tags=["streams"],
    media_type="text/event-stream",
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def stream_log(
    *,
    request: Request[Any, Any, Any],
    job: Annotated[JobId, PathParameter(description="The job's id.")],
    resources: FromResources,
    actor: FromActor,
    after: Annotated[
        str | None, QueryParameter(description="Begin after this event's id; the header Last-Event-ID goes before it.")
    ] = None,
    tail: Annotated[
        int | None, QueryParameter(ge=1, le=100_000, description="Begin about so many lines before the end.")
    ] = None,
    spans: Annotated[
        bool, QueryParameter(description="Add the text in pieces of one style, and the levels of lines, for pages.")
    ] = False,
    level: LevelParameter = None,
) -> Stream:
    """Stream the log of a job, live or finished, as server-sent events; `end` follows its last chunk."""
    least = read_level(level)
    state = await find_log_state(resources.pool, job)
    begin_after = request.headers.get("last-event-id") or after
    if begin_after is not None:
        cursor = read_chunk_cursor(begin_after)
    elif tail is not None and state.attempts:
        latest = state.attempts[-1]
        cursor = ChunkCursor(latest.epoch, (await seek_tail(resources.pool, job, latest, tail)).after_seq)
    else:
        cursor = ChunkCursor(0, 0)
    reader = LogReader(resources, job, state, cursor, with_spans=spans, least=least)
    bell = Bell()
    return event_stream(
        follow(
            reader.look,
            bell=bell,
            watching=resources.log_watch.follow(job, bell),
            stop=resources.stop,
            still_allowed=partial(resources.tokens.holds, actor.token_id),
        )
    )
