"""Which blocks may hold what is searched for, the newest first, found without reading what is in them.

Words that are common are found soonest by looking through the newest blocks; words that are rare, by the index of
words, which finds all of a stretch of time before the newest are known. Which they are is seen from the first look.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from services.ingest.queries.rows import ListedBlock
from services.ingest.queries.search_logs import (
    find_blocks_by_words,
    limit_log_search,
    list_blocks_of_jobs,
    list_newest_blocks,
    list_newest_pipeline_blocks,
)
from shared.db import Connection, Pool, in_transaction
from shared.ids import JobId, PipelineId

_FIRST_ROWS: Final = 32
_MOST_ROWS: Final = 256
# The index is asked instead, once fewer than one in so many of the newest blocks hold the words.
_RARE: Final = 4
_INDEXED_ROWS: Final = 500
# Stretches of time that the index is asked for, one after the other, before it is asked for everything.
_STRETCHES: Final = (timedelta(days=2), timedelta(days=30))
# No attempt lasts longer: blocks are kept by the day on which their attempt began.
_LONGEST_ATTEMPT: Final = timedelta(days=31)
_STATEMENT_TIMEOUT: Final = "10s"
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Between the clocks of the executors, which write the times of lines, and that of the database.
_CLOCK_DIFFERENCE: Final = timedelta(days=1)


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A place in the order of the search, which is that of blocks by their last byte, the newest first.

    Everything before it has been looked at. `line_index`: also the block itself, but for its first lines, so many.
    """

    at: Annotated[datetime, Meta(tz=True)]
    job_id: JobId
    epoch: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    first_seq: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    line_index: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


_START: Final = Place(datetime.max.replace(tzinfo=UTC), JobId(UUID(int=2**128 - 1)), 2**31 - 1, 2**63 - 1)


class BlockFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which blocks are looked for; None: any."""

    # Numbers of the words that they hold.
    words: Sequence[int]
    pipeline_id: PipelineId | None = None
    job_ids: Sequence[JobId] | None = None
    since: datetime | None = None
    # Only whole days are told apart by it.
    until: datetime | None = None
    least_level: int = 0


class BlockSearch:
    """Goes through the blocks that a filter lets pass, from a place on."""

    def __init__(self, pool: Pool, wanted: BlockFilter, place: Place | None) -> None:
        self._pool = pool
        self._wanted = wanted
        self._words = list(wanted.words)
        self._since = max(wanted.since or _EARLIEST, _EARLIEST)
        self._until_day = _day_after(wanted.until)
        # What is beyond it has not been looked at.
        self.place = place or _START
        self.is_done = False
        self._rows = _FIRST_ROWS
        # What the index has still to be asked for; None while it is not asked at all.
        self._stretches: list[timedelta | None] | None = None
        self._stretch_begins = self._since

    async def next_blocks(self) -> list[ListedBlock]:
        """Look once; returns what was found, up to `place`, which may be nothing although more follows.

        Raises `DatabaseUnavailableError`, also when a look takes too long.
        """
        if self._stretches is not None:
            return await self._look_in_index()
        rows, self._rows = self._rows, min(2 * self._rows, _MOST_ROWS)
        listed = await self._look(self._list(self.place, rows))
        holding = [block for block in listed if block.holds_words]
        if listed:
            self.place = place_of(listed[-1])
        self.is_done = len(listed) < rows
        # The blocks of a run are few: all of them are looked through.
        if self._wanted.job_ids is None and len(holding) * _RARE < len(listed):
            self._stretches = [*_STRETCHES, None]
            self._begin_stretch(self._stretches)
        return holding

    async def _look_in_index(self) -> list[ListedBlock]:
        place, begins = self.place, self._stretch_begins
        found = await self._look(
            partial(
                find_blocks_by_words,
                words=self._words,
                before_at=place.at,
                before_job_id=place.job_id,
                before_epoch=place.epoch,
                before_seq=place.first_seq,
                since=begins,
                from_day=_day_before(begins),
                until_day=min(self._until_day, _day_after(place.at)),
                least_level=self._wanted.least_level,
                pipeline_id=self._wanted.pipeline_id,
                max_rows=_INDEXED_ROWS,
            )
        )
        if len(found) == _INDEXED_ROWS:
            self.place = place_of(found[-1])
        elif self._stretches and begins > self._since:
            # The first of what lies before the stretch.
            self.place = Place(begins, JobId(UUID(int=0)), 0, 0)
            self._begin_stretch(self._stretches)
        else:
            self.is_done = True
        return found

    def _begin_stretch(self, stretches: list[timedelta | None]) -> None:
        length = stretches.pop(0)
        if length is not None and self.place.at - self._since > length:
            self._stretch_begins = self.place.at - length
        else:
            self._stretch_begins = self._since

    def _list(self, place: Place, rows: int) -> Callable[[Connection], Awaitable[list[ListedBlock]]]:
        wanted = self._wanted
        if wanted.job_ids is not None:
            return partial(
                list_blocks_of_jobs,
                words=self._words,
                job_ids=list(wanted.job_ids),
                before_at=place.at,
                before_job_id=place.job_id,
                before_epoch=place.epoch,
                before_seq=place.first_seq,
                since=self._since,
                until_day=self._until_day,
                least_level=wanted.least_level,
                max_rows=rows,
            )
        if wanted.pipeline_id is not None:
            return partial(
                list_newest_pipeline_blocks,
                words=self._words,
                pipeline_id=wanted.pipeline_id,
                before_at=place.at,
                before_job_id=place.job_id,
                before_epoch=place.epoch,
                before_seq=place.first_seq,
                since=self._since,
                from_day=_day_before(self._since),
                until_day=min(self._until_day, _day_after(place.at)),
                least_level=wanted.least_level,
                max_rows=rows,
            )
        return partial(
            list_newest_blocks,
            words=self._words,
            before_at=place.at,
            before_job_id=place.job_id,
            before_epoch=place.epoch,
            before_seq=place.first_seq,
            since=self._since,
            from_day=_day_before(self._since),
            until_day=min(self._until_day, _day_after(place.at)),
            least_level=wanted.least_level,
            max_rows=rows,
        )

    async def _look(self, body: Callable[[Connection], Awaitable[list[ListedBlock]]]) -> list[ListedBlock]:
        async def within_limits(connection: Connection) -> list[ListedBlock]:
            await limit_log_search(connection, statement_timeout=_STATEMENT_TIMEOUT)
            return await body(connection)

        return await in_transaction(self._pool, within_limits)


def place_of(block: ListedBlock, line_index: int = 0) -> Place:
    """Return the place behind a block, or that before its first lines, so many."""
    return Place(block.last_at, block.job_id, block.epoch, block.first_seq, line_index)


def _day_before(at: datetime) -> date:
    """Return a day on or after which every attempt began whose blocks are not older."""
    return (at - _LONGEST_ATTEMPT - _CLOCK_DIFFERENCE).date() if at > _EARLIEST else _EARLIEST.date()


def _day_after(at: datetime | None) -> date:
    """Return a day on or before which every attempt began that had printed something by then."""
    try:
        return date.max if at is None else (at + _CLOCK_DIFFERENCE).date()
    except OverflowError:
        return date.max
