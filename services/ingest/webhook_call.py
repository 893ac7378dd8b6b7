"""A webhook call as it arrived, and which of the two ways of signing it uses."""

from typing import Any, Final

import msgspec
from litestar import Request

from services.ingest.verify_signature import StandardHeaders

# As GitHub sends it, a string; as Standard Webhooks says, three headers.
Signature = str | StandardHeaders | None

_HEADER_LENGTH: Final = 100


class Call(msgspec.Struct, frozen=True):
    """What arrived, before anything of it is believed."""

    source: str
    event: str
    forge_delivery_id: str | None
    remote_address: str
    body: bytes


async def read_call(request: Request[Any, Any, Any]) -> tuple[Call, Signature]:
    """Read the body, as far as it may be long, and the headers that matter. Raises Litestar's 413."""
    headers = request.headers
    body = await request.body()
    client = request.scope["client"]
    address = client[0] if client else ""
    if "x-github-event" in headers or "x-hub-signature-256" in headers:
        event = headers.get("x-github-event", "")[:_HEADER_LENGTH]
        delivery_id = headers.get("x-github-delivery", "")[:_HEADER_LENGTH] or None
        return Call("github", event, delivery_id, address, body), headers.get("x-hub-signature-256")
    message_id = headers.get("webhook-id")
    signature = StandardHeaders(message_id, headers.get("webhook-timestamp"), headers.get("webhook-signature"))
    return Call("generic", "push", (message_id or "")[:_HEADER_LENGTH] or None, address, body), signature
