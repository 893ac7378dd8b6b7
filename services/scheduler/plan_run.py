"""The duty that turns finished plan jobs into the jobs of their runs."""

import logging
from functools import partial
from typing import Final

import msgspec

from services.scheduler.finish_run import ACTOR, finish_run
from services.scheduler.queries.lock_run import lock_run
from services.scheduler.queries.plan_run import (
    ReadPlanJobRow,
    find_planned_runs,
    insert_planned_jobs,
    read_plan_job,
    start_run,
)
from services.scheduler.queries.release_jobs import settle_jobs
from services.scheduler.queries.rows import LockedRun
from shared.db import Connection, Pool, in_transaction, query
from shared.ids import JobId, RunId, new_id
from shared.job_spec import HandlerSpec, JobSpec, ShellSpec
from shared.loop import jittered
from shared.pipeline.expand import PlannedJob, expand
from shared.plan_result import PlanResult
from shared.queries.audit import record_event
from shared.queries.models import JobState, RunState
from shared.run_metadata import RunMetadata

logger = logging.getLogger(__name__)

_BATCH: Final = 20
_LOOK_SECONDS: Final = 2.0
# Tries at a job whose surroundings fail (the repository does not answer); an exit code is final at once.
_MAX_ATTEMPTS: Final = 3


async def plan_runs(pool: Pool) -> float:
    """Apply the plans that are there; returns the seconds until the next look."""
    run_ids = await query(pool, lambda connection: find_planned_runs(connection, max_runs=_BATCH))
    planned = [await in_transaction(pool, partial(plan_run, run_id=run_id)) for run_id in run_ids]
    return 0 if any(planned) and len(run_ids) == _BATCH else jittered(_LOOK_SECONDS)


async def plan_run(connection: Connection, run_id: RunId) -> bool:
    """Apply one run's plan, in the caller's transaction; False if another scheduler is at it, or was."""
    run = await lock_run(connection, run_id=run_id)
    if run is None:
        return False
    plan = await read_plan_job(connection, plan_job_id=run.plan_job_id)
    if plan is None:
        return False
    await settle_jobs(connection, job_ids=[plan.job_id])
    if run.cancel_requested_at is not None or plan.state is JobState.CANCELED:
        await finish_run(connection, run, RunState.CANCELED, "canceled before it was planned", [])
    elif plan.state is not JobState.SUCCEEDED or plan.result is None:
        await finish_run(connection, run, RunState.FAILED, _why_unplanned(plan), [])
    else:
        await _apply_plan(connection, run, plan.result)
    return True


def _why_unplanned(plan: ReadPlanJobRow) -> str:
    return plan.error or f"the plan job ended {plan.state}"


async def _apply_plan(connection: Connection, run: LockedRun, result: PlanResult) -> None:
    plan = expand(result.pipeline, event=run.event, branch=run.branch)
    await start_run(connection, run_id=run.run_id, commit_sha=result.commit, title=result.title, author=result.author)
    if plan.jobs:
        await _insert_jobs(connection, run, result.commit, plan.jobs)
    await record_event(
        connection,
        name="run.planned",
        actor=ACTOR,
        pipeline_id=run.pipeline_id,
        run_id=run.run_id,
        job_id=None,
        detail={"state": "running", "number": run.number, "jobs": len(plan.jobs)},
    )
    if all(job.state is JobState.SKIPPED for job in plan.jobs):
        why = plan.why or "no job's `when` matches"
        await finish_run(connection, run, RunState.SKIPPED, why, [])


async def _insert_jobs(connection: Connection, run: LockedRun, commit: str, jobs: tuple[PlannedJob, ...]) -> None:
    ids = {job.key: JobId(new_id()) for job in jobs}
    specs: list[JobSpec] = [
        HandlerSpec() if job.task else ShellSpec(steps=list(job.steps), env=job.env) for job in jobs
    ]
    await insert_planned_jobs(
        connection,
        run_id=run.run_id,
        max_attempts=_MAX_ATTEMPTS,
        job_ids=list(ids.values()),
        keys=[job.key for job in jobs],
        positions=list(range(len(jobs))),
        needs=["{" + ",".join(str(ids[key]) for key in job.needs) + "}" for job in jobs],
        timeouts_seconds=[job.timeout_seconds for job in jobs],
        specs=specs,
        states=[job.state for job in jobs],
        reasons=[_reason(job) for job in jobs],
        job_types=[job.task.type if job.task else "" for job in jobs],
        payloads=[msgspec.json.encode(job.task.payload).decode() if job.task else "" for job in jobs],
        metadata=RunMetadata(
            pipeline=run.pipeline_name,
            run_id=str(run.run_id),
            run_number=run.number,
            event=run.event,
            ref=run.ref,
            branch=run.branch,
            commit=commit,
        ),
    )


def _reason(job: PlannedJob) -> str:
    if job.skip is not None:
        return job.skip
    return "needs" if job.state is JobState.BLOCKED else ""
