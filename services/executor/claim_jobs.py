"""The loop that claims: as many jobs as there are free slots, in one statement."""

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

_LOOK_SECONDS: Final = 2.5


async def claim_jobs(
    pool: Pool,
    *,
    membership: Membership,
    labels: list[str],
    holdings: Holdings,
    start: Callable[[HeldJob], None],
) -> float:
    """Claim once, and start what was claimed; returns the seconds until the next look."""
    free = holdings.free_slots()
    if not free:
        return jittered(_LOOK_SECONDS)
    async with holdings.books:
        try:
            jobs = await query(
                pool,
                lambda connection: claim_ready_jobs(
                    connection,
                    executor_id=membership.executor_id,
                    queues=list(free),
                    slots=list(free.values()),
                    labels=labels,
                ),
            )
        except DatabaseUnavailableError:
            # The claim may have taken effect, or may still do so.
            membership.doubt_books()
            raise
        held = [holdings.add(job) for job in jobs]
    for one in held:
        start(one)
    # Never at once: while a slot is free, nothing else was ready. What becomes ready rings, and so does a freed slot.
    return jittered(_LOOK_SECONDS)
