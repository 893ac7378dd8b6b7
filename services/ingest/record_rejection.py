"""Keep a note of a call that was turned away, for whoever sets the webhook up: no body, and not without bounds."""

from typing import Final

from services.ingest.find_webhook_target import WebhookTarget
from services.ingest.queries.receive_webhook import reject_delivery
from services.ingest.resources import Resources
from services.ingest.webhook_call import Call
from shared.db import query
from shared.ids import DeliveryId, new_id

KEPT: Final = 100


async def record_rejection(resources: Resources, target: WebhookTarget, call: Call, reason: str) -> None:
    """Record the call, unless too many were of late. Raises `DatabaseUnavailableError`."""
    if not resources.rejections.take():
        return
    await query(
        resources.pool,
        lambda connection: reject_delivery(
            connection,
            delivery_id=DeliveryId(new_id()),
            pipeline_id=target.pipeline_id,
            source=call.source,
            delivery_event=call.event,
            forge_delivery_id=call.forge_delivery_id,
            reason=reason,
            remote_address=call.remote_address,
            kept=KEPT - 1,
        ),
    )
