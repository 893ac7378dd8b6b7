"""Why a job does not run yet, in a sentence that is composed on reading. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from services.ingest.queries.jobs import ExplainLimitsRow, ExplainReadyRow
from services.ingest.queries.rows import Job
from shared.ids import JobId
from shared.queries.models import JobKind, JobState

_ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.DEAD, JobState.SKIPPED)
# The database counts no further.
_COUNTED: Final = 10_000


class Surroundings(msgspec.Struct, frozen=True):
    """What stands before jobs: the other jobs of their run, and what was found out about ready and limited ones."""

    others: Mapping[JobId, Job]
    ready: Mapping[JobId, ExplainReadyRow]
    limits: Mapping[JobId, ExplainLimitsRow]


def explain_wait(job: Job, around: Surroundings) -> str | None:
    """Return what the job waits for; None if it runs, or has ended."""
    match job.state:
        case JobState.BLOCKED if job.job_id in around.limits:
            return _explain_limit(around.limits[job.job_id])
        case JobState.BLOCKED:
            return _explain_needs(job, around.others)
        case JobState.SCHEDULED:
            return _explain_schedule(job)
        case JobState.READY:
            return _explain_ready(around.ready.get(job.job_id))
        case JobState.RUNNING if job.cancel_requested_at is not None:
            return "is being canceled: it is given time to end"
        case _:
            return None


def _explain_needs(job: Job, others: Mapping[JobId, Job]) -> str:
    missing = [others[needed].key for needed in job.needs if needed in others and others[needed].state not in _ENDED]
    if not missing:
        return "waits for the scheduler to release it"
    return f"waits for {_enumerate(missing)}"


def _explain_limit(limit: ExplainLimitsRow) -> str:
    place = f"{_ordinal(limit.jobs_before)} in line"
    key = f"the concurrency key {limit.concurrency_key}"
    if limit.max_running == 0:
        return f"waits for {key}: none of its jobs may run, {place}"
    if limit.holding >= limit.max_running:
        return f"waits for {key}: {limit.holding} of {limit.max_running} run, {place}"
    if limit.rate_count is not None and limit.rate_seconds is not None:
        return f"waits for the rate of {key}: {limit.rate_count} in {limit.rate_seconds:g} s, {place}"
    return f"waits for the scheduler to release it for {key}, {place}"


def _explain_schedule(job: Job) -> str:
    match job.reason:
        case "retry":
            return f"tries again at {_clock(job.run_at)}, try {job.attempts_used + 1} of {job.max_attempts}"
        case "snooze":
            return f"has put itself off until {_clock(job.run_at)}"
        case _:
            return f"is to start at {_clock(job.run_at)}"


def _explain_ready(ready: ExplainReadyRow | None) -> str:
    if ready is None:
        return "waits for an executor"
    if ready.paused_at is not None:
        why = f": {ready.paused_why}" if ready.paused_why else ""
        return f"waits for the queue {ready.queue}, which {ready.paused_by} paused at {_clock(ready.paused_at)}{why}"
    if not ready.executors:
        return f"waits for an executor: {_describe_absent(ready)}"
    if not ready.jobs_before:
        return f"is next, as soon as a slot of {_count(ready.executors, 'executor')} is free"
    more = "more than " if ready.jobs_before > _COUNTED else ""
    before = f"{more}{_count(min(ready.jobs_before, _COUNTED), 'job')} stand{'s' if ready.jobs_before == 1 else ''}"
    return f"waits for a slot of {_count(ready.executors, 'executor')}: {before} before it"


def _describe_absent(ready: ExplainReadyRow) -> str:
    labels = f" with the label{'s' if len(ready.labels) > 1 else ''} {_enumerate(ready.labels)}" if ready.labels else ""
    if ready.kind == JobKind.HANDLER:
        return f"none that is alive has the handler {ready.job_type} and serves the queue {ready.queue}{labels}"
    return f"none that is alive serves the queue {ready.queue}{labels}"


def _enumerate(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _ordinal(before: int) -> str:
    """Return the place after so many others: `1st`, `2nd`, `12th`."""
    if before > _COUNTED:
        return f"beyond the {_COUNTED}th"
    place = before + 1
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
