"""Schedules: jobs on their own that are enqueued by the clock."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.params import PathParameter
from msgspec import UNSET

from services.ingest.authenticate import FromActor, require_developer, require_viewer
from services.ingest.enqueue_jobs import check_payloads
from services.ingest.page_cursor import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from services.ingest.problem_details import Problem, not_found, problem_responses
from services.ingest.queries.rows import Schedule
from services.ingest.queries.schedules import (
    ListTicksRow,
    change_schedule,
    create_schedule,
    find_schedule,
    list_schedules,
    list_ticks,
)
from services.ingest.queries.schedules import delete_schedule as erase_schedule
from services.ingest.read_schedule import check_times, read_new_schedule, read_schedule_changes
from services.ingest.resources import FromResources
from shared.db import Connection, Pool, in_transaction, query
from shared.ids import new_id
from shared.queries.audit import record_event
from shared.reckon_ticks import BadScheduleError, reckon_ticks

ScheduleInPath = Annotated[str, PathParameter(description="The schedule's name.")]

_RESPONSES: Final = problem_responses(400, 401, 403, 404, 409, 413, 422, 503)
_NEXT_SHOWN: Final = 5
_TICKS_SHOWN: Final = 10


class ShownSchedule(Schedule, frozen=True, kw_only=True):
    """A schedule, and the next five times that it is due; none while it is paused."""

    next_at: list[datetime]


class ScheduleDetails(ShownSchedule, frozen=True, kw_only=True):
    """A schedule with its last ten ticks, newest first. A tick without a job was skipped."""

    ticks: list[ListTicksRow]


class SchedulePage(msgspec.Struct, frozen=True):
    """Schedules by name."""

    schedules: list[ShownSchedule]
    next: str | None


@get("/schedules", guards=[require_viewer], tags=["schedules"], responses=_RESPONSES)
async def show_schedules(resources: FromResources, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> SchedulePage:
    """List schedules by name."""
    after = "" if cursor is None else read_cursor(cursor, str)
    found = await query(
        resources.pool, lambda connection: list_schedules(connection, after_name=after, max_rows=limit + 1)
    )
    shown = [_show(schedule) for schedule in found[:limit]]
    return SchedulePage(shown, write_cursor(found[limit - 1].name) if len(found) > limit else None)


@get("/schedules/{schedule:str}", guards=[require_viewer], tags=["schedules"], responses=_RESPONSES)
async def show_schedule(schedule: ScheduleInPath, resources: FromResources) -> ScheduleDetails:
    """Show a schedule with its last ticks and what became of their jobs."""
    found = await _find(resources.pool, schedule)
    ticks = await query(
        resources.pool,
        lambda connection: list_ticks(connection, schedule_id=found.schedule_id, max_rows=_TICKS_SHOWN),
    )
    return ScheduleDetails(**msgspec.structs.asdict(_show(found)), ticks=ticks)


@post("/schedules", guards=[require_developer], tags=["schedules"], responses=_RESPONSES)
async def enter_schedule(
    request: Request[Any, Any, Any], resources: FromResources, actor: FromActor
) -> Response[ShownSchedule]:
    """Enter a schedule. Its job is checked as in POST /jobs."""
    data, read = read_new_schedule(await request.body())
    await check_payloads(resources, read)

    async def enter(connection: Connection) -> Schedule | None:
        entered = await create_schedule(
            connection,
            schedule_id=new_id(),
            name=data.name,
            cron=data.cron,
            timezone=data.timezone,
            catch_up=data.catch_up,
            job=data.job,
            paused=data.paused,
            created_by=actor.name,
        )
        if entered is not None:
            detail = {"name": data.name, "cron": data.cron, "timezone": data.timezone, "type": data.job.type}
            await _record(connection, "schedule.created", actor.name, detail)
        return entered

    schedule = await in_transaction(resources.pool, enter)
    if schedule is None:
        raise Problem(409, "name-taken", f"There is a schedule called {data.name} already.")
    location = f"/api/v1/schedules/{schedule.name}"
    return Response(_show(schedule), status_code=201, headers={"Location": location})


@patch("/schedules/{schedule:str}", guards=[require_developer], tags=["schedules"], responses=_RESPONSES)
async def patch_schedule(
    schedule: ScheduleInPath, request: Request[Any, Any, Any], resources: FromResources, actor: FromActor
) -> ShownSchedule:
    """Change a schedule, pause it, or let it go on. What was missed while it was paused stays missed."""
    data, read = read_schedule_changes(await request.body())
    before = await _find(resources.pool, schedule)
    check_times(data.cron or before.cron, data.timezone or before.timezone)
    if read is not None:
        await check_payloads(resources, read)

    async def change(connection: Connection) -> Schedule | None:
        changed = await change_schedule(
            connection,
            name=schedule,
            cron=data.cron or None,
            timezone=data.timezone or None,
            catch_up=data.catch_up or None,
            job=data.job or None,
            paused=None if data.paused is UNSET else data.paused,
        )
        if changed is not None:
            fields = [name for name in data.__struct_fields__ if getattr(data, name) is not UNSET]
            await _record(connection, "schedule.updated", actor.name, {"name": schedule, "changed": fields})
        return changed

    changed = await in_transaction(resources.pool, change)
    if changed is None:
        raise not_found("schedule of that name")
    return _show(changed)


@delete("/schedules/{schedule:str}", guards=[require_developer], tags=["schedules"], responses=_RESPONSES)
async def delete_schedule(schedule: ScheduleInPath, resources: FromResources, actor: FromActor) -> None:
    """Delete a schedule with the record of its ticks. The jobs that it has enqueued stay."""

    async def erase(connection: Connection) -> bool:
        erased = await erase_schedule(connection, name=schedule) > 0
        if erased:
            await _record(connection, "schedule.deleted", actor.name, {"name": schedule})
        return erased

    if "\0" in schedule or not await in_transaction(resources.pool, erase):
        raise not_found("schedule of that name")


async def _find(pool: Pool, name: str) -> Schedule:
    found = None if "\0" in name else await query(pool, lambda connection: find_schedule(connection, name=name))
    if found is None:
        raise not_found("schedule of that name")
    return found


async def _record(connection: Connection, name: str, actor: str, detail: dict[str, Any]) -> None:
    await record_event(connection, name=name, actor=actor, pipeline_id=None, run_id=None, job_id=None, detail=detail)


def _show(schedule: Schedule) -> ShownSchedule:
    return ShownSchedule(**msgspec.structs.asdict(schedule), next_at=_next_times(schedule))


def _next_times(schedule: Schedule) -> list[datetime]:
    if schedule.paused_at is not None:
        return []
    try:
        return reckon_ticks(schedule.cron, schedule.timezone, after=datetime.now(UTC), count=_NEXT_SHOWN)
    except BadScheduleError:  # a zone that this machine does not know any more
        return []
