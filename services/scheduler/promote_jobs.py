"""The duty that makes scheduled jobs ready when they are due."""

from typing import Final

from services.scheduler.queries.promote_jobs import promote_jobs as promote_due_jobs
from shared.db import Pool, query
from shared.loop import jittered

_BATCH: Final = 500
_LOOK_SECONDS: Final = 5.0


async def promote_jobs(pool: Pool) -> float:
    """Promote one batch; returns the seconds until the next job is due, at most a few."""
    found = await query(pool, lambda connection: promote_due_jobs(connection, now=None, max_jobs=_BATCH))
    if found.promoted == _BATCH:
        return 0
    if found.next_due_in_seconds is None:
        return jittered(_LOOK_SECONDS)
    return min(max(found.next_due_in_seconds, 0.001), jittered(_LOOK_SECONDS))
