"""`GET /metrics`: what a Prometheus scrapes, in its text format."""

import logging
from typing import Final

from litestar import Response, get
from litestar.handlers import BaseRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from services.ingest.authenticate import Connection, require_viewer
from services.ingest.problem_details import problem_responses
from services.ingest.read_metrics import MeasuredCollector, read_metrics
from services.ingest.resources import FromResources, resources_of
from shared.errors import DatabaseUnavailableError

logger = logging.getLogger(__name__)

_RESPONSES: Final = problem_responses(401, 403, 503)


async def require_metrics_reader(connection: Connection, handler: BaseRouteHandler) -> None:
    """Guard: any token that holds; nobody has to show one where the operator has opened the metrics."""
    if not resources_of(connection).config.metrics_open:
        await require_viewer(connection, handler)


@get(
    "/metrics",
    guards=[require_metrics_reader],
    tags=["health"],
    media_type="text/plain",
    security=[{"bearer": []}],
    responses=_RESPONSES,
)
async def report_metrics(resources: FromResources) -> Response[bytes]:
    """Report jobs, executors and the database's state as metrics, and the requests of this process."""
    try:
        measured = await read_metrics(resources.pool)
    except DatabaseUnavailableError as error:
        logger.warning("metrics without the database: %s", error)
        measured = None
    registry = CollectorRegistry()
    registry.register(MeasuredCollector(measured))
    text = generate_latest(registry) + generate_latest(resources.requests.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
