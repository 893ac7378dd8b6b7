"""What all jobs print, page by page, for all who follow it on this replica: each page is read and encoded once."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from typing import Final

from services.ingest.count_cost import cost_of
from services.ingest.queries.logs import StreamLogChunksRow, read_log_gone, stream_log_chunks
from services.ingest.read_chunks import PAGE_BYTES, PAGE_ROWS, stored
from services.ingest.row_cursor import RowCursor
from services.ingest.send_events import encode, frame
from services.ingest.share_pages import SharedPages
from services.ingest.show_chunk import ChunkJob, show_chunk
from shared.db import Pool, query

# There is one feed of this kind.
_KEY: Final = None
_MOST_BYTES: Final = 8 * 1024 * 1024


class AllLogsPage:
    """Chunks of all jobs that follow one another; rows up to the cursor `gone` may have been removed before."""

    def __init__(self, after: RowCursor, last: RowCursor, rows: Sequence[StreamLogChunksRow], gone: RowCursor) -> None:
        self.after = after
        self.last = last
        self.gone = gone
        self._rows = rows
        self._cursors = [RowCursor(row.tx_id, row.row_id) for row in rows]
        self.size = sum(map(cost_of, rows))
        self._events: list[bytes] | None = None

    def rows(self, cursor: RowCursor) -> Sequence[StreamLogChunksRow]:
        """Return the rows beyond a cursor."""
        return self._rows[bisect_right(self._cursors, cursor) :]

    def cursors(self, cursor: RowCursor) -> Sequence[RowCursor]:
        """Return the cursors of the rows beyond a cursor."""
        return self._cursors[bisect_right(self._cursors, cursor) :]

    def events(self, cursor: RowCursor) -> list[bytes]:
        """Return an event for each row beyond a cursor; an empty one where the job was deleted."""
        if self._events is None:
            self._events = [self._frame(row, own) for row, own in zip(self._rows, self._cursors, strict=True)]
        return self._events[bisect_right(self._cursors, cursor) :]

    def _frame(self, row: StreamLogChunksRow, cursor: RowCursor) -> bytes:
        job = job_of(row)
        return b"" if job is None else frame(encode(show_chunk(stored(row), row.epoch, job=job)), event_id=cursor)


def job_of(row: StreamLogChunksRow) -> ChunkJob | None:
    """Return whose chunk it is; None if the job was deleted."""
    return None if row.job_key is None else ChunkJob(row.job_id, row.job_key, row.run_id)


class AllLogsFeed:
    """Pages of what all jobs print, each read once for all who want it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._pages: SharedPages[AllLogsPage] = SharedPages(most_bytes=_MOST_BYTES, most_feed_bytes=_MOST_BYTES)

    async def next_page(self, cursor: RowCursor, up_to: RowCursor) -> AllLogsPage:
        """Return the page that goes on beyond the cursor, which lies before `up_to`; it may begin before it.

        There must be no row up to `up_to` that is yet to appear. Raises `DatabaseUnavailableError`.
        """
        if (found := self._pages.find(_KEY, cursor)) is not None:
            return found
        async with self._pages.lock(_KEY):
            if (found := self._pages.find(_KEY, cursor)) is not None:
                return found
            beyond = self._pages.next_start(_KEY, cursor)
            page = await self._read(cursor, up_to if beyond is None else min(up_to, RowCursor(*beyond)))
            if page.rows(cursor):
                self._pages.put(_KEY, page)
            return page

    async def _read(self, cursor: RowCursor, up_to: RowCursor) -> AllLogsPage:
        rows = await query(
            self._pool,
            partial(
                stream_log_chunks,
                after_tx_id=cursor.tx_id,
                after_row_id=cursor.row_id,
                up_to_tx_id=up_to.tx_id,
                up_to_row_id=up_to.row_id,
                max_rows=PAGE_ROWS,
                max_bytes=PAGE_BYTES,
            ),
        )
        # Read after the rows: what was removed before they were read is told by it.
        gone = await query(self._pool, read_log_gone)
        last = RowCursor(rows[-1].tx_id, rows[-1].row_id) if rows else up_to
        return AllLogsPage(cursor, last, rows, RowCursor(gone.tx_id, gone.row_id))
