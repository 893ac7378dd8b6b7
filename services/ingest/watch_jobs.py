"""Who waits for which job: one indexed read for all of them tells whose job has moved; none when nobody waits.

Most ends of jobs on their own make no noise: what is rung is looked at at once, the rest is found once a second.
"""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

import anyio
import msgspec

from services.ingest.find_job import Progress
from services.ingest.keep_followers import Followers
from services.ingest.queries.jobs import ReadJobStatesRow, read_job_states
from shared.db import Pool, query
from shared.ids import JobId
from shared.loop import Bell
from shared.queries.models import JobState

# Looks lie at least so far apart, however often somebody rings.
_LOOK_SECONDS: Final = 1.0
_UNWATCHED_SECONDS: Final = 60.0


class SeenState(msgspec.Struct, frozen=True):
    """Where a job stands. `final`: it has ended; only a redrive could bring it back."""

    state: JobState
    reason: str | None
    epoch: int
    attempts_used: int
    max_attempts: int
    run_at: datetime
    final: bool
    progress: Progress | None


class JobWatch:
    """Wakes those who wait for a job when it has moved."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._looked_at = -_LOOK_SECONDS
        # Rung by NOTIFY, and by a new follower.
        self.bell = Bell()
        # None: the job is gone.
        self._followers: Followers[JobId, SeenState | None] = Followers(self.bell)

    def follow(self, job_id: JobId, bell: Bell) -> AbstractContextManager[None]:
        """Ring `bell` whenever the job has moved, for as long as the block lasts."""
        return self._followers.follow(job_id, bell)

    def state(self, job_id: JobId) -> SeenState | None:
        """Return where a followed job stood at the last look; None before the first."""
        return self._followers.states.get(job_id)

    def is_gone(self, job_id: JobId) -> bool:
        """Whether a followed job was not there any more at the last look."""
        return job_id in self._followers.states and self._followers.states[job_id] is None

    def ring_all(self) -> None:
        """Wake every follower: the process is asked to stop."""
        self._followers.ring_all()

    async def look(self) -> float:
        """Look once, for all followers; returns the seconds until the next look. A step of `run_loop`."""
        watched = self._followers.keys()
        if not watched:
            return _UNWATCHED_SECONDS
        early = self._looked_at + _LOOK_SECONDS - anyio.current_time()
        if early > 0:
            return early
        self._looked_at = anyio.current_time()
        found = await read_seen_states(self._pool, watched)
        for job_id in watched:
            state = found.get(job_id)
            if job_id not in self._followers.states or self._followers.states[job_id] != state:
                self._followers.move(job_id, state)
        return _LOOK_SECONDS


async def read_seen_states(pool: Pool, job_ids: list[JobId]) -> dict[JobId, SeenState]:
    """Return where jobs stand now; unknown jobs are left out. Raises `DatabaseUnavailableError`."""
    rows = await query(pool, lambda connection: read_job_states(connection, job_ids=job_ids))
    return {row.job_id: _seen(row) for row in rows}


def _seen(row: ReadJobStatesRow) -> SeenState:
    progress = None
    if row.fraction is not None and row.message is not None and row.updated_at is not None:
        progress = Progress(row.fraction, row.message, row.updated_at)
    return SeenState(
        row.state, row.reason, row.claim_epoch, row.attempts_used, row.max_attempts, row.run_at, row.final, progress
    )
