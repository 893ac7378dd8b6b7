"""`GET /api/v1/jobs/report`: how many jobs of handlers there are, from the counters, whatever their number."""

from datetime import datetime
from typing import Final

import msgspec
from litestar import get

from services.ingest.authenticate import require_viewer
from services.ingest.problem_details import problem_responses
from services.ingest.queries.report_jobs import count_jobs, list_oldest_ready
from services.ingest.resources import FromResources
from shared.db import Connection, Pool, query
from shared.queries.models import JobKind, JobState

_RESPONSES: Final = problem_responses(401, 403, 503)


class CountedType(msgspec.Struct, frozen=True):
    """The jobs of one type in one queue, by state; states without any are left out."""

    type: str
    queue: str
    jobs: dict[str, int]
    # Since when the job waits that is to be started next; null if none is ready.
    ready_since: datetime | None


class JobReport(msgspec.Struct, frozen=True):
    """How many jobs of handlers there are."""

    total: int
    # By state, over all types and queues; every state is there.
    jobs: dict[str, int]
    dead_letters: int
    # The oldest of `ready_since`.
    ready_since: datetime | None
    types: list[CountedType]


@get("/jobs/report", guards=[require_viewer], tags=["jobs"], responses=_RESPONSES)
async def report_jobs(resources: FromResources) -> JobReport:
    """Report how many jobs of handlers are in each state, by type and queue."""
    return await find_report(resources.pool)


async def find_report(pool: Pool) -> JobReport:
    """Read the counters."""

    async def read(connection: Connection) -> JobReport:
        totals: dict[str, int] = {state.value: 0 for state in JobState}
        by_type: dict[tuple[str, str], dict[str, int]] = {}
        for row in await count_jobs(connection):
            if row.kind == JobKind.HANDLER:
                totals[row.state] += row.jobs
                by_type.setdefault((row.job_type, row.queue), {})[row.state] = row.jobs
        since = {
            (row.job_type, row.queue): row.ready_since
            for row in await list_oldest_ready(connection)
            if row.kind == JobKind.HANDLER
        }
        return JobReport(
            total=sum(totals.values()),
            jobs=totals,
            dead_letters=totals[JobState.DEAD],
            ready_since=min(since.values(), default=None),
            types=[CountedType(*key, jobs, since.get(key)) for key, jobs in sorted(by_type.items())],
        )

    return await query(pool, read)
