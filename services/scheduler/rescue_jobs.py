"""The duty that finds executors whose beat has stopped, and takes their jobs away from them.

An executor is lost only when this scheduler has itself been connected, and has seen the same beat, for a whole
lease of its own monotonic clock. So an outage of PostgreSQL loses nobody: the watch begins anew when the
database is back.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from services.scheduler.queries.rescue_jobs import WatchExecutorsRow, declare_lost, watch_executors
from services.scheduler.queries.rescue_jobs import rescue_jobs as rescue_orphaned_jobs
from services.scheduler.take_duty import Duty, take_duty
from shared.db import Connection, Pool, in_transaction
from shared.errors import DatabaseUnavailableError
from shared.ids import ExecutorId
from shared.loop import jittered

logger = logging.getLogger(__name__)

_BATCH: Final = 500
# A claim may commit a moment after its executor's end. A running job of one that ended long ago can only come from
# outside, as from a backup that was restored: so all executors are gone through at the start, and then once an hour.
_NEAR_SECONDS: Final = 86_400.0
_FAR_SECONDS: Final = 1e9
_FAR_PAUSE_SECONDS: Final = 3600.0


class _Sighting(NamedTuple):
    beat_seq: int
    since: float
    seen: float


class BeatWatch:
    """What this scheduler has seen of the executors' beats, by its own clock."""

    def __init__(self, lease_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease_seconds = lease_seconds
        # Often enough that a late look, by our own fault, can be told from a silent executor.
        self.look_seconds = lease_seconds / 10
        # A look that comes this late says nothing about the time before it: it may be we who were away.
        self._gap_seconds = lease_seconds / 2
        self._clock = clock
        self._sightings: dict[ExecutorId, _Sighting] = {}
        self._far_due_at = float("-inf")

    def reach_seconds(self) -> float:
        """Return how long ago an executor may have ended whose jobs the next pass looks for."""
        return _FAR_SECONDS if self._clock() >= self._far_due_at else _NEAR_SECONDS

    def looked(self, reach_seconds: float) -> None:
        """Note that a pass with that reach has left nothing."""
        if reach_seconds == _FAR_SECONDS:
            self._far_due_at = self._clock() + _FAR_PAUSE_SECONDS

    def forget(self) -> None:
        """Begin anew: the database was away, so that silence proves nothing."""
        self._sightings.clear()

    def look(self, executors: list[WatchExecutorsRow]) -> dict[ExecutorId, int]:
        """Take in what the rows say now; returns the executors that were silent for a whole lease, with their beat."""
        now = self._clock()
        sightings: dict[ExecutorId, _Sighting] = {}
        for row in executors:
            earlier = self._sightings.get(row.executor_id)
            went_on = earlier is None or earlier.beat_seq != row.beat_seq or now - earlier.seen > self._gap_seconds
            since = now if earlier is None or went_on else earlier.since
            sightings[row.executor_id] = _Sighting(row.beat_seq, since, now)
        self._sightings = sightings
        return {
            executor_id: sighting.beat_seq
            for executor_id, sighting in sightings.items()
            if now - sighting.since >= self._lease_seconds
        }


async def rescue_jobs(pool: Pool, watch: BeatWatch) -> float:
    """Look once at all executors; declare the silent ones lost and rescue the jobs of those that have ended."""

    async def rescue(connection: Connection) -> int:
        # Every replica watches; one at a time acts.
        silent = watch.look(await watch_executors(connection))
        if not await take_duty(connection, Duty.RESCUE):
            return 0
        if silent:
            lost = await declare_lost(connection, executor_ids=list(silent), beat_seqs=list(silent.values()))
            for row in lost:
                logger.warning("executor %s is lost", row.name, extra={"executor_id": row.executor_id})
        reach = watch.reach_seconds()
        rescued = await rescue_orphaned_jobs(connection, max_jobs=_BATCH, ended_within_seconds=reach)
        if len(rescued) < _BATCH:
            watch.looked(reach)
        for job in rescued:
            logger.warning("job taken from a lost executor: now %s", job.state, extra={"job_id": job.job_id})
        return len(rescued)

    try:
        rescued = await in_transaction(pool, rescue)
    except DatabaseUnavailableError:
        watch.forget()
        raise
    return 0 if rescued == _BATCH else jittered(watch.look_seconds)
