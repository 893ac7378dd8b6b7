"""One conversation with an SMTP server (RFC 5321): a message is handed in, or it is said who was refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
import msgspec
from aiosmtplib import SMTP, SMTPException, SMTPNotSupported, SMTPRecipientRefused

from shared.jobs.builtin.compose_email import Envelope
from shared.jobs.builtin.read_smtp_url import SmtpServer
from shared.outgoing.trust_authorities import trust_authorities

_GOODBYE_SECONDS: Final = 2.0
_CLOSING: Final = 421


class Refusal(msgspec.Struct, frozen=True):
    """What the server said of a recipient."""

    code: int
    words: str

    @property
    def for_now(self) -> bool:
        """Whether it may take the recipient later."""
        return self.code < 500


class HandedIn(msgspec.Struct, frozen=True):
    """How the conversation ended."""

    sent: bool
    refused: dict[str, Refusal]


async def converse_smtp(
    server: SmtpServer, envelope: Envelope, *, last_chance: bool, within_seconds: float
) -> HandedIn:
    """Hand the message in.

    Unless it is the last chance, nothing is sent when a recipient is refused for now: those who were taken would get
    the message again with every further try. Nothing is sent, either, when all are refused.
    Raises what aiosmtplib and the network raise, `TimeoutError` included.
    """
    with anyio.fail_after(within_seconds):
        async with _connected(server, within_seconds) as client:
            await _introduce(client, server)
            await _begin(client, envelope)
            refused = await _name_recipients(client, envelope)
            hold_back = not last_chance and any(refusal.for_now for refusal in refused.values())
            sent = not hold_back and len(refused) < len(envelope.recipients)
            if sent:
                await client.data(envelope.message)
            # The message has been taken: nothing that follows may have it sent again.
            with anyio.move_on_after(_GOODBYE_SECONDS), suppress(SMTPException, OSError):
                await client.quit()
            return HandedIn(sent, refused)


@asynccontextmanager
async def _connected(server: SmtpServer, within_seconds: float) -> AsyncIterator[SMTP]:
    client = SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname=server.helo,
        use_tls=server.tls == "implicit",
        start_tls=False,
        tls_context=None if server.tls == "never" else trust_authorities(),
        timeout=within_seconds,
    )
    try:
        await client.connect()
        yield client
    finally:
        client.close()


async def _introduce(client: SMTP, server: SmtpServer) -> None:
    await client.ehlo()
    if server.tls in {"required", "optional"}:
        if client.supports_extension("starttls"):
            await client.starttls()
            await client.ehlo()
        elif server.tls == "required":
            raise SMTPNotSupported("it offers no STARTTLS; HOWDAH_SMTP_URL can do without: ?starttls=optional or never")
    if server.user is not None:
        await client.login(server.user, server.password or "")


async def _begin(client: SMTP, envelope: Envelope) -> None:
    options = [f"SIZE={len(envelope.message)}"] if client.supports_extension("size") else []
    if envelope.needs_utf8:
        if not client.supports_extension("smtputf8"):
            raise SMTPNotSupported("it knows no addresses beyond ASCII (SMTPUTF8)")
        options += ["SMTPUTF8", "BODY=8BITMIME"]
    await client.mail(envelope.sender, options=options, encoding="utf-8")


async def _name_recipients(client: SMTP, envelope: Envelope) -> dict[str, Refusal]:
    refused: dict[str, Refusal] = {}
    for recipient in envelope.recipients:
        try:
            await client.rcpt(recipient, encoding="utf-8")
        except SMTPRecipientRefused as error:
            if error.code == _CLOSING:
                raise
            refused[recipient] = Refusal(error.code, error.message)
    return refused
