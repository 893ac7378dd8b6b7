"""`GET /api/v1/job-types`: what executors have published: schemas, defaults, and who serves each type now."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import get
from litestar.params import PathParameter

from services.ingest.authenticate import require_viewer
from services.ingest.job_catalog import JobType, describe_unknown_type
from services.ingest.problem_details import Problem, problem_responses
from services.ingest.queries.executors import ListHandlerExecutorsRow, list_handler_executors
from services.ingest.resources import FromResources
from shared.db import Pool, query
from shared.ids import ExecutorId
from shared.queries.models import ExecutorState

_RESPONSES: Final = problem_responses(401, 403, 404, 422, 503)


class ServingExecutor(msgspec.Struct, frozen=True):
    """A live executor that has the type's handler."""

    executor_id: ExecutorId
    name: str
    version: str
    queues: list[str]
    labels: list[str]
    handler_slots: int
    # active, or draining: then it claims nothing more.
    state: ExecutorState


class ShownJobType(msgspec.Struct, frozen=True):
    """A type. `max_attempts`, `timeout_seconds` and `retry` are what counts for jobs that say nothing else."""

    type: str
    description: str
    # JSON Schema 2020-12.
    payload_schema: Any
    result_schema: Any
    max_attempts: int
    timeout_seconds: int
    retry: Any
    # How many jobs one call of the handler may take.
    batch_size: int
    published_at: datetime
    executors: list[ServingExecutor]


class JobTypeList(msgspec.Struct, frozen=True):
    """Types by name."""

    job_types: list[ShownJobType]


@get("/job-types", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_job_types(resources: FromResources) -> JobTypeList:
    """List the types of job that executors have published. They stay when the executors leave."""
    known = await resources.job_catalog.types()
    executors = await _read_executors(resources.pool)
    return JobTypeList([_show(job_type, executors) for job_type in known.values()])


@get("/job-types/{job_type:str}", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_job_type(
    job_type: Annotated[str, PathParameter(description="The type's name.")], resources: FromResources
) -> ShownJobType:
    """Show a type of job."""
    known = await resources.job_catalog.types_with({job_type})
    found = known.get(job_type)
    if found is None:
        told = describe_unknown_type(job_type, known)
        raise Problem(404, "not-found", f"{told[0].upper()}{told[1:]}.")
    return _show(found, await _read_executors(resources.pool))


async def _read_executors(pool: Pool) -> list[ListHandlerExecutorsRow]:
    return await query(pool, list_handler_executors)


def _show(job_type: JobType, executors: list[ListHandlerExecutorsRow]) -> ShownJobType:
    published = job_type.published
    return ShownJobType(
        type=published.job_type,
        description=published.description,
        payload_schema=published.payload_schema,
        result_schema=published.result_schema,
        max_attempts=published.max_attempts,
        timeout_seconds=published.timeout_seconds,
        retry=published.retry,
        batch_size=published.batch_size,
        published_at=published.published_at,
        executors=[
            ServingExecutor(
                row.executor_id, row.name, row.version, row.queues, row.labels, row.handler_slots, row.state
            )
            for row in executors
            if published.job_type in row.job_types
        ],
    )
