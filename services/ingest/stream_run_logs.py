"""`GET /api/v1/stream/runs/{run}/logs`: the logs of all jobs of a run, live or finished, then `end`.

The id of an event is a `RunCursor`. Logs that still grow are told as they grow; beside them, one after the other, those
that have ended. Each job's own chunks come in their order, every attempt in turn.
"""

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from services.ingest.authenticate import FromActor, require_viewer
from services.ingest.filter_lines import LineFilter
from services.ingest.follow_attempts import is_over, next_attempt
from services.ingest.problem_details import not_found, problem_responses
from services.ingest.read_level import LevelParameter, read_level
from services.ingest.read_log_states import AttemptLog
from services.ingest.resources import FromResources, Resources
from services.ingest.row_cursor import ChunkCursor
from services.ingest.run_cursor import RunCursor, read_run_cursor
from services.ingest.send_events import PORTION_BYTES, Look, encode, event_stream, follow, frame, frame_event, frame_id
from services.ingest.show_chunk import show_marked
from services.ingest.show_runs import RunInPath
from services.ingest.watch_run_logs import JobLog, RunLogs, read_run_logs
from shared.errors import DatabaseUnavailableError
from shared.ids import RunId
from shared.logs.find_level import Level
from shared.loop import Bell
from shared.queries.models import RunState


class RunEnd(msgspec.Struct, frozen=True):
    """The run has ended, and all logs of its jobs were delivered."""

    state: RunState


class RunReader:
    """Reads the logs of a run's jobs onwards from a cursor, a bounded portion at a time."""

    def __init__(
        self,
        resources: Resources,
        run_id: RunId,
        logs: RunLogs,
        cursor: RunCursor,
        *,
        least: Level = Level.UNMARKED,
    ) -> None:
        self._resources = resources
        self._run_id = run_id
        self._logs = logs
        self._cursor = cursor
        self._least = least
        self._filters: dict[int, LineFilter] = {}
        # The job that was served last of those that grow: the next one is the first to be looked at.
        self._served = -1

    async def look(self) -> Look:
        """Return what there is beyond the cursor. Raises `DatabaseUnavailableError`."""
        self._logs = self._resources.run_log_watch.logs(self._run_id) or self._logs
        waiting = [place for place in range(len(self._logs.jobs)) if not self._cursor.is_delivered(place)]
        events = await self._read_first(self._growing(waiting))
        try:
            events += await self._read_first(self._ended(waiting))
        except DatabaseUnavailableError:
            if not events:  # what was read is told first
                raise
        if events:
            return Look(events, more=True)
        if self._logs.final and all(map(self._cursor.is_delivered, range(len(self._logs.jobs)))):
            return Look(frame_event(RunEnd(self._logs.state), name="end"), done=True)
        return Look()

    async def _read_first(self, places: list[int]) -> bytes:
        """Return what there is of the first job of these of which there is more."""
        for place in places:
            if (attempt := self._next_attempt(place)) is not None:
                return await self._read(place, attempt)
        return b""

    def _growing(self, waiting: list[int]) -> list[int]:
        """Return the jobs whose logs may grow, in turn, so that none waits for a busy one."""
        growing = [place for place in waiting if not is_over(self._logs.jobs[place].log)]
        return sorted(growing, key=lambda place: (place <= self._served, place))

    def _ended(self, waiting: list[int]) -> list[int]:
        return [place for place in waiting if is_over(self._logs.jobs[place].log)]

    def _next_attempt(self, place: int) -> AttemptLog | None:
        """Return the attempt to read on in, if there is more of it; else note whether the job has been delivered."""
        log = self._logs.jobs[place].log
        attempt, cursor = next_attempt(log, self._cursor.at(place))
        if cursor.epoch != self._cursor.at(place).epoch:
            self._filters.pop(place, None)
        if attempt is not None and cursor.seq < attempt.last_seq:
            self._cursor.move(place, cursor)
            return attempt
        if is_over(log):
            self._cursor.finish(place)
            self._filters.pop(place, None)
        return None

    async def _read(self, place: int, attempt: AttemptLog) -> bytes:
        known = self._logs.jobs[place]
        if not is_over(known.log):
            self._served = place
        if self._least is not Level.UNMARKED:
            return await self._read_marked(place, known, attempt)
        seq = self._cursor.at(place).seq
        page = await self._resources.log_feeds.next_page(known.job.job_id, attempt, seq)
        events: list[bytes] = []
        size = 0
        for chunk, told in zip(page.since(seq), page.told(seq, known.job), strict=True):
            self._cursor.move(place, ChunkCursor(attempt.epoch, chunk.seq))
            events.append(frame(told, event_id=self._cursor))
            size += len(told)
            if size >= PORTION_BYTES:
                return b"".join(events)
        self._cursor.move(place, page.last)
        return b"".join(events) or frame_id(self._cursor)

    async def _read_marked(self, place: int, known: JobLog, attempt: AttemptLog) -> bytes:
        seq = self._cursor.at(place).seq
        feeds, job_id = self._resources.log_feeds, known.job.job_id
        line_filter = self._filters.get(place) or await feeds.begin_filter(job_id, attempt, seq, self._least)
        page = await feeds.next_page(job_id, attempt, seq)
        self._filters[place] = line_filter
        events: list[bytes] = []
        for chunk in page.since(seq):
            if marked := line_filter.feed(chunk):
                self._cursor.move(place, ChunkCursor(attempt.epoch, chunk.seq))
                shown = show_marked(chunk, attempt.epoch, marked, job=known.job)
                events.append(frame(encode(shown), event_id=self._cursor))
        self._cursor.move(place, page.last)
        # Whoever comes back need not look through it again.
        return b"".join(events) + frame_id(self._cursor)


@get(
    "/stream/runs/{run:str}/logs",
    guards=[require_viewer],
    tags=["streams"],
    media_type="text/event-stream",
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def stream_run_logs(
    request: Request[Any, Any, Any],
    run: RunInPath,
    resources: FromResources,
    actor: FromActor,
    *,
    after: Annotated[
        str | None, QueryParameter(description="Begin after this event's id; the header Last-Event-ID goes before it.")
    ] = None,
    level: LevelParameter = None,
) -> Stream:
    """Stream the logs of all jobs of a run, live or finished, as server-sent events; `end` follows the last chunk."""
    least = read_level(level)
    logs = (await read_run_logs(resources.pool, [run])).get(run)
    if logs is None:
        raise not_found("run of that id")
    begin_after = request.headers.get("last-event-id") or after
    cursor = RunCursor() if begin_after is None else read_run_cursor(begin_after)
    reader = RunReader(resources, run, logs, cursor, least=least)
    bell = Bell()
    return event_stream(
        follow(
            reader.look,
            bell=bell,
            watching=resources.run_log_watch.follow(run, bell),
            stop=resources.stop,
            still_allowed=partial(resources.tokens.holds, actor.token_id),
        )
    )
