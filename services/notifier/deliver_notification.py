"""One try to deliver one notification: compose, look up, check, send, decide."""

import logging
import random
from collections.abc import Callable, Sequence

import anyio
import msgspec

from services.notifier.compose_message import UnsignableError, compose_message
from services.notifier.explain_answer import explain_answer
from services.notifier.open_channel import open_channel
from services.notifier.plan_retry import Decision, plan_retry
from services.notifier.queries.claim_notifications import ClaimNotificationsRow
from shared.errors import SealError
from shared.outgoing.guard_address import Network
from shared.outgoing.outcome import Answered, Failed, Outcome
from shared.outgoing.reach_target import reach_target
from shared.outgoing.read_url import TargetRefusedError, read_url
from shared.outgoing.resolve_target import Lookup
from shared.outgoing.send_request import Request
from shared.queries.models import NotificationState
from shared.sealing import Sealer

logger = logging.getLogger(__name__)


class Means(msgspec.Struct, frozen=True):
    """What every delivery needs."""

    sealer: Sealer
    page_url: Callable[[str], str]
    allowed: Sequence[Network]
    lookup: Lookup
    timeout_seconds: float
    max_tries: int


async def deliver_notification(claimed: ClaimNotificationsRow, means: Means, *, within_seconds: float) -> Decision:
    """Try once, within so many seconds; returns what is to become of the notification."""
    if claimed.claim_epoch > means.max_tries:
        # Every earlier try ended without a word: whatever ends notifiers must not do so for ever.
        return Decision(NotificationState.DEAD, f"given up: {means.max_tries} tries came to no end")
    started = anyio.current_time()
    host, outcome = await _try(claimed, means, within_seconds)
    said = explain_answer(claimed.kind, outcome.body) if isinstance(outcome, Answered) else ""
    decision = plan_retry(
        outcome,
        kind=claimed.kind,
        tries=claimed.claim_epoch,
        max_tries=means.max_tries,
        jitter=random.random(),  # noqa: S311 - not for secrets
        said=said,
    )
    # Neither text nor address: both may be secret.
    logger.log(
        logging.WARNING if decision.state is NotificationState.DEAD else logging.INFO,
        "%s: %s",
        "to be tried again" if decision.state is NotificationState.PENDING else decision.state.value,
        decision.reason or "accepted",
        extra={
            "notification_id": claimed.notification_id,
            "run_id": claimed.payload.run_id,
            "channel": claimed.channel_name,
            "host": host,
            "tries": claimed.claim_epoch,
            "took_seconds": round(anyio.current_time() - started, 3),
        },
    )
    return decision


async def _try(claimed: ClaimNotificationsRow, means: Means, within_seconds: float) -> tuple[str, Outcome]:
    """Return the host, as far as it is known, and the outcome."""
    try:
        channel = open_channel(claimed, means.sealer)
        message = compose_message(claimed, page_url=means.page_url, secret=channel.secret)
        target = read_url(channel.url)
    except SealError as error:
        return "", Failed(str(error))  # an operator can still bring the key back
    except (UnsignableError, TargetRefusedError) as error:
        return "", Failed(str(error), for_good=True)
    request = Request(message.body, {"content-type": "application/json", **message.headers})
    outcome = await reach_target(
        target, request, allowed=means.allowed, lookup=means.lookup, within_seconds=within_seconds
    )
    return target.host, outcome
