"""The loop that stores log chunks and steps: those of all jobs of the executor, in one statement at a time.

What arrives while nothing is under way is stored at once; after that at most every 50 ms, unless there is much
of it. A slow or absent database fills the attempt's buffer, and a full buffer stops the reading of the
command's pipe: memory stays bounded.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import anyio

from services.executor.attempt_log import AttemptLog, Batch
from services.executor.cut_chunks import ChunkStream
from services.executor.queries.append_logs import append_logs, read_log_ends, ring_log_appended
from services.executor.queries.record_steps import record_steps
from shared.db import Pool, query
from shared.errors import DatabaseUnavailableError
from shared.loop import backoff_seconds

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 0.05
_MUCH_BYTES: Final = 64 * 1024
_STATEMENT_BYTES: Final = 1024 * 1024
_BEFORE_STEPS: Final = -1
_STREAM_NUMBERS: Final[dict[ChunkStream, int]] = {"howdah": 0, "stdout": 1, "stderr": 2}


class LogWriter:
    """Stores what the attempts' logs have gathered, until canceled."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._dirty: dict[AttemptLog, None] = {}
        self._arrived = anyio.Event()
        self._hurry = anyio.Event()
        self._rung_at = 0.0
        self._ring_owed = False

    def mark_dirty(self, log: AttemptLog) -> None:
        """Note that an attempt has something to store; at once if there is much of it, or if its end waits for it."""
        self._dirty[log] = None
        self._arrived.set()
        if log.is_closing or log.waiting_bytes >= _MUCH_BYTES:
            self._hurry.set()

    async def run(self) -> None:
        """Store what arrives, until canceled."""
        written_at = 0.0
        while True:
            if self._ring_owed:
                with anyio.move_on_after(max(0.0, self._rung_at + _PAUSE_SECONDS - time.monotonic())):
                    await self._arrived.wait()
            else:
                await self._arrived.wait()
            if not self._arrived.is_set():
                await self._ring_late()
                continue
            pause = written_at + _PAUSE_SECONDS - time.monotonic()
            if pause > 0:
                with anyio.move_on_after(pause):
                    await self._hurry.wait()
            self._arrived, self._hurry = anyio.Event(), anyio.Event()
            written_at = time.monotonic()
            await self._write_dirty()

    async def _write_dirty(self) -> None:
        logs = list(self._dirty)
        self._dirty.clear()
        while logs:
            batches: list[Batch] = []
            size = 0
            while logs and size < _STATEMENT_BYTES:
                log = logs.pop()
                batch = log.take(_STATEMENT_BYTES - size)
                size += batch.size
                batches.append(batch)
                if log.has_more:
                    self.mark_dirty(log)
            await self._write(batches)

    async def _write(self, batches: Sequence[Batch]) -> None:
        failures = 0
        while True:
            try:
                await self._record_steps(batches)
                await self._append(batches)
            except DatabaseUnavailableError as error:
                failures += 1
                logger.warning("cannot store logs yet: %s", error)
                await anyio.sleep(backoff_seconds(failures))
            else:
                return

    async def _append(self, batches: Sequence[Batch]) -> None:
        with_chunks = [batch for batch in batches if batch.chunks and not batch.log.fenced]
        chunks = [(batch.log, chunk) for batch in with_chunks for chunk in batch.chunks]
        stored: set[tuple[object, int]] = set()
        if chunks:
            ring_now = time.monotonic() - self._rung_at >= _PAUSE_SECONDS
            rows = await query(
                self._pool,
                lambda connection: append_logs(
                    connection,
                    job_ids=[log.job_id for log, _ in chunks],
                    epochs=[log.epoch for log, _ in chunks],
                    days=[log.day for log, _ in chunks],
                    seqs=[chunk.seq for _, chunk in chunks],
                    steps=[_BEFORE_STEPS if chunk.step is None else chunk.step for _, chunk in chunks],
                    streams=[_STREAM_NUMBERS[chunk.stream] for _, chunk in chunks],
                    first_lines=[chunk.first_line for _, chunk in chunks],
                    continues=[chunk.continues for _, chunk in chunks],
                    line_offsets_ms=[_array_literal(chunk.offset_runs) for _, chunk in chunks],
                    recorded_ats=[datetime.fromtimestamp(chunk.at, UTC) for _, chunk in chunks],
                    sizes=[len(chunk.data) for _, chunk in chunks],
                    data=b"".join([chunk.data for _, chunk in chunks]),
                    ring_now=ring_now,
                ),
            )
            if ring_now:
                self._rung_at = time.monotonic()
            self._ring_owed = not ring_now
            stored = {(row.job_id, row.epoch) for row in rows}
        refused = [batch for batch in with_chunks if (batch.log.job_id, batch.log.epoch) not in stored]
        if refused:
            await self._settle_refused(refused)
        for batch in batches:
            batch.log.stored(batch)

    async def _settle_refused(self, refused: Sequence[Batch]) -> None:
        """Tell an append whose answer was lost from one that came too late."""
        rows = await query(
            self._pool,
            lambda connection: read_log_ends(
                connection,
                job_ids=[batch.log.job_id for batch in refused],
                epochs=[batch.log.epoch for batch in refused],
            ),
        )
        ends = {(row.job_id, row.epoch): row.last_seq for row in rows}
        for batch in refused:
            if ends.get((batch.log.job_id, batch.log.epoch), -1) < batch.chunks[-1].seq:
                logger.warning("log refused: the attempt is not ours any more", extra={"job_id": batch.log.job_id})
                batch.log.fence()

    async def _record_steps(self, batches: Sequence[Batch]) -> None:
        steps = [(batch.log, step) for batch in batches for step in batch.steps]
        if not steps:
            return
        await query(
            self._pool,
            lambda connection: record_steps(
                connection,
                job_ids=[log.job_id for log, _ in steps],
                epochs=[log.epoch for log, _ in steps],
                positions=[step.position for _, step in steps],
                names=[step.name for _, step in steps],
                first_lines=[step.first_line for _, step in steps],
                started_ats=[step.started_at for _, step in steps],
                ended_ats=[step.ended_at or step.started_at for _, step in steps],
                exit_codes=[-1 if step.exit_code is None else step.exit_code for _, step in steps],
            ),
        )

    async def _ring_late(self) -> None:
        self._ring_owed = False
        self._rung_at = time.monotonic()
        try:
            await query(self._pool, ring_log_appended)
        except DatabaseUnavailableError as error:
            logger.info("readers were not rung; they look again by themselves: %s", error)


def _array_literal(runs: Sequence[tuple[int, int]]) -> str:
    """Return PostgreSQL's text of an array in which so many times stands such a number, run after run."""
    return "{" + "".join([f"{number}," * count for count, number in runs])[:-1] + "}"
