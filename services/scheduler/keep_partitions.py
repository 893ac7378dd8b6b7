"""The duty that makes the log partitions of the coming days, and drops those that are past."""

import logging
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from services.scheduler.queries.keep_partitions import DropLogPartitionRow, drop_log_partition, make_log_partitions
from services.scheduler.remove_expired import Days
from shared.db import Pool, in_transaction, query
from shared.loop import jittered

logger = logging.getLogger(__name__)

_DAYS_AHEAD: Final = 7
_PAUSE_SECONDS: Final = 0.2
_BUSY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 600.0


class LogDays(msgspec.Struct, frozen=True, kw_only=True):
    """For how many days packed logs are kept, by class; 0: for ever."""

    short: Days = 7
    standard: Days = 90
    long: Days = 0


async def keep_partitions(pool: Pool, retention: LogDays, *, now: datetime | None = None) -> float:
    """Make what is lacking, drop one that nobody needs; returns the seconds until the next look. `now` is for tests."""
    made = await query(pool, partial(make_log_partitions, days_ahead=_DAYS_AHEAD, now=now))
    if made:
        logger.info("made %d log partitions", made)
    done = await _drop(pool, retention, now)
    if done.dropped is not None:
        logger.info("dropped the log partition %s", done.dropped)
        return _PAUSE_SECONDS
    return jittered(_BUSY_SECONDS if done.is_busy else _LOOK_SECONDS)


async def _drop(pool: Pool, retention: LogDays, now: datetime | None) -> DropLogPartitionRow:
    return await in_transaction(
        pool,
        partial(
            drop_log_partition,
            keep_short_days=retention.short,
            keep_standard_days=retention.standard,
            keep_long_days=retention.long,
            now=now,
        ),
    )
