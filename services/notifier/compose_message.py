"""From a claimed notification to what is sent: headers and body, in the form of the channel's kind."""

import time

import msgspec

from services.notifier.describe_notice import describe_notice
from services.notifier.format_discord import format_discord
from services.notifier.format_slack import format_slack
from services.notifier.format_webhook import format_webhook
from services.notifier.queries.claim_notifications import ClaimNotificationsRow
from services.notifier.sign_webhook import sign_webhook, signing_key
from shared.errors import HowdahError
from shared.queries.models import ChannelKind


class UnsignableError(HowdahError):
    """The channel's secret is missing or unusable; nothing is sent unsigned."""


class Message(msgspec.Struct, frozen=True):
    """What is sent."""

    body: bytes
    headers: dict[str, str] = {}


def compose_message(claimed: ClaimNotificationsRow, *, page_url: str, secret: str | None) -> Message:
    """Write the message.

    Raises `UnsignableError`.
    """
    description = describe_notice(claimed.event, claimed.payload)
    match claimed.kind:
        case ChannelKind.SLACK:
            return Message(format_slack(description, page_url))
        case ChannelKind.DISCORD:
            return Message(format_discord(description, page_url, claimed.created_at))
        case ChannelKind.WEBHOOK:
            body = format_webhook(claimed.event, claimed.payload, description, page_url, claimed.created_at)
            return Message(body, _signature_headers(claimed, body, secret))


def _signature_headers(claimed: ClaimNotificationsRow, body: bytes, secret: str | None) -> dict[str, str]:
    if secret is None:
        raise UnsignableError("the channel has no secret to sign with")
    try:
        key = signing_key(secret)
    except ValueError as error:
        raise UnsignableError(f"the channel's secret: {error}") from None
    # The same in every try, so that receivers recognise repeats.
    message_id = str(claimed.notification_id)
    timestamp = int(time.time())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign_webhook(key, message_id=message_id, timestamp=timestamp, body=body),
    }
