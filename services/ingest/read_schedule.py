"""Schedules, as the body of a request brings them: decoded, and checked as far as that needs no database."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from services.ingest.check_pipeline import Name
from services.ingest.problem_details import bad_field
from services.ingest.read_new_jobs import NewJob, ReadJobs, check_job, decode_document
from services.ingest.read_strict_json import read_strict_json
from shared.queries.models import ScheduleCatchUp
from shared.reckon_ticks import BadScheduleError, reckon_ticks

CronText = Annotated[str, Meta(min_length=9, max_length=200)]
ZoneName = Annotated[str, Meta(min_length=1, max_length=100)]

# What every tick decides anew.
_OF_A_TICK: Final = ("run_at", "delay_seconds", "idempotency_key", "idempotency_seconds", "traceparent")


class NewSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schedule to enter. `cron` has five fields, in the time zone."""

    name: Name
    cron: CronText
    # As for POST /jobs, but without what each tick decides: when it runs, and its keys of idempotency.
    job: NewJob
    timezone: ZoneName = "UTC"
    # What becomes of ticks that were missed: none, the last, or all of them are made up for.
    catch_up: ScheduleCatchUp = ScheduleCatchUp.LATEST
    paused: bool = False


class ScheduleChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    cron: CronText | UnsetType = UNSET
    timezone: ZoneName | UnsetType = UNSET
    catch_up: ScheduleCatchUp | UnsetType = UNSET
    job: NewJob | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


_new: Final = msgspec.json.Decoder(NewSchedule)
_changes: Final = msgspec.json.Decoder(ScheduleChanges)


def read_new_schedule(body: bytes) -> tuple[NewSchedule, ReadJobs]:
    """Return a schedule to enter, and its job with the payload's value. Raises `Problem`."""
    document = read_strict_json(body)
    schedule = decode_document(body, _new)
    check_times(schedule.cron, schedule.timezone)
    return schedule, _read_job(schedule.job, document)


def read_schedule_changes(body: bytes) -> tuple[ScheduleChanges, ReadJobs | None]:
    """Return what to change, and the new job with its payload's value. Raises `Problem`."""
    document = read_strict_json(body)
    changes = decode_document(body, _changes)
    return changes, None if changes.job is UNSET else _read_job(changes.job, document)


def check_times(cron: str, timezone: str) -> None:
    """Refuse what never comes, or cannot be read. Raises `Problem`."""
    try:
        reckon_ticks(cron, timezone, after=datetime.now(UTC), count=1)
    except BadScheduleError as error:
        raise bad_field(error.field, str(error)) from None


def _read_job(job: NewJob, document: Any) -> ReadJobs:
    read = ReadJobs([job], [document["job"].get("payload")], many=False, below="job")
    check_job(read, 0, job)
    for name in _OF_A_TICK:
        if getattr(job, name) is not None:
            raise bad_field(read.field(0, name), "each tick decides it anew: leave it out")
    return read
