"""`/health`: the process answers. `/ready`: the database answers, too."""

import msgspec
from litestar import Response, route

from services.ingest.problem_details import Problem, problem_responses
from services.ingest.resources import FromResources
from shared.db import answers
from shared.version import CODE_VERSION

_READY_SECONDS = 2.0


class Health(msgspec.Struct, frozen=True):
    """All is well, and which code says so."""

    status: str
    version: str


@route("/health", http_method=["GET", "HEAD"], tags=["health"])
async def report_health() -> Response[Health]:
    """Say that the process is alive, whatever the database does."""
    return Response(Health("ok", CODE_VERSION), headers={"Cache-Control": "no-store"})


@route("/ready", http_method=["GET", "HEAD"], tags=["health"], responses=problem_responses(503))
async def report_readiness(resources: FromResources) -> Response[Health]:
    """Say whether requests can be served now: asks the database."""
    if resources.stop.requested:
        raise Problem(503, "stopping", "This process is asked to stop.", headers={"Retry-After": "1"})
    if not await answers(resources.pool, seconds=_READY_SECONDS):
        raise Problem(503, "database-unavailable", "The database does not answer.", headers={"Retry-After": "1"})
    return Response(Health("ready", CODE_VERSION), headers={"Cache-Control": "no-store"})
