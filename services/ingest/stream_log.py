"""`GET /api/v1/stream/logs/{job}`: the log of one job as it grows, every attempt in turn, then `end`.

The id of an event is (epoch, seq). A reader leaves an epoch only when it has ended and its last_seq was delivered.
"""

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get
from litestar.params import PathParameter, QueryParameter
from litestar.response import Stream

from services.ingest.authenticate import FromActor, require_viewer
from services.ingest.problem_details import not_found, problem_responses
from services.ingest.queries.logs import read_log_chunks
from services.ingest.queries.rows import LogChunk
from services.ingest.render_ansi import AnsiRenderer, Span
from services.ingest.resources import FromResources, Resources
from services.ingest.row_cursor import ChunkCursor, read_chunk_cursor
from services.ingest.seek_log_tail import seek_log_tail
from services.ingest.send_events import Look, event_stream, follow, frame_event
from services.ingest.show_chunk import decode, show_chunk
from services.ingest.watch_logs import AttemptLog, LogState, read_states
from shared.db import query
from shared.ids import JobId
from shared.loop import Bell
from shared.queries.models import JobState

# One page: what a client can cost in memory, beside what the server's socket buffers.
PAGE_ROWS: Final = 500
PAGE_BYTES: Final = 256 * 1024


class LogEnd(msgspec.Struct, frozen=True):
    """The job has ended, and all of its log was delivered."""

    state: JobState


class LogReader:
    """Reads the log of one job onwards from a cursor, a bounded page at a time."""

    def __init__(
        self, resources: Resources, job_id: JobId, state: LogState, cursor: ChunkCursor, *, with_spans: bool = False
    ) -> None:
        self._resources = resources
        self._job_id = job_id
        self._state = state
        self._cursor = cursor
        self._renderer = AnsiRenderer() if with_spans else None

    async def look(self) -> Look:
        """Return what there is beyond the cursor. Raises `DatabaseUnavailableError`."""
        self._state = self._resources.log_watch.state(self._job_id) or self._state
        current = self._leave_ended_attempts()
        if current is None or self._cursor.seq >= current.last_seq:
            return self._end_if_final()
        return Look(await self._read_page(current), more=True)

    def _leave_ended_attempts(self) -> AttemptLog | None:
        """Move on from attempts that have ended and were delivered; return the one to read from."""
        current = self._state.attempt(self._cursor.epoch)
        while current is None or (current.ended and self._cursor.seq >= current.last_seq):
            following = self._state.attempt_after(self._cursor.epoch)
            if following is None:
                return current
            current, self._cursor = following, ChunkCursor(following.epoch, 0)
            if self._renderer is not None:
                self._renderer = AnsiRenderer()
        return current

    def _end_if_final(self) -> Look:
        """Nothing is left to read now. Is anything still to come?"""
        if not self._state.final or not all(attempt.ended for attempt in self._state.attempts):
            return Look()
        return Look(frame_event(LogEnd(self._state.state), name="end"), done=True)

    async def _read_page(self, attempt: AttemptLog) -> bytes:
        chunks = await query(
            self._resources.pool,
            lambda connection: read_log_chunks(
                connection,
                log_day=attempt.day,
                job_id=self._job_id,
                epoch=attempt.epoch,
                after_seq=self._cursor.seq,
                max_rows=PAGE_ROWS,
                max_bytes=PAGE_BYTES,
            ),
        )
        # Chunks are stored with last_seq, in one transaction: those that are not there were dropped as too old.
        self._cursor = ChunkCursor(attempt.epoch, chunks[-1].seq if chunks else attempt.last_seq)
        return b"".join(
            frame_event(
                show_chunk(chunk, self._render(chunk)),
                event_id=ChunkCursor(chunk.epoch, chunk.seq),
            )
            for chunk in chunks
        )

    def _render(self, chunk: LogChunk) -> list[Span] | None:
        if self._renderer is None:
            return None
        return self._renderer.render(chunk.stream, decode(chunk.data))


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
    spans: Annotated[bool, QueryParameter(description="Add the text in pieces of one style, for pages.")] = False,
) -> Stream:
    """Stream the log of a job, live or finished, as server-sent events; `end` follows its last chunk."""
    states = await read_states(resources.pool, [job])
    if job not in states:
        raise not_found("job of that id")
    begin_after = request.headers.get("last-event-id") or after
    if begin_after is not None:
        cursor = read_chunk_cursor(begin_after)
    elif tail is not None:
        cursor = (await seek_log_tail(resources.pool, job, states[job], tail)).cursor
    else:
        cursor = ChunkCursor(0, 0)
    reader = LogReader(resources, job, states[job], cursor, with_spans=spans)
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
