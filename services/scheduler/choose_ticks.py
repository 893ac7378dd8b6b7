"""Which ticks of a schedule lead to jobs, and which were missed. Pure."""

from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from shared.queries.models import ScheduleCatchUp
from shared.reckon_ticks import iterate_ticks, last_ticks, reckon_ticks

# A tick that is found later than this was missed: no scheduler was there.
ON_TIME: Final = timedelta(seconds=60)
# Of ticks that are made up for, so many at a time.
MOST_FIRED: Final = 1000
# Of ticks that are skipped, the last ones are recorded.
MOST_SKIPPED: Final = 100


class TickChoice(msgspec.Struct, frozen=True):
    """What becomes of the ticks that are due; `next_at` may be due, too, if there were too many."""

    fired: list[datetime]
    skipped: list[datetime]
    next_at: datetime


def choose_ticks(
    cron: str, timezone: str, catch_up: ScheduleCatchUp, *, next_at: datetime, now: datetime, most: int = MOST_FIRED
) -> TickChoice:
    """Decide on all ticks from `next_at`, which is one, until now.

    Raises `BadScheduleError`.
    """
    if next_at > now:
        return TickChoice([], [], next_at)
    if catch_up is ScheduleCatchUp.ALL:
        # One more than may be fired: it is the next one.
        ticks = [next_at, *islice(iterate_ticks(cron, timezone, after=next_at), most)]
        due = [tick for tick in ticks[:most] if tick <= now]
        return TickChoice(due, [], ticks[len(due)])
    due = last_ticks(cron, timezone, after=next_at, until=now, count=MOST_SKIPPED)
    if len(due) < MOST_SKIPPED:
        due = [next_at, *due]
    fired = due[-1:] if catch_up is ScheduleCatchUp.LATEST else [tick for tick in due if now - tick <= ON_TIME]
    (following,) = reckon_ticks(cron, timezone, after=now, count=1)
    return TickChoice(fired, due[: len(due) - len(fired)], following)
