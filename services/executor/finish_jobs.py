"""Writing down how jobs ended: all that have gathered while the last statement was under way, in the next one."""

import logging
from collections.abc import Callable
from typing import Final

import anyio
import msgspec

from services.executor.beat_executor import Membership
from services.executor.queries.finish_jobs import finish_jobs as record_ends
from services.executor.queries.finish_jobs import read_job_ends
from shared.db import Pool, query
from shared.errors import DatabaseUnavailableError, DataRefusedError
from shared.ids import JobId
from shared.loop import backoff_seconds
from shared.queries.models import AttemptOutcome, JobState

logger = logging.getLogger(__name__)

_BATCH: Final = 200
NOT_RETRYABLE: Final = -1.0


class FailingLine(msgspec.Struct, frozen=True):
    """The line that most likely tells why an attempt failed: its number in the attempt's log, and its text."""

    number: int
    # One line of plain text, 2,000 bytes at most.
    text: str


class AttemptEnd(msgspec.Struct, frozen=True):
    """How one attempt ended."""

    outcome: AttemptOutcome
    exit_code: int | None = None
    error: str = ""
    # A code for why, where the outcome alone does not say it: `invalid_payload`, `crashed`.
    reason: str = ""
    result: object = None
    # Seconds until the next try, for an outcome that may be tried again; negative: it may not.
    retry_in_seconds: float = NOT_RETRYABLE
    failing: FailingLine | None = None


# Called with the state that an end led to; None if the job was not ours any more.
Settled = Callable[[JobState | None], None]


class _Pending(msgspec.Struct, frozen=True):
    job_id: JobId
    epoch: int
    end: AttemptEnd
    settled: Settled


class Finisher:
    """Collects ends, and writes them in batches until each has been answered; a database that is away is waited for."""

    def __init__(self, pool: Pool, membership: Membership) -> None:
        self._pool = pool
        self._membership = membership
        self._pending: list[_Pending] = []
        self._arrived = anyio.Event()
        # After a batch was refused, until one that was at fault has been found.
        self._alone = False

    async def finish(self, job_id: JobId, epoch: int, end: AttemptEnd) -> JobState | None:
        """Return the state that the end led to; None if the job was not ours any more."""
        answer: JobState | None = None
        answered = anyio.Event()

        def settled(state: JobState | None) -> None:
            nonlocal answer
            answer = state
            answered.set()

        self.put(job_id, epoch, end, settled)
        await answered.wait()
        return answer

    def put(self, job_id: JobId, epoch: int, end: AttemptEnd, settled: Settled) -> None:
        """Have an end written, and `settled` called when it is; does not wait."""
        self._pending.append(_Pending(job_id, epoch, end, settled))
        self._arrived.set()

    async def run(self) -> None:
        """Write what arrives, until canceled."""
        failures = 0
        while True:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            while self._pending:
                batch = self._pending[: 1 if self._alone else _BATCH]
                try:
                    await self._write(batch)
                except DatabaseUnavailableError as error:
                    failures += 1
                    logger.warning("cannot write the ends of %d jobs yet: %s", len(batch), error)
                    await anyio.sleep(backoff_seconds(failures))
                    continue
                except DataRefusedError as error:
                    self._single_out(batch, error)
                    continue
                failures = 0
                del self._pending[: len(batch)]
            self._alone = False

    def _single_out(self, batch: list[_Pending], error: DataRefusedError) -> None:
        """Write the first end of a refused batch by itself; replace an end that was refused by itself."""
        self._alone = len(batch) > 1
        if self._alone:
            return
        first = batch[0]
        logger.warning("the end of a job cannot be stored: %s", error, extra={"job_id": first.job_id})
        why = "".join(letter if letter.isprintable() else " " for letter in str(error))
        end = AttemptEnd(AttemptOutcome.FAILED, reason="invalid_result", error=f"its end cannot be stored: {why}")
        self._pending[0] = msgspec.structs.replace(first, end=end)

    async def _write(self, batch: list[_Pending]) -> None:
        moved = await query(
            self._pool,
            lambda connection: record_ends(
                connection,
                executor_id=self._membership.executor_id,
                job_ids=[one.job_id for one in batch],
                epochs=[one.epoch for one in batch],
                outcomes=[one.end.outcome for one in batch],
                reasons=[one.end.reason for one in batch],
                exit_codes=[-1 if one.end.exit_code is None else one.end.exit_code for one in batch],
                errors=[one.end.error for one in batch],
                results=[one.end.result for one in batch],
                retry_in_seconds=[one.end.retry_in_seconds for one in batch],
                failing_lines=[-1 if one.end.failing is None else one.end.failing.number for one in batch],
                failing_texts=["" if one.end.failing is None else one.end.failing.text for one in batch],
            ),
        )
        states = {row.job_id: row.state for row in moved}
        refused = [one for one in batch if one.job_id not in states]
        if refused:
            # Final under our epoch: written before, and the answer was lost. Anything else: not ours any more.
            rows = await query(
                self._pool,
                lambda connection: read_job_ends(
                    connection,
                    job_ids=[one.job_id for one in refused],
                    epochs=[one.epoch for one in refused],
                ),
            )
            outcomes = {one.job_id: one.end.outcome for one in refused}
            states |= {row.job_id: row.state for row in rows if row.outcome == outcomes[row.job_id]}
        for one in batch:
            one.settled(states.get(one.job_id))
