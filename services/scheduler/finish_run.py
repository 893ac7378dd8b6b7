"""Ending a run and telling of it, in the transaction of whatever ended it."""

from datetime import datetime
from typing import Final

from services.scheduler.queries.finish_run import finish_run as mark_finished
from services.scheduler.queries.notify_channels import notify_channels
from services.scheduler.queries.release_jobs import ListRunJobsRow
from services.scheduler.queries.rows import LockedRun
from shared.db import Connection
from shared.ids import JobId
from shared.notice import JobNotice, Notice
from shared.queries.audit import record_event
from shared.queries.models import JobState, RunState

ACTOR: Final = "scheduler"
FAILED_STATES: Final = (JobState.FAILED, JobState.DEAD)


async def finish_run(
    connection: Connection, run: LockedRun, state: RunState, reason: str, jobs: list[ListRunJobsRow]
) -> None:
    """Record a locked run's end, and put its notifications into the outbox."""
    finished_at = await mark_finished(connection, run_id=run.run_id, state=state, reason=reason)
    if finished_at is None:
        return
    await record_event(
        connection,
        name="run.finished",
        actor=ACTOR,
        pipeline_id=run.pipeline_id,
        run_id=run.run_id,
        job_id=None,
        detail={"state": state, "reason": reason or None, "number": run.number},
    )
    notice = _notice(
        run,
        state=state,
        reason=reason,
        finished_at=finished_at,
        failed=[_job_notice(job) for job in jobs if job.state in FAILED_STATES],
    )
    await _notify(connection, run, f"run.{state}", notice, job_id=None)


async def tell_failed_job(connection: Connection, run: LockedRun, job: ListRunJobsRow) -> None:
    """Put the notifications about one failed job of a locked run into the outbox."""
    told = _job_notice(job)
    notice = _notice(run, state=run.state, reason="", finished_at=None, failed=[told], job=told)
    await _notify(connection, run, "job.failed", notice, job_id=job.job_id)


def _job_notice(job: ListRunJobsRow) -> JobNotice:
    return JobNotice(
        id=job.job_id,
        key=job.key,
        state=job.state,
        exit_code=job.exit_code,
        error=job.error,
        failing_line=job.failing_line,
        failing_text=job.failing_text,
    )


def _notice(
    run: LockedRun,
    *,
    state: RunState,
    reason: str,
    finished_at: datetime | None,
    failed: list[JobNotice],
    job: JobNotice | None = None,
) -> Notice:
    return Notice(
        pipeline=run.pipeline_name,
        run_id=run.run_id,
        run_number=run.number,
        state=state,
        reason=reason or None,
        event=run.event,
        ref=run.ref,
        branch=run.branch,
        commit=run.commit_sha,
        title=run.title,
        author=run.author,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=finished_at,
        job=job,
        failed_jobs=failed,
    )


async def _notify(connection: Connection, run: LockedRun, event: str, notice: Notice, *, job_id: JobId | None) -> None:
    await notify_channels(
        connection, event=event, pipeline_id=run.pipeline_id, run_id=run.run_id, job_id=job_id, payload=notice
    )
