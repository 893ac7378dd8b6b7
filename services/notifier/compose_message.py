"""From a claimed notification to what is sent: headers and body, in the form of the channel's kind."""

import time
from collections.abc import Callable

import msgspec

from services.notifier.describe_notice import describe_notice
from services.notifier.format_discord import format_discord
from services.notifier.format_slack import format_slack
from services.notifier.format_webhook import format_webhook
from services.notifier.link_lines import link_lines
from services.notifier.queries.claim_notifications import ClaimNotificationsRow
from shared.errors import HowdahError
from shared.queries.models import ChannelKind
from shared.sign_webhook import sign_webhook, signing_key


class UnsignableError(HowdahError):
    """The channel's secret is missing or unusable; nothing is sent unsigned."""


class Message(msgspec.Struct, frozen=True):
    """What is sent."""

    body: bytes
    headers: dict[str, str] = {}


def compose_message(claimed: ClaimNotificationsRow, *, page_url: Callable[[str], str], secret: str | None) -> Message:
    """Write the message. `page_url` makes the address of a page from its path.

    Raises `UnsignableError`.
    """
    notice = claimed.payload
    description = describe_notice(claimed.event, notice)
    urls = {"run": page_url(f"runs/{notice.run_id}")}
    if notice.job is not None:
        urls["job"] = page_url(f"jobs/{notice.job.id}")
    lines = link_lines(notice, page_url)
    if lines:
        urls["failing_line"] = lines[0].url
    match claimed.kind:
        case ChannelKind.SLACK:
            return Message(format_slack(description, _most_telling(urls), lines))
        case ChannelKind.DISCORD:
            return Message(format_discord(description, _most_telling(urls), lines, claimed.created_at))
        case ChannelKind.WEBHOOK:
            body = format_webhook(claimed.event, notice, description, urls, claimed.created_at)
            return Message(body, _signature_headers(claimed, body, secret))


def _most_telling(urls: dict[str, str]) -> str:
    """Return the page that a person wants to see first: of a failed job, its log."""
    return urls.get("job", urls["run"])


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
        "webhook-signature": sign_webhook(key, message_id=message_id, timestamp=str(timestamp), body=body),
    }
