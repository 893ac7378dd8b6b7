"""How far the streams over all jobs and all events may be read: one read for all clients.

Row ids are given out in one order and committed in another. So rows are read in the order of (transaction id, row id),
and only below the oldest transaction that is still under way: below it, nothing can appear any more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from services.ingest.pace_looks import Pace
from services.ingest.queries.logs import read_horizon
from services.ingest.row_cursor import RowCursor
from shared.db import Pool, query
from shared.loop import Bell

_WATCHED_SECONDS: Final = 1.0
_UNWATCHED_SECONDS: Final = 60.0
# Rows are there that may yet be overtaken: their transactions, or older ones, are about to end. Some take long, though.
_UNSTEADY_SECONDS: Final = 0.02
_UNSTEADY_MOST_SECONDS: Final = 0.5
_UNSTEADY_GROWTH: Final = 1.1


class Horizon(msgspec.Struct, frozen=True):
    """Rows of transactions below `below_tx_id` are all there; the newest of each kind below it."""

    below_tx_id: int
    newest_chunk: RowCursor
    newest_event: RowCursor
    unsteady: bool

    def start(self) -> RowCursor:
        """Return the cursor of a stream that begins now: every later row lies beyond it."""
        return RowCursor(self.below_tx_id, 0)


class HorizonWatch:
    """Wakes the streams over all jobs and all events when there may be more for them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._bells: set[Bell] = set()
        self._horizon: Horizon | None = None
        self._unsteady_looks = 0
        self._pace = Pace()
        # Rung by NOTIFY, and by a new follower.
        self.bell = Bell()

    @contextmanager
    def follow(self, bell: Bell) -> Iterator[None]:
        """Ring `bell` whenever the horizon has moved over new rows, for as long as the block lasts."""
        self._bells.add(bell)
        self.bell.ring()
        try:
            yield
        finally:
            self._bells.discard(bell)

    def horizon(self) -> Horizon | None:
        """Return the horizon of the last look."""
        return self._horizon

    def ring_all(self) -> None:
        """Wake every follower: the process is asked to stop."""
        for bell in self._bells:
            bell.ring()

    async def look(self) -> float:
        """Look once, for all followers; returns the seconds until the next look. A step of `run_loop`."""
        if not self._bells:
            self._horizon = None
            return _UNWATCHED_SECONDS
        if (early := self._pace.seconds_left()) > 0:
            return early
        with self._pace.look():
            before, now = self._horizon, await read_steady_horizon(self._pool)
        self._horizon = now
        if before is None or (now.newest_chunk, now.newest_event) != (before.newest_chunk, before.newest_event):
            self.ring_all()
        if not now.unsteady:
            self._unsteady_looks = 0
            return _WATCHED_SECONDS
        self._unsteady_looks += 1
        return min(_UNSTEADY_MOST_SECONDS, _UNSTEADY_SECONDS * _UNSTEADY_GROWTH ** min(self._unsteady_looks, 100))


async def read_steady_horizon(pool: Pool) -> Horizon:
    """Return the horizon of now. Raises `DatabaseUnavailableError`."""
    row = await query(pool, read_horizon)
    return Horizon(
        below_tx_id=row.below_tx_id,
        newest_chunk=RowCursor(row.chunk_tx_id, row.chunk_row_id),
        newest_event=RowCursor(row.event_tx_id, row.event_row_id),
        unsteady=row.unsteady,
    )
