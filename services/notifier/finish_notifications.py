"""Writing down what came of the tries: what gathers during one statement goes into the next."""

import logging

import anyio
import msgspec

from services.notifier.plan_retry import Decision
from services.notifier.queries.finish_notifications import (
    finish_notifications as record_results,
)
from shared.db import Pool, query
from shared.errors import DatabaseUnavailableError
from shared.ids import NotificationId
from shared.loop import backoff_seconds
from shared.stop import Stop

logger = logging.getLogger(__name__)


class Result(msgspec.Struct, frozen=True):
    """What one try led to, under which claim."""

    notification_id: NotificationId
    claim_epoch: int
    decision: Decision


class Finisher:
    """Keeps results until the database has answered: a message is finished again, never sent again."""

    def __init__(self, pool: Pool, stop: Stop) -> None:
        self._pool = pool
        self._stop = stop
        self._gathered: list[Result] = []
        self._writing = anyio.Lock()

    async def finish(self, result: Result, *, lapses_at: float) -> None:
        """Write one result, and with it all that have gathered; an absent database is waited for.

        While we stop, only until the claim lapses, on anyio's clock: then somebody else sends again.
        """
        self._gathered.append(result)
        failures = 0
        while result in self._gathered:
            try:
                await self.flush()
            except DatabaseUnavailableError as error:
                failures += 1
                if self._stop.requested and anyio.current_time() >= lapses_at:
                    self._gathered.remove(result)
                    logger.warning("left without writing down a result; it will be sent again: %s", error)
                    return
                logger.warning("cannot write down %d results yet: %s", len(self._gathered), error)
                await anyio.sleep(backoff_seconds(failures))

    async def flush(self) -> None:
        """Write all that has gathered, in one statement.

        Raises `DatabaseUnavailableError`; the results are kept then.
        """
        async with self._writing:
            batch = sorted(self._gathered, key=lambda result: result.notification_id)
            if not batch:
                return
            written = await query(
                self._pool,
                lambda connection: record_results(
                    connection,
                    notification_ids=[result.notification_id for result in batch],
                    claim_epochs=[result.claim_epoch for result in batch],
                    states=[result.decision.state for result in batch],
                    errors=[result.decision.reason for result in batch],
                    retry_in_seconds=[result.decision.retry_in_seconds for result in batch],
                ),
            )
            self._gathered = [result for result in self._gathered if result not in batch]
        if written < len(batch):
            # Somebody else holds them, they were deleted, or they were written and the answer was lost.
            logger.warning("%d of %d results came too late", len(batch) - written, len(batch))
