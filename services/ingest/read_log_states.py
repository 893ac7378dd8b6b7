"""How far logs go, and where they are: read from the database for many jobs at once."""

from collections.abc import Sequence
from datetime import date

import msgspec

from services.ingest.queries.logs import ReadLogStatesRow, ReadRunLogStatesRow, read_log_states
from shared.db import Pool, query
from shared.ids import JobId
from shared.queries.models import JobState, LogRetention


class AttemptLog(msgspec.Struct, frozen=True):
    """How far the log of one attempt goes, and where it is: in blocks up to `packed_seq`, in rows beyond."""

    epoch: int
    day: date
    last_seq: int
    ended: bool
    byte_count: int
    line_count: int
    packed_seq: int
    # Of its blocks; None while there are none.
    retention: LogRetention | None


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


async def read_states(pool: Pool, job_ids: list[JobId]) -> dict[JobId, LogState]:
    """Return how far the logs of jobs go now; unknown jobs are left out. Raises `DatabaseUnavailableError`."""
    rows = await query(pool, lambda connection: read_log_states(connection, job_ids=job_ids))
    grouped: dict[JobId, list[ReadLogStatesRow]] = {}
    for row in rows:
        grouped.setdefault(row.job_id, []).append(row)
    return {job_id: log_state(own) for job_id, own in grouped.items()}


def log_state(rows: Sequence[ReadLogStatesRow | ReadRunLogStatesRow]) -> LogState:
    """Return what the rows of one job say."""
    attempts = tuple(log for row in rows if (log := _attempt_log(row)))
    return LogState(rows[0].state, rows[0].final, attempts)


def _attempt_log(row: ReadLogStatesRow | ReadRunLogStatesRow) -> AttemptLog | None:
    if row.epoch is None or row.log_day is None:
        return None
    return AttemptLog(
        epoch=row.epoch,
        day=row.log_day,
        last_seq=row.last_seq or 0,
        ended=row.ended_at is not None,
        byte_count=row.log_bytes or 0,
        line_count=row.log_lines or 0,
        packed_seq=row.packed_seq or 0,
        retention=row.log_retention,
    )
