"""What follows from the outcome of a try: delivered, to be tried again, or dead. A pure function.

After Standard Webhooks 1.0, "Deliverability and reliability" and "Delivery success and failure".
"""

from typing import Final

import msgspec

from shared.outgoing.outcome import Answered, Outcome
from shared.queries.models import ChannelKind, NotificationState

# Fifteen tries take up to 6 days, and 3 days on average.
_FIRST_SECONDS: Final = 10.0
_FACTOR: Final = 3.0
_MOST_SECONDS: Final = 24 * 3600.0
# A target may ask for more patience than that of our own plan, but not for ever.
_MOST_ASKED_SECONDS: Final = 24 * 3600.0

_HEEDS_RETRY_AFTER: Final = frozenset({429, 503})
_TRY_AGAIN: Final = frozenset({408, 425, 429})
# A receiver that is being set up or repaired says these; within three days somebody may have mended it.
_MENDABLE: Final = frozenset({401, 403, 404, 409, 423})


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a notification. `pending` is tried again in so many seconds."""

    state: NotificationState
    reason: str = ""
    retry_in_seconds: float = 0.0


def plan_retry(
    outcome: Outcome, *, kind: ChannelKind, tries: int, max_tries: int, jitter: float, said: str = ""
) -> Decision:
    """Decide. `tries` counts this one; `jitter` is random, 0 to 1; `said` is the target's own explanation."""
    if isinstance(outcome, Answered):
        if 200 <= outcome.status <= 299:
            return Decision(NotificationState.DELIVERED)
        reason = f"answered {outcome.status}" + (f" ({said})" if said else "")
        if (why := _why_final(outcome.status, kind)) is not None:
            return Decision(NotificationState.DEAD, f"{reason}: {why}")
    else:
        reason = outcome.reason
        if outcome.for_good:
            return Decision(NotificationState.DEAD, reason)
    if tries >= max_tries:
        return Decision(NotificationState.DEAD, f"given up after {tries} tries; the last one: {reason}")
    return Decision(NotificationState.PENDING, reason, _delay_seconds(outcome, tries, jitter))


def _why_final(status: int, kind: ChannelKind) -> str | None:
    """Return why there is no point in trying again; None if there is."""
    if status >= 500 or status in _TRY_AGAIN:
        return None
    if 300 <= status <= 399:
        return "redirects are not followed; give the channel the address that it leads to"
    if status == 410:
        return "the target is gone"
    if status in _MENDABLE:
        # From these it means that the webhook was revoked, and they shut out senders that go on.
        return None if kind is ChannelKind.WEBHOOK else "the webhook does not exist any more, or may not post"
    return "the target refuses the message"


def _delay_seconds(outcome: Outcome, tries: int, jitter: float) -> float:
    """Exponential, full jitter above a floor: after M. Brooker, "Exponential Backoff And Jitter", 2015."""
    ceiling = min(_MOST_SECONDS, _FIRST_SECONDS * _FACTOR ** min(tries - 1, 20))
    floor = 1.0
    if isinstance(outcome, Answered) and outcome.status in _HEEDS_RETRY_AFTER and outcome.retry_after_seconds:
        floor = min(outcome.retry_after_seconds, _MOST_ASKED_SECONDS)
        # Also jittered: everybody who was turned away is told the same time.
        ceiling = max(ceiling, floor * 1.1)
    return floor + (ceiling - floor) * jitter
