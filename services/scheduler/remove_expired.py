"""The duty that removes what has been kept for long enough: little at a time, with pauses, and waiting for no lock."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from services.scheduler.queries.remove_expired import (
    limit_lock_waits,
    remove_applied_commands,
    remove_ended_executors,
    remove_expired_deliveries,
    remove_expired_events,
    remove_expired_jobs,
    remove_expired_keys,
    remove_expired_notifications,
    remove_expired_runs,
    remove_expired_ticks,
)
from services.scheduler.take_duty import Duty, take_duty
from services.scheduler.walk_removal import walk_removal
from shared.db import Connection, Pool, in_transaction
from shared.loop import jittered

logger = logging.getLogger(__name__)

_BATCH: Final = 1000
# A run goes with its jobs.
_BATCH_OF_RUNS: Final = 20
_PAUSE_SECONDS: Final = 0.2
_LOOK_SECONDS: Final = 60.0
_DAY_SECONDS: Final = 86400.0

# 0: for ever.
Days = Annotated[float, Meta(ge=0, le=36500)]
# Removes one batch; returns how many rows, and whether there may be more.
_Removal = Callable[[Connection], Awaitable[tuple[int, bool]]]


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """For how many days what has ended is kept; 0: for ever."""

    # Jobs on their own, by how they ended. Those of runs go with their runs.
    succeeded_jobs: Days = 7
    # Also canceled ones.
    failed_jobs: Days = 30
    dead_jobs: Days = 90
    runs: Days = 0
    deliveries: Days = 30
    notifications: Days = 30
    events: Days = 90
    commands: Days = 90
    executors: Days = 30
    ticks: Days = 30


async def remove_expired(
    pool: Pool, retention: Retention, *, now: datetime | None = None, batch: int = _BATCH
) -> float:
    """Remove a batch of everything; returns the seconds until the next look. `now` is for tests."""
    has_more = False
    for name, removal in _removals(retention, now, batch).items():
        removed, more = await in_transaction(pool, partial(_remove, removal=removal))
        if removed:
            logger.info("removed %d expired %s", removed, name)
        has_more |= more
    return _PAUSE_SECONDS if has_more else jittered(_LOOK_SECONDS)


async def _remove(connection: Connection, removal: _Removal) -> tuple[int, bool]:
    if not await take_duty(connection, Duty.REMOVE):
        return 0, False
    await limit_lock_waits(connection)
    return await removal(connection)


def _removals(retention: Retention, now: datetime | None, batch: int) -> dict[str, _Removal]:
    """What there is to remove, by its name; not what is kept for ever."""

    async def jobs(connection: Connection) -> tuple[int, bool]:
        remove = partial(
            remove_expired_jobs,
            connection,
            keep_succeeded_seconds=_seconds_or_none(retention.succeeded_jobs),
            keep_failed_seconds=_seconds_or_none(retention.failed_jobs),
            keep_dead_seconds=_seconds_or_none(retention.dead_jobs),
            now=now,
            max_rows=batch,
        )
        return await walk_removal(
            connection, "job", lambda after_id: remove(after_id=after_id), now=now, max_rows=batch
        )

    async def deliveries(connection: Connection) -> tuple[int, bool]:
        remove = partial(
            remove_expired_deliveries,
            connection,
            keep_seconds=retention.deliveries * _DAY_SECONDS,
            now=now,
            max_rows=batch,
        )
        return await walk_removal(
            connection, "delivery", lambda after_id: remove(after_id=after_id), now=now, max_rows=batch
        )

    removals: dict[str, _Removal] = {
        "idempotency keys": _of_batches(partial(remove_expired_keys, now=now, max_rows=batch), batch)
    }
    if any((retention.succeeded_jobs, retention.failed_jobs, retention.dead_jobs)):
        removals["jobs"] = jobs
    if retention.deliveries:
        removals["deliveries"] = deliveries
    rows: list[tuple[str, float, Callable[..., Awaitable[int]], int]] = [
        ("runs", retention.runs, remove_expired_runs, min(batch, _BATCH_OF_RUNS)),
        ("notifications", retention.notifications, remove_expired_notifications, batch),
        ("events", retention.events, remove_expired_events, batch),
        ("commands", retention.commands, remove_applied_commands, batch),
        ("executors", retention.executors, remove_ended_executors, batch),
        ("ticks", retention.ticks, remove_expired_ticks, batch),
    ]
    for name, days, remove, max_rows in rows:
        if days:
            keep = partial(remove, keep_seconds=days * _DAY_SECONDS, now=now, max_rows=max_rows)
            removals[name] = _of_batches(keep, max_rows)
    return removals


def _seconds_or_none(days: float) -> float | None:
    return days * _DAY_SECONDS if days else None


def _of_batches(remove: Callable[[Connection], Awaitable[int]], max_rows: int) -> _Removal:
    async def removal(connection: Connection) -> tuple[int, bool]:
        removed = await remove(connection)
        return removed, removed == max_rows

    return removal
