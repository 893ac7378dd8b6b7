"""The loop that claims: as many notifications as can be started at once, in one statement."""

from collections.abc import Callable

import anyio
import msgspec

from services.notifier.finish_notifications import Finisher
from services.notifier.queries.claim_notifications import (
    ClaimNotificationsRow,
    next_notification_due,
)
from services.notifier.queries.claim_notifications import (
    claim_notifications as claim_due_notifications,
)
from shared.db import Pool, query
from shared.loop import Bell, jittered


class Limits(msgspec.Struct, frozen=True):
    """How much at once, and for how long."""

    at_once: int
    at_once_per_channel: int
    claim_seconds: float
    poll_seconds: float


class Slots:
    """How many deliveries are under way; rings when one has ended."""

    def __init__(self, limit: int, bell: Bell) -> None:
        self.free = limit
        self._bell = bell

    def take(self) -> None:
        """Occupy one."""
        self.free -= 1

    def release(self) -> None:
        """Give one back."""
        self.free += 1
        self._bell.ring()


async def claim_notifications(
    pool: Pool,
    *,
    limits: Limits,
    slots: Slots,
    finisher: Finisher,
    start: Callable[[ClaimNotificationsRow, float], None],
) -> float:
    """Claim once, and start what was claimed; returns the seconds until the next look.

    `start` gets a notification and when, on anyio's clock, its claim lapses at the earliest.
    """
    # First what an outage has left: nothing is claimed and sent again for want of a result that we have.
    await finisher.flush()
    if not slots.free:
        return jittered(limits.poll_seconds)
    free = slots.free
    asked_at = anyio.current_time()
    claimed = await query(
        pool,
        lambda connection: claim_due_notifications(
            connection,
            now=None,
            max_per_channel=limits.at_once_per_channel,
            claim_seconds=limits.claim_seconds,
            max_notifications=free,
        ),
    )
    for one in claimed:
        start(one, asked_at + limits.claim_seconds)
    if len(claimed) == free:
        return jittered(limits.poll_seconds)
    due_in_seconds = await query(pool, next_notification_due)
    if due_in_seconds is None or due_in_seconds <= 0:
        # What is due and was not given waits for its channel: the end of a delivery rings.
        return jittered(limits.poll_seconds)
    return min(due_in_seconds, jittered(limits.poll_seconds))
