"""When a schedule is due: five fields as cron(8) has them, in a time zone. Pure."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

_FIELDS: Final = 5
_MOST_LENGTH: Final = 200


class BadScheduleError(ValueError):
    """A schedule cannot be read; `field` says which part of it, the message why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def reckon_ticks(cron: str, timezone: str, *, after: datetime, count: int) -> list[datetime]:
    """Return the next times after one of them, in UTC. Raises `BadScheduleError`."""
    if len(cron) > _MOST_LENGTH or len(cron.split()) != _FIELDS:
        raise BadScheduleError("cron", "it has five fields: minute, hour, day of the month, month, day of the week")
    if timezone not in available_timezones():
        raise BadScheduleError("timezone", f"{timezone!r} is no IANA time zone, such as UTC or Europe/Paris")
    try:
        ticks = CronSim(" ".join(cron.split()), after.astimezone(ZoneInfo(timezone)))
        return [next(ticks).astimezone(UTC) for _ in range(count)]
    except CronSimError as error:
        raise BadScheduleError("cron", f"{str(error)[:1].lower()}{str(error)[1:]}") from None
    except StopIteration:
        raise BadScheduleError("cron", "no such day comes in the next fifty years") from None
