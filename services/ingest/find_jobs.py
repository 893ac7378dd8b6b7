"""Which jobs a list shows: found by whatever leads to them soonest, and never by looking at more than a bounded number.

Ids are UUIDv7: they sort by the time of enqueueing, which is the order of every list, newest first.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from services.ingest.queries.list_jobs import (
    find_active_jobs,
    find_job_by_key,
    find_jobs_among,
    find_jobs_by_metadata,
    find_jobs_in_window,
    find_jobs_of_run,
    find_unsuccessful_jobs,
    find_window_end,
)
from shared.db import Connection
from shared.ids import JobId, RunId
from shared.queries.models import JobState

ACTIVE: Final = (JobState.BLOCKED, JobState.SCHEDULED, JobState.READY, JobState.RUNNING)
UNSUCCESSFUL: Final = (JobState.FAILED, JobState.DEAD, JobState.CANCELED)
_WAITS: Final = {
    "limit": JobState.BLOCKED,
    "needs": JobState.BLOCKED,
    "asked": JobState.SCHEDULED,
    "retry": JobState.SCHEDULED,
    "snooze": JobState.SCHEDULED,
}
# As many candidates are read at once; with more, the newest jobs are looked through instead.
_MOST_CANDIDATES: Final = 10_000
_WINDOW_ROWS: Final = 10_000
# A page is given up, and may be shorter than asked, after looking through so many windows.
_MOST_WINDOWS: Final = 10
# An id is made when its job is enqueued; `created_at` is when that transaction began. None lasts longer.
_LONGEST_TRANSACTION: Final = timedelta(days=1)
_HIGHEST: Final = JobId(UUID(int=2**128 - 1))
_LOWEST: Final = JobId(UUID(int=0))


class JobSearch(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; None, or no states: anything. Without a run, only jobs on their own are found."""

    states: tuple[JobState, ...] = ()
    job_type: str | None = None
    queue: str | None = None
    reason: str | None = None
    concurrency_key: str | None = None
    # Of a type.
    idempotency_key: str | None = None
    run_id: RunId | None = None
    metadata: dict[str, Any] | None = None
    enqueued_after: datetime | None = None
    enqueued_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None

    def likely_states(self) -> tuple[JobState, ...]:
        """Return the states that jobs which are looked for can be in; none: any."""
        if self.states or self.reason is None:
            return self.states
        return (_WAITS[self.reason],) if self.reason in _WAITS else UNSUCCESSFUL


class FoundJobs(msgspec.Struct, frozen=True):
    """A page: ids, newest first. The next one begins below `next_before`; None after the last."""

    job_ids: list[JobId]
    next_before: JobId | None


class _Stretch(msgspec.Struct, frozen=True):
    """What one look found; everything down to `through` has been looked at, or everything if that is None."""

    job_ids: list[JobId]
    through: JobId | None


async def find_jobs(connection: Connection, search: JobSearch, *, before: JobId | None, limit: int) -> FoundJobs:
    """Return a page of at most `limit` jobs; it may be shorter although more follow."""
    from_job_id = _lowest(search)
    position = min(before or _HIGHEST, _highest(search))
    candidates = await _candidates(connection, search)
    found: list[JobId] = []
    for _ in range(_MOST_WINDOWS):
        wanted = limit + 1 - len(found)
        if candidates is not None:
            stretch = _Stretch(await _among(connection, search, candidates, position, wanted), None)
        elif search.likely_states() and set(search.likely_states()) <= set(UNSUCCESSFUL):
            stretch = await _unsuccessful(connection, search, position, wanted)
        else:
            stretch = await _window(connection, search, position, from_job_id, wanted)
        found += stretch.job_ids
        if len(found) > limit:
            return FoundJobs(found[:limit], found[limit - 1])
        if stretch.through is None:
            return FoundJobs(found, None)
        position = stretch.through
    return FoundJobs(found, position)


async def _candidates(connection: Connection, search: JobSearch) -> list[JobId] | None:
    """Return all jobs that can be meant, in no order, if something leads to them and they are not too many."""
    if search.idempotency_key is not None:
        found = await find_job_by_key(connection, job_type=search.job_type or "", key=search.idempotency_key)
        return [] if found is None else [found]
    if search.run_id is not None:
        return await find_jobs_of_run(connection, run_id=search.run_id)
    if search.metadata:
        by_metadata = await find_jobs_by_metadata(connection, metadata=search.metadata, max_rows=_MOST_CANDIDATES + 1)
        if len(by_metadata) <= _MOST_CANDIDATES:
            return by_metadata
    states = search.likely_states()
    if states and set(states) <= set(ACTIVE):
        active = await find_active_jobs(connection, states=list(states), most_of_each=_MOST_CANDIDATES + 1)
        if len(active) <= _MOST_CANDIDATES:
            return active
    return None


async def _window(
    connection: Connection, search: JobSearch, before: JobId, from_job_id: JobId, wanted: int
) -> _Stretch:
    found = await find_jobs_in_window(
        connection,
        before_job_id=before,
        from_job_id=from_job_id,
        window_rows=_WINDOW_ROWS,
        max_rows=wanted,
        states=list(search.states),
        run_id=search.run_id,
        job_type=search.job_type,
        queue=search.queue,
        reason=search.reason,
        concurrency_key=search.concurrency_key,
        metadata=search.metadata,
        enqueued_after=search.enqueued_after,
        enqueued_before=search.enqueued_before,
        finished_after=search.finished_after,
        finished_before=search.finished_before,
    )
    if len(found) == wanted:
        return _Stretch(found, found[-1])
    end = await find_window_end(
        connection, before_job_id=before, from_job_id=from_job_id, skipped_rows=_WINDOW_ROWS - 1
    )
    return _Stretch(found, end)


async def _unsuccessful(connection: Connection, search: JobSearch, before: JobId, wanted: int) -> _Stretch:
    newest = await find_unsuccessful_jobs(
        connection, states=list(search.likely_states()), before_job_id=before, most_of_each=_MOST_CANDIDATES
    )
    found = await _among(connection, search, newest, before, wanted)
    return _Stretch(found, newest[-1] if len(newest) == _MOST_CANDIDATES else None)


async def _among(
    connection: Connection, search: JobSearch, candidates: Sequence[JobId], before: JobId, wanted: int
) -> list[JobId]:
    return await find_jobs_among(
        connection,
        job_ids=list(candidates),
        before_job_id=before,
        max_rows=wanted,
        states=list(search.states),
        run_id=search.run_id,
        job_type=search.job_type,
        queue=search.queue,
        reason=search.reason,
        concurrency_key=search.concurrency_key,
        metadata=search.metadata,
        enqueued_after=search.enqueued_after,
        enqueued_before=search.enqueued_before,
        finished_after=search.finished_after,
        finished_before=search.finished_before,
    )


def _lowest(search: JobSearch) -> JobId:
    """Return an id that no job lies below which was enqueued in time."""
    return _LOWEST if search.enqueued_after is None else _id_at(search.enqueued_after)


def _highest(search: JobSearch) -> JobId:
    """Return an id that every job lies below which was enqueued, and has ended, in time."""
    ends = [end for end in (search.enqueued_before, search.finished_before) if end is not None]
    try:
        return _id_at(min(ends) + _LONGEST_TRANSACTION) if ends else _HIGHEST
    except OverflowError:
        return _HIGHEST


def _id_at(at: datetime) -> JobId:
    milliseconds = max(0, int(at.timestamp() * 1000))
    return JobId(UUID(int=milliseconds << 80))
