"""`GET /api/v1/stream/logs`: the logs of all jobs as they grow, from now on, or on from `Last-Event-ID`.

The id of an event is (transaction id, row id); see `watch_horizon` for why.
"""

from functools import partial
from typing import Annotated, Any

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from services.ingest.authenticate import FromActor, require_viewer
from services.ingest.problem_details import problem_responses
from services.ingest.queries.logs import StreamLogChunksRow, stream_log_chunks
from services.ingest.resources import FromResources, Resources
from services.ingest.row_cursor import RowCursor, read_row_cursor
from services.ingest.send_events import Look, event_stream, follow, frame_event
from services.ingest.show_chunk import STREAM_NAMES, ShownChunk, decode
from services.ingest.stream_log import PAGE_BYTES, PAGE_ROWS
from services.ingest.watch_horizon import read_steady_horizon
from shared.db import query
from shared.loop import Bell


class AllLogsReader:
    """Reads chunks of all jobs onwards from a cursor, a bounded page at a time."""

    def __init__(self, resources: Resources, cursor: RowCursor) -> None:
        self._resources = resources
        self._cursor = cursor

    async def look(self) -> Look:
        """Return what there is beyond the cursor. Raises `DatabaseUnavailableError`."""
        horizon = self._resources.horizon_watch.horizon()
        if horizon is None or self._cursor >= horizon.newest_chunk:
            return Look()
        chunks = await query(
            self._resources.pool,
            lambda connection: stream_log_chunks(
                connection,
                after_tx_id=self._cursor.tx_id,
                after_row_id=self._cursor.row_id,
                below_tx_id=horizon.below_tx_id,
                max_rows=PAGE_ROWS,
                max_bytes=PAGE_BYTES,
            ),
        )
        if not chunks:
            # Those beyond were dropped as too old, or their pipeline was deleted.
            self._cursor = horizon.newest_chunk
            return Look()
        self._cursor = RowCursor(chunks[-1].tx_id, chunks[-1].row_id)
        return Look(b"".join(map(_frame, chunks)), more=True)


def _frame(chunk: StreamLogChunksRow) -> bytes:
    shown = ShownChunk(
        epoch=chunk.epoch,
        seq=chunk.seq,
        step=chunk.step,
        stream=STREAM_NAMES[chunk.stream],
        first_line=chunk.first_line,
        continues=chunk.continues,
        text=decode(chunk.data),
        at=chunk.recorded_at,
        line_offsets_ms=chunk.line_offsets_ms,
        job_id=chunk.job_id,
        job_key=chunk.job_key,
        run_id=chunk.run_id,
    )
    return frame_event(shown, event_id=RowCursor(chunk.tx_id, chunk.row_id))


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
) -> Stream:
    """Stream the logs of all jobs as server-sent events, from now on."""
    begin_after = request.headers.get("last-event-id") or after
    if begin_after is not None:
        cursor = read_row_cursor(begin_after)
    else:
        cursor = (await read_steady_horizon(resources.pool)).start()
    reader = AllLogsReader(resources, cursor)
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
