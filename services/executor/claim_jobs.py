"""The loop that claims commands: plan jobs and shell jobs, as many as there are free slots, in one statement."""

import logging
from collections.abc import Callable
from typing import Final

from services.executor.beat_executor import Membership
from services.executor.hold_jobs import HeldJob, Holdings
from services.executor.queries.claim_jobs import claim_jobs as claim_ready_jobs
from shared.db import Pool, query
from shared.errors import DatabaseUnavailableError
from shared.loop import jittered

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 4.0
# After a look in vain another one follows soon: what was ready may have been locked by somebody who claimed less.
SECOND_LOOK_SECONDS: Final = 0.05


class JobClaim:
    """Claims for one executor, and starts what it has claimed."""

    def __init__(
        self,
        pool: Pool,
        *,
        membership: Membership,
        queues: list[str],
        labels: list[str],
        holdings: Holdings,
        start: Callable[[HeldJob], None],
    ) -> None:
        self._pool = pool
        self._membership = membership
        self._queues = queues
        self._labels = labels
        self._holdings = holdings
        self._start = start
        self._looked_twice = False

    async def claim(self) -> float:
        """Claim once, and start what was claimed; returns the seconds until the next look."""
        free = self._holdings.free_slots()
        if not free:
            return jittered(LOOK_SECONDS)
        async with self._holdings.books.claiming():
            try:
                jobs = await query(
                    self._pool,
                    lambda connection: claim_ready_jobs(
                        connection,
                        executor_id=self._membership.executor_id,
                        kinds=list(free),
                        slots=list(free.values()),
                        queues=self._queues,
                        labels=self._labels,
                    ),
                )
            except DatabaseUnavailableError:
                # The claim may have taken effect, or may still do so.
                self._membership.doubt_books()
                raise
            if not self._membership.registered:
                # We were declared lost meanwhile: what was claimed is rescued, and must not run here beside that.
                return 1.0
            held = [self._holdings.add(job) for job in jobs]
        for one in held:
            self._start(one)
        if jobs:
            # Of each kind one lane was served: there may be more in another.
            self._looked_twice = False
            return 0 if self._holdings.free_slots() else jittered(LOOK_SECONDS)
        self._looked_twice = not self._looked_twice
        return jittered(SECOND_LOOK_SECONDS if self._looked_twice else LOOK_SECONDS)
