"""The duty that enqueues the jobs of schedules when they are due.

Each schedule has a transaction of its own: its jobs, its ticks and when it is due next are one. One that is broken is
paused, and the audit says why; the others go on.
"""

import logging
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from services.scheduler.choose_ticks import MOST_FIRED, choose_ticks
from services.scheduler.finish_run import ACTOR
from services.scheduler.queries.fire_schedules import (
    LockScheduleRow,
    find_due_schedules,
    fire_ticks,
    lock_schedule,
    pause_schedule,
    read_schedule_state,
    set_schedule_state,
    skip_ticks,
)
from shared.db import Connection, Pool, in_transaction, query, refusals
from shared.errors import DataRefusedError, HowdahError, RefusedError
from shared.loop import jittered
from shared.queries.audit import record_event
from shared.reckon_ticks import BadScheduleError, knows_time_zones, reckon_ticks

logger = logging.getLogger(__name__)

_BATCH: Final = 100
_LOOK_SECONDS: Final = 4.0
# Another scheduler is at what is due.
_BUSY_SECONDS: Final = 0.2
_NO_ZONES_SECONDS: Final = 60.0


class _BrokenScheduleError(HowdahError):
    """A schedule cannot be fired as it stands."""

    def __init__(self, schedule: LockScheduleRow, message: str) -> None:
        super().__init__(message)
        self.schedule = schedule


async def fire_schedules(pool: Pool, *, now: datetime | None = None, most: int = MOST_FIRED) -> float:
    """Fire what is due; returns the seconds until the next is, at most a few. `now` is for tests."""
    if not knows_time_zones():
        logger.error("no schedule can be reckoned: this machine has no database of time zones; install tzdata")
        return _NO_ZONES_SECONDS
    due = await query(pool, partial(find_due_schedules, now=now, max_schedules=_BATCH))
    moved = False
    for schedule_id in due.schedule_ids:
        moved |= await _fire_or_pause(pool, schedule_id, now, most)
    if due.schedule_ids:
        return 0 if moved else jittered(_BUSY_SECONDS)
    look_seconds = jittered(_LOOK_SECONDS)
    if due.next_due_in_seconds is None:
        return look_seconds
    return min(max(due.next_due_in_seconds, 0.001), look_seconds)


async def _fire_or_pause(pool: Pool, schedule_id: UUID, now: datetime | None, most: int) -> bool:
    """Bring one schedule further; False if another scheduler is at it."""
    try:
        return await in_transaction(pool, partial(_fire, schedule_id=schedule_id, now=now, most=most))
    except _BrokenScheduleError as broken:
        logger.warning("schedule %s is paused: %s", broken.schedule.name, broken)
        return await in_transaction(pool, partial(_pause, schedule=broken.schedule, why=str(broken)))


async def _fire(connection: Connection, schedule_id: UUID, now: datetime | None, most: int) -> bool:
    schedule = await lock_schedule(connection, schedule_id=schedule_id, now=now)
    if schedule is None:
        return False
    try:
        with refusals():
            await _fire_locked(connection, schedule, most)
    except BadScheduleError as error:
        raise _BrokenScheduleError(schedule, f"its {error.field} cannot be used: {error}") from error
    except (RefusedError, DataRefusedError) as error:
        # The lines below the first one are PostgreSQL's, about its own functions.
        message, _, _ = str(error).partition("\n")
        raise _BrokenScheduleError(schedule, f"its job was refused: {message}") from error
    return True


async def _fire_locked(connection: Connection, schedule: LockScheduleRow, most: int) -> None:
    state = await read_schedule_state(connection, schedule_id=schedule.schedule_id)
    if state is not None and state.seen_updated_at == schedule.updated_at:
        next_at = state.next_at
    else:
        # A new or changed schedule, also one that goes on after a pause, begins when it was changed.
        (next_at,) = reckon_ticks(schedule.cron, schedule.timezone, after=schedule.updated_at, count=1)
    choice = choose_ticks(
        schedule.cron, schedule.timezone, schedule.catch_up, next_at=next_at, now=schedule.at_time, most=most
    )
    if choice.fired:
        await fire_ticks(connection, schedule_id=schedule.schedule_id, due_ats=choice.fired)
    if choice.skipped:
        await skip_ticks(connection, schedule_id=schedule.schedule_id, due_ats=choice.skipped)
    await set_schedule_state(
        connection,
        schedule_id=schedule.schedule_id,
        next_at=choice.next_at,
        seen_updated_at=schedule.updated_at,
    )
    if choice.fired or choice.skipped:
        logger.info(
            "schedule %s: enqueued %d jobs, skipped %d ticks", schedule.name, len(choice.fired), len(choice.skipped)
        )


async def _pause(connection: Connection, schedule: LockScheduleRow, why: str) -> bool:
    paused = await pause_schedule(connection, schedule_id=schedule.schedule_id, seen_updated_at=schedule.updated_at)
    if paused:
        await record_event(
            connection,
            name="schedule.broken",
            actor=ACTOR,
            pipeline_id=None,
            run_id=None,
            job_id=None,
            detail={"name": schedule.name, "why": why},
        )
    return bool(paused)
