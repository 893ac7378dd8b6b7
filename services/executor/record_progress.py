"""The loop that writes down what handlers last said of their progress: of each job the newest, once a second."""

import time
from collections.abc import Sequence
from typing import Final

from services.executor.handler_frames import ProgressNote
from services.executor.hold_calls import CallHoldings
from services.executor.queries.record_progress import record_progress as store_progress
from shared.db import Pool, query
from shared.loop import Bell

_PAUSE_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 3600.0
_MOST_LETTERS: Final = 1000


class ProgressBook:
    """What has been said and not been written down yet."""

    def __init__(self, pool: Pool, holdings: CallHoldings) -> None:
        self._pool = pool
        self._holdings = holdings
        self._notes: dict[int, ProgressNote] = {}
        self._written_at = float("-inf")
        self.bell = Bell()

    def take(self, notes: Sequence[ProgressNote]) -> None:
        """Take note; what was said before of the same job is forgotten."""
        self._notes.update((note.key, note) for note in notes)
        self.bell.ring()

    async def record(self) -> float:
        """Write down what was said of the jobs that are still held; returns the seconds until the next look."""
        pause = self._written_at + _PAUSE_SECONDS - time.monotonic()
        if self._notes and pause > 0:
            return pause  # a ring came early
        notes, self._notes = self._notes, {}
        said = [(held, note) for note in notes.values() if (held := self._holdings.find(note.key)) is not None]
        if not said:
            return _IDLE_SECONDS
        await query(
            self._pool,
            lambda connection: store_progress(
                connection,
                job_ids=[held.job_id for held, _ in said],
                epochs=[held.epoch for held, _ in said],
                fractions=[min(1.0, max(0.0, note.fraction)) for _, note in said],
                messages=[note.message.replace("\0", "")[:_MOST_LETTERS] for _, note in said],
            ),
        )
        self._written_at = time.monotonic()
        return _IDLE_SECONDS
