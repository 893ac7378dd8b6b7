"""Running the notifier inside a test: one look at a time, or its whole loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio

from services.notifier.claim_notifications import Limits, Slots, claim_notifications
from services.notifier.deliver_notification import Means
from services.notifier.finish_notifications import Finisher
from services.notifier.queries.claim_notifications import ClaimNotificationsRow
from services.notifier.run_notifier import deliver_and_finish, run_notifier
from shared.db import Pool
from shared.listen import run_listener
from shared.loop import Bell
from shared.outgoing.guard_address import parse_networks
from shared.outgoing.resolve_target import HostLookup, Lookup
from shared.stop import Stop
from tests.service.notifier.outbox import Outbox

# No test waits for it: it ends tests that hang.
DEADLINE_SECONDS = 60.0
LIMITS = Limits(at_once=64, at_once_per_channel=4, claim_seconds=120, poll_seconds=3600)


def make_means(
    outbox: Outbox,
    *,
    allowed: str = "127.0.0.0/8",
    lookup: Lookup | None = None,
    timeout_seconds: float = 60,
    max_tries: int = 15,
) -> Means:
    return Means(
        sealer=outbox.sealer,
        page_url=lambda path: f"https://ci.example.org/{path}",
        allowed=parse_networks([allowed] if allowed else []),
        lookup=lookup or HostLookup(),
        timeout_seconds=timeout_seconds,
        max_tries=max_tries,
    )


async def look_once(pool: Pool, means: Means, *, limits: Limits = LIMITS) -> int:
    """Claim once, deliver and write down all that was claimed; returns how much it was."""
    slots = Slots(limits.at_once, Bell())
    finisher = Finisher(pool, Stop())
    claimed: list[ClaimNotificationsRow] = []
    with anyio.fail_after(DEADLINE_SECONDS):
        async with anyio.create_task_group() as deliveries:

            def start(one: ClaimNotificationsRow, lapses_at: float) -> None:
                slots.take()
                claimed.append(one)
                deliveries.start_soon(
                    partial(deliver_and_finish, one, lapses_at, means=means, finisher=finisher, slots=slots)
                )

            await claim_notifications(pool, limits=limits, slots=slots, finisher=finisher, start=start)
    assert slots.free == limits.at_once
    return len(claimed)


@asynccontextmanager
async def running(
    outbox: Outbox, pool: Pool, means: Means, *, limits: Limits = LIMITS, listen: bool = False
) -> AsyncIterator[Stop]:
    """Run the loop; at the block's end it is asked to stop, and waited for."""
    stop, bell = Stop(), Bell()
    with anyio.fail_after(DEADLINE_SECONDS):
        async with anyio.create_task_group() as background:
            if listen:
                dsn = outbox.database.dsn("notifier")
                background.start_soon(partial(run_listener, dsn, name="test", bells={"notification_due": [bell]}))
            async with anyio.create_task_group() as notifiers:
                notifiers.start_soon(partial(run_notifier, pool, limits=limits, means=means, bell=bell, stop=stop))
                yield stop
                if not stop.requested:  # else it would be the second time
                    stop.request()
            background.cancel_scope.cancel()
