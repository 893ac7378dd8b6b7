"""When a schedule is due: five fields as cron(8) has them, in a time zone. Pure.

Around a change of the clocks it does as Debian's cron: a time that is skipped comes at once afterwards, one that is
repeated comes once; what comes more often than every hour follows the clock on the wall.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

_FIELDS: Final = 5
_MOST_LENGTH: Final = 200
_FIRST_STRETCH: Final = timedelta(hours=1)
_WIDER: Final = 8


class BadScheduleError(ValueError):
    """A schedule cannot be read; `field` says which part of it, the message why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def knows_time_zones() -> bool:
    """Tell whether this machine has a database of time zones; without one, no schedule can be reckoned."""
    return bool(_zone_names())


def iterate_ticks(cron: str, timezone: str, *, after: datetime) -> Iterator[datetime]:
    """Yield the times after one of them, in UTC, each later than the one before.

    Raises `BadScheduleError`: at once for what cannot be read, later when nothing comes for fifty years.
    """
    if len(cron) > _MOST_LENGTH or len(cron.split()) != _FIELDS:
        raise BadScheduleError("cron", "it has five fields: minute, hour, day of the month, month, day of the week")
    if timezone not in _zone_names():
        raise BadScheduleError("timezone", f"{timezone!r} is no IANA time zone, such as UTC or Europe/Paris")
    try:
        ticks = CronSim(" ".join(cron.split()), after.astimezone(ZoneInfo(timezone)))
    except CronSimError as error:
        raise BadScheduleError("cron", f"{str(error)[:1].lower()}{str(error)[1:]}") from None
    return _rising(ticks, after)


def reckon_ticks(cron: str, timezone: str, *, after: datetime, count: int) -> list[datetime]:
    """Return the next times after one of them, in UTC. Raises `BadScheduleError`."""
    return list(islice(iterate_ticks(cron, timezone, after=after), count))


def last_ticks(cron: str, timezone: str, *, after: datetime, until: datetime, count: int) -> list[datetime]:
    """Return the last times in a stretch, `until` included, in UTC and in order, without reckoning all before them.

    Raises `BadScheduleError`.
    """
    stretch = _FIRST_STRETCH
    while True:
        start = max(after, until - stretch)
        ticks = list(takewhile(lambda tick: tick <= until, _or_none(iterate_ticks(cron, timezone, after=start))))
        if len(ticks) >= count or start == after:
            return ticks[-count:]
        stretch *= _WIDER


def _rising(ticks: Iterator[datetime], after: datetime) -> Iterator[datetime]:
    """Leave out what cron's own arithmetic brings twice, or too early, where clocks were put forward or back."""
    latest = after
    for tick in ticks:
        if tick.astimezone(UTC) > latest:
            latest = tick.astimezone(UTC)
            yield latest
    raise BadScheduleError("cron", "no such day comes in the next fifty years")


def _or_none(ticks: Iterator[datetime]) -> Iterator[datetime]:
    try:
        yield from ticks
    except BadScheduleError:
        return


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    # Reading them takes a tenth of a second.
    return frozenset(available_timezones())
