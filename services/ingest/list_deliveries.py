"""`GET /api/v1/pipelines/{pipeline}/deliveries`: what webhooks sent, and what became of it."""

import msgspec
from litestar import get

from services.ingest.authenticate import require_developer
from services.ingest.manage_pipelines import PipelineInPath, find_pipeline
from services.ingest.page_cursor import DEFAULT_LIMIT, NEWEST, Cursor, Limit, TimeKey, read_cursor, write_cursor
from services.ingest.problem_details import problem_responses
from services.ingest.queries.receive_webhook import ListDeliveriesRow
from services.ingest.queries.receive_webhook import list_deliveries as read_deliveries
from services.ingest.resources import FromResources
from shared.db import query
from shared.ids import DeliveryId


class DeliveryPage(msgspec.Struct, frozen=True):
    """Deliveries, newest first. Of rejected ones, the newest hundred or so are kept."""

    deliveries: list[ListDeliveriesRow]
    next: str | None


@get(
    "/pipelines/{pipeline:str}/deliveries",
    guards=[require_developer],
    tags=["pipelines"],
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def list_deliveries(
    pipeline: PipelineInPath, resources: FromResources, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> DeliveryPage:
    """List what the pipeline's webhook received, also what was turned away, and why."""
    before = NEWEST if cursor is None else read_cursor(cursor, TimeKey)
    found_pipeline = await find_pipeline(resources, pipeline)
    found = await query(
        resources.pool,
        lambda connection: read_deliveries(
            connection,
            pipeline_id=found_pipeline.pipeline_id,
            before_received_at=before.at,
            before_delivery_id=DeliveryId(before.row_id),
            max_rows=limit + 1,
        ),
    )
    last = found[limit - 1] if len(found) > limit else None
    return DeliveryPage(found[:limit], write_cursor(TimeKey(last.received_at, last.delivery_id)) if last else None)
