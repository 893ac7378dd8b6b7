"""Queues: what waits in each, who serves it, and pausing one: then nothing more of it is started."""

import re
from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody, PathParameter

from services.ingest.authenticate import Actor, FromActor, require_developer, require_viewer
from services.ingest.give_command import GivenCommand, Reason, accepted, give
from services.ingest.problem_details import bad_field, problem_responses
from services.ingest.queries.queues import list_queues
from services.ingest.queries.report_jobs import count_jobs
from services.ingest.resources import FromResources
from shared.db import Connection, Pool, query
from shared.ids import CommandId
from shared.queries.models import CommandKind

QueueInPath = Annotated[str, PathParameter(description="The queue's name.")]

_RESPONSES: Final = problem_responses(400, 401, 403, 422, 503)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Queue(msgspec.Struct, frozen=True):
    """A queue. `jobs` has the number of jobs in each state that there are any in; those of runs count, too."""

    queue: str
    jobs: dict[str, int]
    # Live executors that serve it.
    executors: int
    paused_at: datetime | None
    paused_by: str | None
    why: str | None


class QueueList(msgspec.Struct, frozen=True):
    """Queues by name."""

    queues: list[Queue]


@get("/queues", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_queues(resources: FromResources) -> QueueList:
    """List the queues by name."""
    return QueueList(await find_queues(resources.pool))


@post("/queues/{queue:str}/pause", status_code=202, guards=[require_developer], tags=["jobs"], responses=_RESPONSES)
async def pause_queue(
    *, queue: QueueInPath, data: JSONBody[Reason | None] = None, resources: FromResources, actor: FromActor
) -> Response[GivenCommand]:
    """Ask for nothing more of a queue to be started. What runs goes on; what is enqueued waits."""
    return accepted(await ask_to_pause(resources.pool, queue, actor, data))


@post("/queues/{queue:str}/resume", status_code=202, guards=[require_developer], tags=["jobs"], responses=_RESPONSES)
async def resume_queue(
    *, queue: QueueInPath, data: JSONBody[Reason | None] = None, resources: FromResources, actor: FromActor
) -> Response[GivenCommand]:
    """Ask for a queue to be started from again."""
    return accepted(await ask_to_resume(resources.pool, queue, actor, data))


async def ask_to_pause(pool: Pool, queue: str, actor: Actor, reason: Reason | None) -> CommandId:
    """Give the command. Raises `Problem` for what is no queue's name."""
    return await give(pool, CommandKind.PAUSE_QUEUE, queue=_checked(queue), actor=actor, reason=reason)


async def ask_to_resume(pool: Pool, queue: str, actor: Actor, reason: Reason | None) -> CommandId:
    """Give the command. Raises `Problem` for what is no queue's name."""
    return await give(pool, CommandKind.RESUME_QUEUE, queue=_checked(queue), actor=actor, reason=reason)


async def find_queues(pool: Pool) -> list[Queue]:
    """Return the queues by name, with what is in them."""

    async def read(connection: Connection) -> list[Queue]:
        jobs: dict[str, dict[str, int]] = {}
        for row in await count_jobs(connection):
            counts = jobs.setdefault(row.queue, {})
            counts[row.state] = counts.get(row.state, 0) + row.jobs
        return [
            Queue(row.queue, jobs.get(row.queue, {}), row.executors, row.paused_at, row.paused_by, row.why)
            for row in await list_queues(connection)
        ]

    return await query(pool, read)


def _checked(queue: str) -> str:
    if _NAME.fullmatch(queue) is None:
        raise bad_field("queue", "it has 1 to 63 letters, digits, points, hyphens or underscores")
    return queue
