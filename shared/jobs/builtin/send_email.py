"""The handler `send_email`: one message, handed in at the operator's SMTP server."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from shared.jobs import JobContext, handler

MOST_RECIPIENTS: Final = 100
# The whole conversation with the server.
MOST_SECONDS: Final = 120

Address = Annotated[str, Meta(min_length=3, max_length=500)]
Addresses = Annotated[list[Address], Meta(max_length=MOST_RECIPIENTS)]


class Attachment(Struct, frozen=True, forbid_unknown_fields=True):
    """A file."""

    filename: Annotated[str, Meta(min_length=1, max_length=200)]
    # Base64 in the payload, whose own limit is the narrower one.
    content: Annotated[bytes, Meta(max_length=1024 * 1024)]
    content_type: Annotated[str, Meta(max_length=100)] = "application/octet-stream"


class SendEmail(Struct, frozen=True, forbid_unknown_fields=True):
    """What to send, and to whom. Addresses are like `ada@example.org` or `Ada Lovelace <ada@example.org>`."""

    subject: Annotated[str, Meta(max_length=900)]
    # At least one recipient, and no more than 100 together.
    to: Addresses = []
    cc: Addresses = []
    bcc: Addresses = []
    reply_to: Annotated[list[Address], Meta(max_length=10)] = []
    # At least one of the two.
    text: str = ""
    html: str = ""
    attachments: Annotated[list[Attachment], Meta(max_length=50)] = []


class Sent(Struct, frozen=True):
    """What the server took."""

    message_id: str
    accepted: list[str]
    # The recipients that it refused for good, and what it said.
    refused: dict[str, str]


@handler("send_email", timeout=MOST_SECONDS + 30)
async def send_email(payload: SendEmail, context: JobContext) -> Sent:
    """Send an e-mail through the operator's SMTP server (HOWDAH_SMTP_URL, HOWDAH_SMTP_FROM)."""
    from shared.jobs.builtin.hand_in_email import hand_in_email  # noqa: PLC0415 - takes long to import

    return await hand_in_email(payload, context)
