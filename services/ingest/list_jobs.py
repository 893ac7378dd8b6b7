"""`GET /api/v1/jobs`: jobs on their own, newest first, by filters; `GET /api/v1/dead-letters`: those that went dead."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import get
from litestar.params import QueryParameter

from services.ingest.authenticate import require_viewer
from services.ingest.find_jobs import FoundJobs, JobSearch, find_jobs
from services.ingest.page_cursor import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from services.ingest.problem_details import Problem, bad_field, problem_responses
from services.ingest.queries.list_jobs import ListJobsRow, list_jobs
from services.ingest.read_strict_json import read_strict_json
from services.ingest.resources import FromResources
from shared.db import Connection, Pool, query
from shared.ids import JobId, RunId
from shared.queries.models import JobState

_RESPONSES: Final = problem_responses(401, 403, 422, 503)
_MOST_FILTER: Final = 255
_MOST_METADATA: Final = 2000

ListedJob = ListJobsRow
Text = Annotated[str | None, QueryParameter(max_length=_MOST_FILTER)]


class JobPage(msgspec.Struct, frozen=True):
    """Jobs, newest first. A page may be shorter than `limit` although `next` leads on: a look has its bounds."""

    jobs: list[ListedJob]
    next: str | None


@get("/jobs", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_jobs(
    *,
    resources: FromResources,
    job_state: Annotated[
        list[JobState] | None, QueryParameter(name="state", description="Only jobs in this state; may be repeated.")
    ] = None,
    job_type: Annotated[str | None, QueryParameter(name="type", max_length=_MOST_FILTER)] = None,
    queue: Text = None,
    reason: Text = None,
    concurrency_key: Text = None,
    idempotency_key: Annotated[
        str | None, QueryParameter(max_length=_MOST_FILTER, description="Keys are of a type: give `type`, too.")
    ] = None,
    run: Annotated[RunId | None, QueryParameter(description="The jobs of a run instead of those on their own.")] = None,
    metadata: Annotated[
        str | None,
        QueryParameter(max_length=_MOST_METADATA, description="A JSON object that the job's metadata contains."),
    ] = None,
    enqueued_after: Annotated[datetime | None, QueryParameter(description="Inclusive.")] = None,
    enqueued_before: Annotated[datetime | None, QueryParameter(description="Exclusive.")] = None,
    finished_after: Annotated[datetime | None, QueryParameter(description="Inclusive.")] = None,
    finished_before: Annotated[datetime | None, QueryParameter(description="Exclusive.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> JobPage:
    """List jobs on their own, newest first."""
    if idempotency_key is not None and job_type is None:
        raise bad_field("idempotency_key", "keys are of a type: give `type`, too")
    search = JobSearch(
        states=tuple(dict.fromkeys(job_state or ())),
        job_type=_storable("type", job_type),
        queue=_storable("queue", queue),
        reason=_storable("reason", reason),
        concurrency_key=_storable("concurrency_key", concurrency_key),
        idempotency_key=_storable("idempotency_key", idempotency_key),
        run_id=run,
        metadata=None if metadata is None else read_metadata(metadata),
        enqueued_after=_with_zone("enqueued_after", enqueued_after),
        enqueued_before=_with_zone("enqueued_before", enqueued_before),
        finished_after=_with_zone("finished_after", finished_after),
        finished_before=_with_zone("finished_before", finished_before),
    )
    return await find_page(resources.pool, search, limit=limit, cursor=cursor)


@get("/dead-letters", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def show_dead_letters(
    resources: FromResources,
    job_type: Annotated[str | None, QueryParameter(name="type", max_length=_MOST_FILTER)] = None,
    queue: Text = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> JobPage:
    """List the jobs whose attempts are used up, newest first, each with its last error."""
    search = JobSearch(states=(JobState.DEAD,), job_type=_storable("type", job_type), queue=_storable("queue", queue))
    return await find_page(resources.pool, search, limit=limit, cursor=cursor)


async def find_page(pool: Pool, search: JobSearch, *, limit: int, cursor: str | None) -> JobPage:
    """Read one page of jobs. Raises `Problem` for a bad cursor."""
    before = None if cursor is None else read_cursor(cursor, JobId)

    async def read(connection: Connection) -> tuple[FoundJobs, list[ListedJob]]:
        found = await find_jobs(connection, search, before=before, limit=limit)
        return found, await list_jobs_by_id(connection, found.job_ids)

    found, jobs = await query(pool, read)
    return JobPage(jobs, None if found.next_before is None else write_cursor(found.next_before))


async def list_jobs_by_id(connection: Connection, job_ids: list[JobId]) -> list[ListedJob]:
    """Return jobs as lists show them, newest first."""
    return await list_jobs(connection, job_ids=job_ids) if job_ids else []


def read_metadata(text: str) -> dict[str, Any]:
    """Return the object that a filter asks for. Raises `Problem`."""
    try:
        found = read_strict_json(text.encode(errors="surrogatepass"), "metadata")
    except Problem as problem:
        if problem.status_code != 400:
            raise
        found = None
    if not isinstance(found, dict):
        raise bad_field("metadata", 'it is no JSON object, such as {"order": 7}')
    return found


def _storable(field: str, text: str | None) -> str | None:
    if text is not None and "\0" in text:
        raise bad_field(field, "its text holds NUL")
    return text


def _with_zone(field: str, at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise bad_field(field, "it has no time zone: write it as 2026-11-25T12:00:00Z")
    return at
