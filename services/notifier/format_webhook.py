"""The body of the generic webhook: the event, as programs read it."""

from datetime import datetime

import msgspec

from services.notifier.describe_notice import Description
from shared.notice import Notice


def format_webhook(
    event: str, notice: Notice, description: Description, urls: dict[str, str], happened_at: datetime
) -> bytes:
    """Return the JSON body: the notice as it is, a sentence that tells it, and the addresses of pages."""
    return msgspec.json.encode(
        {
            "type": event,
            "timestamp": happened_at,
            "data": {**msgspec.structs.asdict(notice), "summary": description.summary(), "urls": urls},
        }
    )
