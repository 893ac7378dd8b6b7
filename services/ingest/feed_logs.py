"""The logs of jobs, page by page, for all who read them on this replica: each page is read and encoded once."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple

from msgspec.structs import replace

from services.ingest.count_cost import cost_of
from services.ingest.filter_lines import LineFilter
from services.ingest.queries.logs import read_new_chunks
from services.ingest.read_chunks import ChunkPage, read_page, stored, without_gaps
from services.ingest.read_log_states import AttemptLog
from services.ingest.render_ansi import AnsiRenderer
from services.ingest.row_cursor import ChunkCursor
from services.ingest.send_events import encode, frame
from services.ingest.share_pages import SharedPages
from services.ingest.show_chunk import ChunkJob, ShownChunk, decode, show_chunk
from shared.db import Pool, query
from shared.ids import JobId
from shared.logs.find_level import Level
from shared.logs.stored_chunk import StoredChunk

# What is read at once for those who wait at the ends of many logs.
_NEW_ROWS: Final = 8
_NEW_BYTES: Final = 1024 * 1024
# So many chunks before the place to go on from are looked at for a line that goes on there.
_LOOK_BACK: Final = 64


class Growth(NamedTuple):
    """A log that has grown, or may have: from `after_seq` up to `up_to_seq`."""

    job_id: JobId
    attempt: AttemptLog
    after_seq: int
    up_to_seq: int


class LogPage:
    """Chunks of one attempt that follow one another, and the events that they are: made when first asked for."""

    def __init__(self, epoch: int, page: ChunkPage) -> None:
        self.chunks: Sequence[StoredChunk] = page.chunks
        self.after = ChunkCursor(epoch, page.after_seq)
        self.last = ChunkCursor(epoch, page.last_seq)
        self.size = sum(map(cost_of, page.chunks))
        self._events: list[bytes] | None = None
        self._styled: list[bytes] | None = None
        self._told: list[bytes] | None = None
        self._pen: AnsiRenderer | None = None

    def since(self, seq: int) -> Sequence[StoredChunk]:
        """Return the chunks after one of them."""
        return self.chunks[max(0, seq - self.after.seq) :]

    def events(self, seq: int) -> list[bytes]:
        """Return the chunks after one of them as events of the job's own stream."""
        if self._events is None:
            self._events = [self._frame(chunk, show_chunk(chunk, self.after.epoch)) for chunk in self.chunks]
        return self._events[max(0, seq - self.after.seq) :]

    def styled_events(self, seq: int, before: "LogPage | None") -> list[bytes]:
        """Return the same with the text in pieces of one style; it goes on from the page `before`, if there is one."""
        if self._styled is None:
            self._pen = before.pen() if before is not None else AnsiRenderer()
            self._styled = [
                self._frame(
                    chunk,
                    show_chunk(chunk, self.after.epoch, spans=self._pen.render(chunk.stream, decode(chunk.data))),
                )
                for chunk in self.chunks
            ]
        return self._styled[max(0, seq - self.after.seq) :]

    def pen(self) -> AnsiRenderer:
        """Return how the terminal's pen is set behind the last chunk, so far as it is known."""
        return AnsiRenderer() if self._pen is None else self._pen.copy()

    def told(self, seq: int, job: ChunkJob) -> list[bytes]:
        """Return the chunks after one of them as the data of events of a stream about several jobs."""
        if self._told is None:
            self._told = [encode(show_chunk(chunk, self.after.epoch, job=job)) for chunk in self.chunks]
        return self._told[max(0, seq - self.after.seq) :]

    def _frame(self, chunk: StoredChunk, shown: ShownChunk) -> bytes:
        return frame(encode(shown), event_id=ChunkCursor(self.after.epoch, chunk.seq))


class LogFeeds:
    """Pages of logs, each read once for all who want it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._pages: SharedPages[LogPage] = SharedPages()

    def find(self, job_id: JobId, cursor: ChunkCursor) -> LogPage | None:
        """Return the page that goes on beyond the cursor, if it is there."""
        return self._pages.find(job_id, cursor)

    async def next_page(self, job_id: JobId, attempt: AttemptLog, seq: int) -> LogPage:
        """Return the page that goes on beyond the attempt's chunk `seq`, of which there must be more.

        It may begin before that; its chunks are none if retention has dropped them, or their block is damaged. Raises
        `DatabaseUnavailableError`.
        """
        cursor = ChunkCursor(attempt.epoch, seq)
        if (found := self._pages.find(job_id, cursor)) is not None:
            return found
        async with self._pages.lock(job_id):
            if (found := self._pages.find(job_id, cursor)) is not None:
                return found
            beyond = self._pages.next_start(job_id, cursor)
            up_to_seq = attempt.last_seq if beyond is None or beyond[0] != attempt.epoch else beyond[1]
            page = LogPage(attempt.epoch, await read_page(self._pool, job_id, attempt, seq, up_to_seq))
            if page.chunks:
                self._pages.put(job_id, page)
            return page

    async def read_ahead(self, grown: Iterable[Growth]) -> set[JobId]:
        """Read what is new at the ends of several logs, in one query, for those who wait there; returns whose it is.

        Whatever it leaves out is read by whoever needs it. Raises `DatabaseUnavailableError`.
        """
        with self._claimed(grown) as wanted:
            return await self._read_new(wanted) if wanted else set()

    async def _read_new(self, wanted: Sequence[Growth]) -> set[JobId]:
        rows = await query(
            self._pool,
            partial(
                read_new_chunks,
                job_ids=[growth.job_id for growth in wanted],
                epochs=[growth.attempt.epoch for growth in wanted],
                days=[growth.attempt.day for growth in wanted],
                after_seqs=[growth.after_seq for growth in wanted],
                up_to_seqs=[growth.up_to_seq for growth in wanted],
                max_rows=_NEW_ROWS,
                max_bytes=_NEW_BYTES,
            ),
        )
        found: dict[tuple[JobId, int], list[StoredChunk]] = {}
        for row in rows:
            found.setdefault((row.job_id, row.epoch), []).append(stored(row))
        for growth in wanted:
            chunks = without_gaps(found.get((growth.job_id, growth.attempt.epoch), []), growth.after_seq)
            if chunks:
                page = ChunkPage(growth.after_seq, chunks[-1].seq, chunks)
                self._pages.put(growth.job_id, LogPage(growth.attempt.epoch, page))
        return {job_id for job_id, _ in found}

    @contextmanager
    def _claimed(self, grown: Iterable[Growth]) -> Iterator[list[Growth]]:
        """Hold the locks of those logs that nobody has read on yet, nor is reading."""
        wanted: list[Growth] = []
        try:
            for growth in grown:
                lock = self._pages.lock(growth.job_id)
                after_seq = self._end_of_known(growth)
                if lock.locked() or after_seq >= growth.up_to_seq or after_seq < growth.attempt.packed_seq:
                    continue
                lock.acquire_nowait()
                wanted.append(growth._replace(after_seq=after_seq))
            yield wanted
        finally:
            for growth in wanted:
                self._pages.lock(growth.job_id).release()

    def _end_of_known(self, growth: Growth) -> int:
        """Return up to where the pages that are there go on from `after_seq`."""
        cursor = ChunkCursor(growth.attempt.epoch, growth.after_seq)
        while (page := self.find(growth.job_id, cursor)) is not None:
            cursor = page.last
        return cursor.seq

    async def begin_filter(self, job_id: JobId, attempt: AttemptLog, seq: int, least: Level) -> LineFilter:
        """Return a filter for what comes after the attempt's chunk `seq`: it knows of lines that go on there.

        Raises as `next_page` does.
        """
        line_filter = LineFilter(least)
        # The reader may have heard of more than is known here, and it would be waited for without end.
        attempt = replace(attempt, last_seq=max(attempt.last_seq, seq))
        before = max(0, seq - _LOOK_BACK)
        while before < seq:
            page = await self.next_page(job_id, attempt, before)
            for chunk in page.since(before):
                if chunk.seq <= seq:
                    line_filter.feed(chunk)
            before = page.last.seq
        return line_filter

    def page_before(self, job_id: JobId, page: LogPage) -> LogPage | None:
        """Return the page that ends where another begins, if it is there."""
        epoch, seq = page.after
        before = self._pages.find(job_id, ChunkCursor(epoch, seq - 1)) if seq else None
        return before if before is not None and before.last == page.after else None
