"""From a payload to a message: what is sent, and in which envelope."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from shared.jobs import PermanentError
from shared.jobs.builtin.encode_header import encode_addresses, encode_text
from shared.jobs.builtin.read_mail_address import MailAddress, check_line, read_mail_address
from shared.jobs.builtin.send_email import MOST_RECIPIENTS, Attachment, SendEmail

# Everything is encoded to ASCII, so that the server needs to know no extension.
_POLICY: Final = SMTP.clone(cte_type="7bit")
_CONTENT_TYPE: Final = re.compile(r"(?!multipart/|message/)([a-z]+)/([a-z0-9][a-z0-9.+_-]*)", re.IGNORECASE)

Read = TypeVar("Read")


class Envelope(msgspec.Struct, frozen=True):
    """A message on its way."""

    sender: str
    # Each once.
    recipients: list[str]
    message: bytes
    message_id: str

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server that knows SMTPUTF8 (RFC 6531) can take it."""
        return not all(address.isascii() for address in (self.sender, *self.recipients))


def compose_email(payload: SendEmail, *, sender: MailAddress, job_id: UUID, now: datetime | None = None) -> Envelope:
    """Write the message. Its id is the job's, so that a repetition can be recognised.

    Raises `PermanentError`, which names the field.
    """
    to, cc, bcc = _read_all("to", payload.to), _read_all("cc", payload.cc), _read_all("bcc", payload.bcc)
    reply_to = _read_all("reply_to", payload.reply_to)
    recipients = list(dict.fromkeys(address.address for address in (*to, *cc, *bcc)))
    if not 1 <= len(recipients) <= MOST_RECIPIENTS:
        raise _invalid(f"there must be 1 to {MOST_RECIPIENTS} recipients in to, cc and bcc together")
    _read("subject", check_line, payload.subject)
    message_id = f"<{job_id}@{sender.domain}>"
    headers = [
        f"Date: {format_datetime(now or datetime.now(UTC))}\r\n",
        f"Message-ID: {message_id}\r\n",
        encode_addresses("From", [sender]),
        encode_addresses("To", to) if to else "To: undisclosed-recipients:;\r\n",
        *([encode_addresses("Cc", cc)] if cc else []),
        *([encode_addresses("Reply-To", reply_to)] if reply_to else []),
        encode_text("Subject", payload.subject),
        # RFC 3834: nobody's auto-responder should answer.
        "Auto-Submitted: auto-generated\r\n",
    ]
    return Envelope(sender.address, recipients, "".join(headers).encode() + _content(payload).as_bytes(), message_id)


def _content(payload: SendEmail) -> EmailMessage:
    """Return the body and its own headers."""
    message = EmailMessage(_POLICY)
    if payload.text or not payload.html:
        message.set_content(payload.text)
    if payload.html and payload.text:
        message.add_alternative(payload.html, subtype="html")
    elif payload.html:
        message.set_content(payload.html, subtype="html")
    for place, attachment in enumerate(payload.attachments):
        _attach(message, f"attachments[{place}]", attachment)
    return message


def _attach(message: EmailMessage, field: str, attachment: Attachment) -> None:
    content_type = _CONTENT_TYPE.fullmatch(attachment.content_type)
    if content_type is None:
        raise _invalid(f"{field}.content_type: it must be like application/pdf, and neither multipart nor message")
    _read(f"{field}.filename", _check_filename, attachment.filename)
    message.add_attachment(
        attachment.content,
        maintype=content_type[1].lower(),
        subtype=content_type[2].lower(),
        filename=attachment.filename,
    )


def _check_filename(filename: str) -> None:
    check_line(filename)
    if any(part in filename for part in ("/", "\\", '"', "=?")):
        raise ValueError('a file name has no slashes, backslashes, quotation marks or "=?" in it')


def _read_all(field: str, texts: Sequence[str]) -> list[MailAddress]:
    return [_read(f"{field}[{place}]", read_mail_address, text) for place, text in enumerate(texts)]


def _read(field: str, read: Callable[[str], Read], text: str) -> Read:
    try:
        return read(text)
    except ValueError as error:
        raise _invalid(f"{field}: {error}") from None


def _invalid(why: str) -> PermanentError:
    return PermanentError(why, reason="invalid_payload")
