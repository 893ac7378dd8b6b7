"""Where the last lines of a log begin. Chunks carry the numbers of their lines, so that nothing has to be counted."""

from functools import partial
from typing import Final, NamedTuple

from services.ingest.queries.logs import read_log_tail
from services.ingest.row_cursor import ChunkCursor
from services.ingest.watch_logs import LogState
from shared.db import Pool, query
from shared.ids import JobId

_PAGE_ROWS: Final = 200
_PAGE_BYTES: Final = 256 * 1024
# However long the lines are, no more than this is shown of them.
_MOST_BYTES: Final = 16 * 1024 * 1024


class Tail(NamedTuple):
    """The last lines: they have numbers from `first_line` on, and begin beyond `cursor`."""

    cursor: ChunkCursor
    first_line: int


async def seek_log_tail(pool: Pool, job_id: JobId, state: LogState, lines: int) -> Tail:
    """Find the last `lines` lines of the latest attempt. Raises `DatabaseUnavailableError`."""
    if not state.attempts:
        return Tail(ChunkCursor(0, 0), 0)
    attempt = state.attempts[-1]
    before_seq = attempt.last_seq + 1
    first_line: int | None = None
    bytes_seen = 0
    while before_seq > 1 and bytes_seen < _MOST_BYTES:
        chunks = await query(
            pool,
            partial(
                read_log_tail,
                log_day=attempt.day,
                job_id=job_id,
                epoch=attempt.epoch,
                before_seq=before_seq,
                max_rows=_PAGE_ROWS,
                max_bytes=_PAGE_BYTES,
            ),
        )
        for chunk in chunks:
            if first_line is None:
                first_line = max(0, chunk.first_line + len(chunk.line_offsets_ms) - lines)
            before_seq = chunk.seq
            bytes_seen += len(chunk.data)
            if chunk.first_line <= first_line and not chunk.continues:
                return Tail(ChunkCursor(attempt.epoch, chunk.seq - 1), first_line)
        if not chunks:
            break
    return Tail(ChunkCursor(attempt.epoch, before_seq - 1), first_line or 0)
