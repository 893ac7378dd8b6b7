"""The heartbeat: one beat for all jobs of the executor. Its answer brings the jobs that are to be canceled.

It goes on until nothing runs any more, also while the executor drains. Losing the lease ends everything that
runs here, and the executor registers anew under another id.
"""

import logging
import time
from typing import Final

from services.executor.hold_jobs import Custody, Interruption
from services.executor.queries.beat_executor import beat_executor as record_beat
from services.executor.queries.reconcile_jobs import reconcile_jobs
from services.executor.queries.register_executor import register_executor
from shared.db import Pool, query
from shared.ids import ExecutorId, new_id
from shared.queries.models import ExecutorState
from shared.version import CODE_VERSION

logger = logging.getLogger(__name__)

_DOUBT_SECONDS: Final = 60.0
_RECONCILE_SECONDS: Final = 30.0
_REST_FACTOR: Final = 20.0
_PATIENCE_SECONDS: Final = 0.5


class Membership:
    """Who this executor is in the books; a new one after every loss."""

    def __init__(
        self,
        *,
        name: str,
        queues: list[str],
        labels: list[str],
        slots: int,
        plan_slots: int,
        handler_slots: int,
        job_types: list[str],
    ) -> None:
        self.executor_id = ExecutorId(new_id())
        self.registered = False
        self.draining = False
        self._name = name
        self._queues = queues
        self._labels = labels
        self._slots = slots
        self._plan_slots = plan_slots
        self._handler_slots = handler_slots
        self._job_types = job_types
        self._doubted_until = 0.0
        self._reconcile_at = time.monotonic() + _RECONCILE_SECONDS

    async def register(self, pool: Pool) -> None:
        """Enter under a new id. Raises `DatabaseUnavailableError`; a row that was entered all the same is lost soon."""
        self.executor_id = ExecutorId(new_id())
        await query(
            pool,
            lambda connection: register_executor(
                connection,
                executor_id=self.executor_id,
                name=self._name,
                version=CODE_VERSION,
                queues=self._queues,
                labels=self._labels,
                slots=self._slots,
                plan_slots=self._plan_slots,
                handler_slots=self._handler_slots,
                job_types=self._job_types,
            ),
        )
        self.registered = True
        logger.info("registered", extra={"executor_id": self.executor_id})

    def doubt_books(self) -> None:
        """Compare the books with what is held at every beat for a while: the answer to a claim may have been lost."""
        self._doubted_until = time.monotonic() + _DOUBT_SECONDS

    def is_reconciling(self) -> bool:
        """Whether the next beat should compare."""
        now = time.monotonic()
        return now < self._doubted_until or now >= self._reconcile_at

    def reconciled(self, took_seconds: float) -> None:
        """Note that the books have been compared, and how long that took: it may take a twentieth of the time."""
        self._reconcile_at = time.monotonic() + max(_RECONCILE_SECONDS, _REST_FACTOR * took_seconds)


async def beat_executor(pool: Pool, membership: Membership, custody: Custody, beat_seconds: float) -> float:
    """Beat once; returns the seconds until the next beat."""
    if not membership.registered:
        await membership.register(pool)
        return beat_seconds
    state = ExecutorState.DRAINING if membership.draining else ExecutorState.ACTIVE
    canceled = await query(
        pool, lambda connection: record_beat(connection, executor_id=membership.executor_id, state=state)
    )
    if canceled is None:
        logger.warning("declared lost: ending what runs here", extra={"executor_id": membership.executor_id})
        membership.registered = False
        custody.interrupt_all(Interruption.LOST)
        await custody.wait_until_empty()
        return 0
    custody.interrupt(canceled, Interruption.CANCELED)
    if membership.is_reconciling():
        try:
            async with custody.books.comparing(_PATIENCE_SECONDS):
                await _reconcile(pool, membership, custody)
        except TimeoutError:
            # A claim that takes its time does not hold up the beat: the comparison waits for the next one.
            logger.info("the books are not compared yet: a claim is under way")
    return beat_seconds


async def _reconcile(pool: Pool, membership: Membership, custody: Custody) -> None:
    held = custody.epochs()
    began = time.monotonic()
    returned = await query(
        pool,
        lambda connection: reconcile_jobs(
            connection,
            executor_id=membership.executor_id,
            held_job_ids=list(held),
            held_epochs=list(held.values()),
        ),
    )
    membership.reconciled(time.monotonic() - began)
    for job in returned:
        logger.warning("gave back a job whose claim was never answered", extra={"job_id": job.job_id})
