"""The duty that moves what has changed in the counts of jobs into their totals.

Every statement that moves jobs appends its difference, so that no two of them wait for each other's counter. A total
is what was folded and what was not yet, added up in one statement.
"""

import time
from collections.abc import Callable
from typing import Final

from services.scheduler.queries.fold_job_counts import fold_job_counts as fold_changes
from services.scheduler.take_duty import Duty, take_duty
from shared.db import Connection, Pool, in_transaction
from shared.loop import jittered

_BATCH: Final = 5000
_BUSY_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 5.0
_FRONT: Final = "(0,0)"
# A look from the front of the table is waited for this many times over.
_REST_FACTOR: Final = 20.0


class FoldWalk:
    """Where in the table of changes to go on.

    What was taken away stays at the front of the table until it is cleaned up, and while an old snapshot is held open
    somewhere it is not: each look from the front would take longer than the one before it. So those take a twentieth
    of the time at most; what was put into a gap in front waits for the next of them. While they are short, every look
    is one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_row_at = _FRONT
        self._front_due_at = 0.0

    def choose(self) -> str:
        """Return the place from which to fold."""
        if self._clock() >= self._front_due_at:
            self._last_row_at = _FRONT
        return self._last_row_at

    def went(self, last_row_at: str | None, seconds: float) -> None:
        """Note the last change that was folded, if any was, and how long that took."""
        if self._last_row_at == _FRONT:
            self._front_due_at = self._clock() + _REST_FACTOR * seconds
        if last_row_at is not None:
            self._last_row_at = last_row_at


async def fold_job_counts(pool: Pool, walk: FoldWalk, *, batch: int = _BATCH) -> float:
    """Fold one batch; returns the seconds until the next look."""

    async def fold(connection: Connection) -> int:
        if not await take_duty(connection, Duty.FOLD):
            return 0
        began = time.monotonic()
        done = await fold_changes(connection, from_row_at=walk.choose(), max_changes=batch)
        walk.went(done.last_row_at, time.monotonic() - began)
        return done.folded

    folded = await in_transaction(pool, fold)
    if folded == batch:
        return 0
    return jittered(_BUSY_SECONDS if folded else _IDLE_SECONDS)
