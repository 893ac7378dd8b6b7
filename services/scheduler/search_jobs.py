"""Searching for the jobs that a filter means, in the order of their ids, a stretch at a time."""

from typing import Final
from uuid import UUID

import msgspec

from services.scheduler.queries.apply_job_filters import (
    FindFilterCommandRow,
    count_jobs_in_states,
    find_filtered_jobs,
)
from shared.db import Pool, query
from shared.ids import JobId
from shared.job_filter import JobFilter
from shared.queries.models import JobState

# Jobs whose ids one search brings, or which it looks at.
SEARCH: Final = 20_000
# So many jobs are found by their states; of more, a search would have to sort too many each time.
WALK_FROM: Final = 1_000_000
_BEFORE_ALL: Final = JobId(UUID(int=0))


class FoundJobs(msgspec.Struct, frozen=True):
    """What one search found."""

    job_ids: list[JobId]
    # Everything up to this one has been searched; null: nothing was there.
    last_job_id: JobId | None
    # Whether everything has been searched.
    is_end: bool


async def search_jobs(
    pool: Pool,
    command: FindFilterCommandRow,
    wanted: JobFilter,
    states: list[JobState],
    *,
    most: int = SEARCH,
    walk_from: int = WALK_FROM,
) -> FoundJobs:
    """Search on from where the command has come to. Takes no longer the more jobs there are, and locks nothing."""
    candidates = await query(
        pool,
        lambda connection: count_jobs_in_states(connection, states=states, job_type=wanted.type, queue=wanted.queue),
    )
    is_walk = candidates > walk_from
    found = await query(
        pool,
        lambda connection: find_filtered_jobs(
            connection,
            is_walk=is_walk,
            max_looked=most,
            states=states,
            after_job_id=command.last_job_id or _BEFORE_ALL,
            given_at=command.given_at,
            job_type=wanted.type,
            queue=wanted.queue,
            reason=wanted.reason,
            concurrency_key=wanted.concurrency_key,
            enqueued_after=wanted.enqueued_after,
            enqueued_before=wanted.enqueued_before,
            metadata=wanted.metadata,
            max_jobs=most,
        ),
    )
    if is_walk:
        return FoundJobs(found.job_ids, found.last_job_id, is_end=found.looked_at < most)
    last_job_id = found.job_ids[-1] if found.job_ids else None
    return FoundJobs(found.job_ids, last_job_id, is_end=len(found.job_ids) < most)
