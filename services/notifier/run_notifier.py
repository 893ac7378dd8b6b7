"""The notifier at work: its loop, the deliveries that it starts, and its end."""

import logging
from functools import partial

import anyio

from services.notifier.claim_notifications import Limits, Slots, claim_notifications
from services.notifier.deliver_notification import Means, deliver_notification
from services.notifier.finish_notifications import Finisher, Result
from services.notifier.queries.claim_notifications import ClaimNotificationsRow
from shared.db import Pool
from shared.loop import Bell, run_loop
from shared.stop import Stop

logger = logging.getLogger(__name__)


async def run_notifier(pool: Pool, *, limits: Limits, means: Means, bell: Bell, stop: Stop) -> None:
    """Deliver until asked to stop, then finish what is under way; leave that, too, when asked urgently."""
    slots = Slots(limits.at_once, bell)
    finisher = Finisher(pool, stop)
    async with anyio.create_task_group() as watch:
        async with anyio.create_task_group() as deliveries:
            watch.start_soon(_leave_when_urgent, stop, deliveries.cancel_scope)

            def start(claimed: ClaimNotificationsRow, lapses_at: float) -> None:
                slots.take()
                deliveries.start_soon(
                    partial(deliver_and_finish, claimed, lapses_at, means=means, finisher=finisher, slots=slots)
                )

            step = partial(claim_notifications, pool, limits=limits, slots=slots, finisher=finisher, start=start)
            logger.info("ready")
            await run_loop("claim_notifications", step, bell=bell, stop=stop)
            if slots.free < limits.at_once:
                logger.info("finishing %d deliveries", limits.at_once - slots.free)
        watch.cancel_scope.cancel()


async def deliver_and_finish(
    claimed: ClaimNotificationsRow, lapses_at: float, *, means: Means, finisher: Finisher, slots: Slots
) -> None:
    """Deliver one claimed notification, write down what came of it, and give back its slot."""
    try:
        # Never for longer than the claim holds, even if the answer to the claim was slow to come.
        seconds = min(means.timeout_seconds, lapses_at - anyio.current_time() - 1)
        if seconds > 0:
            decision = await deliver_notification(claimed, means, within_seconds=seconds)
            await finisher.finish(Result(claimed.notification_id, claimed.claim_epoch, decision), lapses_at=lapses_at)
    finally:
        slots.release()


async def _leave_when_urgent(stop: Stop, scope: anyio.CancelScope) -> None:
    await stop.wait_urgent()
    scope.cancel()
