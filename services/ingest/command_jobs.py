"""Cancel, redrive and discard: one job, or all that a filter means. Commands: the scheduler applies them."""

from typing import Any, Final, Literal

import msgspec
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from services.ingest.authenticate import Actor, FromActor, require_developer
from services.ingest.clean_text import Line
from services.ingest.find_jobs import ACTIVE, UNSUCCESSFUL
from services.ingest.give_command import GivenCommand, Reason, accepted, give, lead_to
from services.ingest.problem_details import Problem, bad_field, not_found, problem_responses
from services.ingest.queries.commands import count_filtered_jobs
from services.ingest.queries.jobs import get_job
from services.ingest.queries.rows import Job
from services.ingest.read_log import JobInPath
from services.ingest.read_strict_json import read_strict_json
from services.ingest.resources import FromResources, Resources
from shared.db import Pool, query
from shared.ids import CommandId, JobId
from shared.job_filter import JobFilter
from shared.queries.models import CommandKind, JobState

_RESPONSES: Final = problem_responses(400, 401, 403, 404, 409, 422, 503)

Verb = Literal["cancel", "redrive", "discard"]
_KINDS: Final[dict[Verb, CommandKind]] = {
    "cancel": CommandKind.CANCEL_JOBS,
    "redrive": CommandKind.REDRIVE_JOBS,
    "discard": CommandKind.DISCARD_JOBS,
}
# The states of the jobs that a command changes; it passes over others.
_STATES: Final[dict[Verb, tuple[JobState, ...]]] = {
    "cancel": ACTIVE,
    "redrive": UNSUCCESSFUL,
    "discard": (JobState.DEAD,),
}


class ManyJobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which jobs are meant, and why. A `dry_run` only counts them."""

    filter: JobFilter
    why: Line | None = None
    dry_run: bool = False


class CountedJobs(msgspec.Struct, frozen=True):
    """How many jobs the command would have meant just now."""

    jobs: int


_RESPONSES_FOR_MANY: Final = {
    **_RESPONSES,
    200: ResponseSpec(CountedJobs, description="A dry run: nothing was asked for.", generate_examples=False),
}


@post("/jobs/{job:str}/cancel", status_code=202, guards=[require_developer], tags=["jobs"], responses=_RESPONSES)
async def cancel_job(
    *, job: JobInPath, data: JSONBody[Reason | None] = None, resources: FromResources, actor: FromActor
) -> Response[GivenCommand]:
    """Ask for a job to be canceled: one that waits ends at once, one that runs as soon as it heeds."""
    return accepted(await ask_to_cancel_job(resources.pool, job, actor, data))


@post("/jobs/{job:str}/redrive", status_code=202, guards=[require_developer], tags=["jobs"], responses=_RESPONSES)
async def redrive_job(
    *, job: JobInPath, data: JSONBody[Reason | None] = None, resources: FromResources, actor: FromActor
) -> Response[GivenCommand]:
    """Ask for a job on its own that failed, went dead or was canceled to be tried anew, with all its attempts."""
    return accepted(await ask_about_ended_job(resources.pool, "redrive", job, actor, data))


@post("/jobs/{job:str}/discard", status_code=202, guards=[require_developer], tags=["jobs"], responses=_RESPONSES)
async def discard_job(
    *, job: JobInPath, data: JSONBody[Reason | None] = None, resources: FromResources, actor: FromActor
) -> Response[GivenCommand]:
    """Ask for a dead job to be given up: it becomes failed, and leaves the dead letters."""
    return accepted(await ask_about_ended_job(resources.pool, "discard", job, actor, data))


@post("/jobs/cancel", status_code=202, guards=[require_developer], tags=["jobs"], responses=_RESPONSES_FOR_MANY)
async def cancel_jobs(
    request: Request[Any, Any, Any], data: JSONBody[ManyJobs], resources: FromResources, actor: FromActor
) -> Response[GivenCommand | CountedJobs]:
    """Ask for all jobs on their own to be canceled that a filter means; with `dry_run`, 200 and how many there are."""
    return await _command_many(resources, "cancel", await request.body(), data, actor)


@post("/jobs/redrive", status_code=202, guards=[require_developer], tags=["jobs"], responses=_RESPONSES_FOR_MANY)
async def redrive_jobs(
    request: Request[Any, Any, Any], data: JSONBody[ManyJobs], resources: FromResources, actor: FromActor
) -> Response[GivenCommand | CountedJobs]:
    """Ask for all that a filter means to be tried anew, of those that failed, went dead or were canceled."""
    return await _command_many(resources, "redrive", await request.body(), data, actor)


@post("/jobs/discard", status_code=202, guards=[require_developer], tags=["jobs"], responses=_RESPONSES_FOR_MANY)
async def discard_jobs(
    request: Request[Any, Any, Any], data: JSONBody[ManyJobs], resources: FromResources, actor: FromActor
) -> Response[GivenCommand | CountedJobs]:
    """Ask for all dead jobs to be given up that a filter means."""
    return await _command_many(resources, "discard", await request.body(), data, actor)


async def ask_to_cancel_job(pool: Pool, job_id: JobId, actor: Actor, reason: Reason | None) -> CommandId:
    """Give the command. Raises `Problem` when there is no such job, or it has ended."""
    job = await _find(pool, job_id)
    if job.finished_at is not None:
        raise Problem(409, "ended", f"The job has ended already: it is {job.state}.")
    return await give(pool, CommandKind.CANCEL_JOB, run_id=job.run_id, job_id=job_id, actor=actor, reason=reason)


async def ask_about_ended_job(
    pool: Pool, verb: Literal["redrive", "discard"], job_id: JobId, actor: Actor, reason: Reason | None
) -> CommandId:
    """Give the command. Raises `Problem` when there is no such job on its own, or it is in no state for that."""
    job = await _find(pool, job_id)
    if job.run_id is not None:
        raise Problem(409, "in-run", "The job belongs to a run: rerun that instead.")
    if job.state not in _STATES[verb]:
        raise Problem(409, "state", f"The job is {job.state}; this is for jobs that are {_enumerate(_STATES[verb])}.")
    return await give(pool, _KINDS[verb], job_id=job_id, actor=actor, reason=reason)


async def ask_about_jobs(pool: Pool, verb: Verb, wanted: JobFilter, actor: Actor, reason: Reason | None) -> CommandId:
    """Give the command for all jobs on their own that a filter means; it means not every job."""
    return await give(pool, _KINDS[verb], job_filter=wanted, actor=actor, reason=reason)


async def _find(pool: Pool, job_id: JobId) -> Job:
    job: Job | None = await query(pool, lambda connection: get_job(connection, job_id=job_id))
    if job is None:
        raise not_found("job of that id")
    return job


async def _command_many(
    resources: Resources, verb: Verb, body: bytes, order: ManyJobs, actor: Actor
) -> Response[GivenCommand | CountedJobs]:
    read_strict_json(body)
    wanted = order.filter
    if wanted.means_every_job():
        raise bad_field("filter", "it means every job: name a type, a queue or another property")
    states = [state for state in _STATES[verb] if not wanted.states or state in wanted.states]
    if not states:
        raise bad_field("filter.states", f"this is for jobs that are {_enumerate(_STATES[verb])}")
    if order.dry_run:
        return Response(CountedJobs(await _count(resources.pool, wanted, states)), status_code=200)
    command_id = await ask_about_jobs(resources.pool, verb, wanted, actor, Reason(order.why))
    return Response(GivenCommand(command_id), status_code=202, headers=lead_to(command_id))


async def _count(pool: Pool, wanted: JobFilter, states: list[JobState]) -> int:
    return await query(
        pool,
        lambda connection: count_filtered_jobs(
            connection,
            states=states,
            job_type=wanted.type,
            queue=wanted.queue,
            reason=wanted.reason,
            concurrency_key=wanted.concurrency_key,
            enqueued_after=wanted.enqueued_after,
            enqueued_before=wanted.enqueued_before,
            metadata=wanted.metadata,
        ),
    )


def _enumerate(states: tuple[JobState, ...]) -> str:
    return states[0] if len(states) == 1 else f"{', '.join(states[:-1])} or {states[-1]}"
