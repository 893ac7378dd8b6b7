"""Why a job does not run yet, in a sentence that is composed on reading. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.ingest.queries.jobs import ExplainReadyRow
from services.ingest.queries.rows import Job
from shared.ids import JobId
from shared.queries.models import JobState

_ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.DEAD, JobState.SKIPPED)


def explain_wait(job: Job, others: Mapping[JobId, Job], ready: ExplainReadyRow | None) -> str | None:
    """Return what the job waits for; None if it runs, or has ended.

    `others` are the jobs of its run; `ready` says what stands before a ready job.
    """
    match job.state:
        case JobState.BLOCKED:
            return _explain_needs(job, others)
        case JobState.SCHEDULED:
            return _explain_schedule(job)
        case JobState.READY:
            return _explain_ready(ready)
        case JobState.RUNNING if job.cancel_requested_at is not None:
            return "is being canceled: its commands are given time to end"
        case _:
            return None


def _explain_needs(job: Job, others: Mapping[JobId, Job]) -> str:
    missing = [others[needed].key for needed in job.needs if needed in others and others[needed].state not in _ENDED]
    if not missing:
        return "waits for the scheduler to release it"
    return f"waits for {_enumerate(missing)}"


def _explain_schedule(job: Job) -> str:
    if job.reason == "retry":
        return f"tries again at {_clock(job.run_at)}, try {job.attempts_used + 1} of {job.max_attempts}"
    return f"is to start at {_clock(job.run_at)}"


def _explain_ready(ready: ExplainReadyRow | None) -> str:
    if ready is None:
        return "waits for an executor"
    labels = f" with the label{'s' if len(ready.labels) > 1 else ''} {_enumerate(ready.labels)}" if ready.labels else ""
    if not ready.executors:
        return f"waits for an executor: none that is alive serves the queue {ready.queue}{labels}"
    if not ready.jobs_before:
        return f"is next, as soon as a slot of {_count(ready.executors, 'executor')} is free"
    before = f"{_count(ready.jobs_before, 'job')} stand{'s' if ready.jobs_before == 1 else ''} before it"
    return f"waits for a slot of {_count(ready.executors, 'executor')}: {before}"


def _enumerate(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
