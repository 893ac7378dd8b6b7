"""Cancel and rerun: a command is a row that the scheduler applies; nothing is changed here."""

from typing import Annotated, Final

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody, PathParameter

from services.ingest.authenticate import Actor, FromActor, require_developer, require_viewer
from services.ingest.clean_text import Line
from services.ingest.problem_details import Problem, not_found, problem_responses
from services.ingest.queries.commands import GetCommandRow, get_command
from services.ingest.queries.commands import give_command as insert_command
from services.ingest.queries.rows import Run
from services.ingest.resources import FromResources
from services.ingest.show_runs import RunInPath, find_run_by_id
from shared.db import Pool, query
from shared.ids import CommandId, JobId, RunId, new_id
from shared.job_filter import JobFilter
from shared.queries.models import CommandKind

_RESPONSES: Final = problem_responses(400, 401, 403, 404, 409, 422, 503)


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the command is given; the audit keeps it."""

    why: Line | None = None


class GivenCommand(msgspec.Struct, frozen=True):
    """The command; `GET /api/v1/commands/{id}` says what became of it."""

    command_id: CommandId


@post("/runs/{run:str}/cancel", status_code=202, guards=[require_developer], tags=["runs"], responses=_RESPONSES)
async def cancel_run(
    *, run: RunInPath, data: JSONBody[Reason | None] = None, resources: FromResources, actor: FromActor
) -> Response[GivenCommand]:
    """Ask for a run to be canceled: waiting jobs end at once, running ones as soon as their commands do."""
    return accepted(await ask_to_cancel_run(resources.pool, run, actor, data))


@post("/runs/{run:str}/rerun", status_code=202, guards=[require_developer], tags=["runs"], responses=_RESPONSES)
async def rerun_run(
    *, run: RunInPath, data: JSONBody[Reason | None] = None, resources: FromResources, actor: FromActor
) -> Response[GivenCommand]:
    """Ask for a new run of the same commit; the command's `result_run_id` names it."""
    return accepted(await ask_to_rerun(resources.pool, run, actor, data))


@get("/commands/{command:str}", guards=[require_viewer], tags=["runs"], responses=_RESPONSES)
async def show_command(
    command: Annotated[CommandId, PathParameter(description="The command's id.")], resources: FromResources
) -> GetCommandRow:
    """Show what became of a command; `applied_at` is null until the scheduler has applied it."""
    found = await query(resources.pool, lambda connection: get_command(connection, command_id=command))
    if found is None:
        raise not_found("command of that id")
    return found


async def ask_to_cancel_run(pool: Pool, run_id: RunId, actor: Actor, reason: Reason | None) -> CommandId:
    """Give the command. Raises `Problem` when there is no such run, or it has ended."""
    run: Run = await find_run_by_id(pool, run_id)
    if run.finished_at is not None:
        raise Problem(409, "ended", f"The run has ended already: it {run.state}.")
    return await give(pool, CommandKind.CANCEL_RUN, run_id=run_id, actor=actor, reason=reason)


async def ask_to_rerun(pool: Pool, run_id: RunId, actor: Actor, reason: Reason | None) -> CommandId:
    """Give the command. Raises `Problem` when there is no such run, or it has not ended."""
    run: Run = await find_run_by_id(pool, run_id)
    if run.finished_at is None:
        raise Problem(409, "active", "The run has not ended yet: cancel it first, or wait.")
    return await give(pool, CommandKind.RERUN_RUN, run_id=run_id, actor=actor, reason=reason)


async def give(
    pool: Pool,
    kind: CommandKind,
    *,
    actor: Actor,
    reason: Reason | None,
    run_id: RunId | None = None,
    job_id: JobId | None = None,
    queue: str | None = None,
    job_filter: JobFilter | None = None,
) -> CommandId:
    """Give a command about a run, a job, many jobs or a queue."""
    command_id = CommandId(new_id())
    why = (reason.why if reason else None) or ""
    await query(
        pool,
        lambda connection: insert_command(
            connection,
            command_id=command_id,
            kind=kind,
            run_id=run_id,
            job_id=job_id,
            queue=queue,
            job_filter=job_filter,
            given_by=actor.name,
            why=why,
        ),
    )
    return command_id


def accepted(command_id: CommandId) -> Response[GivenCommand]:
    """Return the answer to whoever gave the command: it will be applied."""
    return Response(GivenCommand(command_id), status_code=202, headers=lead_to(command_id))


def lead_to(command_id: CommandId) -> dict[str, str]:
    """Return the header that says where to see what became of a command."""
    return {"Location": f"/api/v1/commands/{command_id}"}
