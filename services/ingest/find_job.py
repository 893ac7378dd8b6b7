"""A job with everything that is known of it, and the jobs of a run; each says what it waits for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from services.ingest.explain_wait import Surroundings, explain_wait
from services.ingest.problem_details import not_found
from services.ingest.queries.jobs import (
    GetJobDetailsRow,
    ListAttemptsRow,
    ListStepsRow,
    explain_limits,
    explain_ready,
    get_job,
    get_job_details,
    list_attempts,
    list_run_jobs,
    list_steps,
)
from services.ingest.queries.rows import Job
from shared.db import Connection, Pool, query
from shared.ids import JobId, RunId
from shared.queries.models import JobState

# Of a run with very many waiting jobs, only so many are explained one by one.
_EXPLAINED: Final = 50


class ShownJob(Job, frozen=True, kw_only=True):
    """A job, and in a sentence what it waits for."""

    waits_for: str | None


class Progress(msgspec.Struct, frozen=True):
    """What the newest attempt last said of its progress; `fraction` is between 0 and 1."""

    fraction: float
    message: str
    at: datetime


class JobDetails(ShownJob, frozen=True, kw_only=True):
    """A job with everything that was tried. Of a job of commands, payload, result and what goes with them are null."""

    job_type: str
    queue: str
    labels: list[str]
    priority: int
    payload: Any
    metadata: Any
    retry: Any
    traceparent: str | None
    enqueued_by: str
    idempotency_key: str | None
    concurrency_key: str | None
    # How often somebody has brought it back from its end.
    redrives: int
    # Who asked for its cancel, and why, if the job was meant by itself.
    canceled_by: str | None
    cancel_why: str | None
    progress: Progress | None
    # Of the newest attempt.
    result: Any
    attempts: list[ListAttemptsRow]
    steps: list[ListStepsRow]


async def find_run_jobs(pool: Pool, run_id: RunId) -> list[ShownJob]:
    """Return the jobs of a run; none if there is no such run."""

    async def read(connection: Connection) -> list[ShownJob]:
        jobs = await list_run_jobs(connection, run_id=run_id)
        return await _explained(connection, jobs, jobs)

    return await query(pool, read)


async def find_job(pool: Pool, job_id: JobId) -> JobDetails:
    """Return a job with all that was tried. Raises `Problem`."""

    async def read(connection: Connection) -> JobDetails | None:
        job = await get_job(connection, job_id=job_id)
        details = await get_job_details(connection, job_id=job_id)
        if job is None or details is None:
            return None
        others = [job]
        if job.run_id is not None and job.state == JobState.BLOCKED:
            others = await list_run_jobs(connection, run_id=job.run_id)
        [shown] = await _explained(connection, [job], others)
        attempts = await list_attempts(connection, job_id=job_id)
        return _detail(shown, details, attempts, await list_steps(connection, job_id=job_id))

    found = await query(pool, read)
    if found is None:
        raise not_found("job of that id")
    return found


def _detail(
    shown: ShownJob, details: GetJobDetailsRow, attempts: list[ListAttemptsRow], steps: list[ListStepsRow]
) -> JobDetails:
    known = msgspec.structs.asdict(details)
    fraction, message, at = (known.pop(f"progress_{name}") for name in ("fraction", "message", "at"))
    # Payload and result are handed on as the database has them.
    known |= {name: _raw(known[name]) for name in ("payload", "result")}
    progress = None if at is None else Progress(fraction, message, at)
    return JobDetails(**msgspec.structs.asdict(shown), **known, progress=progress, attempts=attempts, steps=steps)


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())


async def _explained(connection: Connection, jobs: Sequence[Job], others: Sequence[Job]) -> list[ShownJob]:
    ready = [job.job_id for job in jobs if job.state == JobState.READY][:_EXPLAINED]
    limited = [job.job_id for job in jobs if job.state == JobState.BLOCKED and job.reason == "limit"][:_EXPLAINED]
    around = Surroundings(
        others={other.job_id: other for other in others},
        ready={row.job_id: row for row in await explain_ready(connection, job_ids=ready)} if ready else {},
        limits={row.job_id: row for row in await explain_limits(connection, job_ids=limited)} if limited else {},
    )
    return [ShownJob(**msgspec.structs.asdict(job), waits_for=explain_wait(job, around)) for job in jobs]
