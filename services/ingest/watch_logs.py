"""Who follows which job's log: one indexed read for all of them tells whose log has grown.

A NOTIFY says that some log grew, not which. Were every client to look for itself, a busy executor would cost as many
reads a second as there are clients; so one reader looks, and wakes those whose job has something new.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Final

import msgspec

from services.ingest.queries.logs import ReadLogStatesRow, read_log_states
from shared.db import Pool, query
from shared.ids import JobId
from shared.loop import Bell
from shared.queries.models import JobState

_WATCHED_SECONDS: Final = 1.0
_UNWATCHED_SECONDS: Final = 60.0


class AttemptLog(msgspec.Struct, frozen=True):
    """How far the log of one attempt goes."""

    epoch: int
    day: date
    last_seq: int
    ended: bool


class LogState(msgspec.Struct, frozen=True):
    """How far the log of a job goes. `final`: the job has ended, there will be no further attempt."""

    state: JobState
    final: bool
    attempts: tuple[AttemptLog, ...]

    def attempt(self, epoch: int) -> AttemptLog | None:
        """Return an attempt by its epoch."""
        return next((attempt for attempt in self.attempts if attempt.epoch == epoch), None)

    def attempt_after(self, epoch: int) -> AttemptLog | None:
        """Return the first attempt of a higher epoch."""
        return next((attempt for attempt in self.attempts if attempt.epoch > epoch), None)


# Of a job that was deleted together with its pipeline: its stream ends.
_GONE: Final = LogState(JobState.CANCELED, final=True, attempts=())


class LogWatch:
    """Wakes those who follow a log when there is more of it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._bells: dict[JobId, set[Bell]] = {}
        self._states: dict[JobId, LogState] = {}
        # Rung by NOTIFY, and by a new follower.
        self.bell = Bell()

    @contextmanager
    def follow(self, job_id: JobId, bell: Bell) -> Iterator[None]:
        """Ring `bell` whenever the job's log has grown, for as long as the block lasts."""
        self._bells.setdefault(job_id, set()).add(bell)
        self.bell.ring()
        try:
            yield
        finally:
            followers = self._bells[job_id]
            followers.discard(bell)
            if not followers:
                del self._bells[job_id]
                self._states.pop(job_id, None)

    def state(self, job_id: JobId) -> LogState | None:
        """Return how far the log of a followed job was known to go, at the last look."""
        return self._states.get(job_id)

    def ring_all(self) -> None:
        """Wake every follower: the process is asked to stop."""
        for bells in self._bells.values():
            for bell in bells:
                bell.ring()

    async def look(self) -> float:
        """Look once, for all followers; returns the seconds until the next look. A step of `run_loop`."""
        if not self._bells:
            return _UNWATCHED_SECONDS
        watched = list(self._bells)
        found = await read_states(self._pool, watched)
        for job_id in watched:
            state = found.get(job_id, _GONE)
            if job_id in self._bells and self._states.get(job_id) != state:
                self._states[job_id] = state
                for bell in self._bells[job_id]:
                    bell.ring()
        return _WATCHED_SECONDS


async def read_states(pool: Pool, job_ids: list[JobId]) -> dict[JobId, LogState]:
    """Return how far the logs of jobs go now; unknown jobs are left out. Raises `DatabaseUnavailableError`."""
    rows = await query(pool, lambda connection: read_log_states(connection, job_ids=job_ids))
    grouped: dict[JobId, list[ReadLogStatesRow]] = {}
    for row in rows:
        grouped.setdefault(row.job_id, []).append(row)
    return {
        job_id: LogState(own[0].state, own[0].final, tuple(log for row in own if (log := _attempt_log(row))))
        for job_id, own in grouped.items()
    }


def _attempt_log(row: ReadLogStatesRow) -> AttemptLog | None:
    if row.epoch is None or row.log_day is None or row.last_seq is None:
        return None
    return AttemptLog(row.epoch, row.log_day, row.last_seq, row.ended_at is not None)
