"""Real SMTP servers on loopback: one that takes messages, or refuses them as a test wants, and one without manners."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

import anyio
import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

USER, PASSWORD = "ci", "s3cret p@ss"


class Taken(msgspec.Struct, frozen=True):
    """A message that the server took."""

    sender: str
    recipients: list[str]
    options: list[str]
    content: bytes

    def read(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        return message


class MailServer:
    """What has been taken, and what to refuse; aiosmtpd calls its methods."""

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[Taken] = []
        self.greeted_as = ""
        self.encrypted = False
        self.log_ins: list[bool] = []
        # Recipients, and what to say of them.
        self.refused: dict[str, str] = {}
        self.answer_to_sender = "250 OK"
        self.answer_to_message = "250 OK"

    def url(self, options: str = "starttls=never", *, scheme: str = "smtp", login: str = "") -> str:
        return f"{scheme}://{login}localhost:{self.port}" + (f"?{options}" if options else "")

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        self.log_ins.append(right)
        message = None if right else f"535 5.7.8 {data.password.decode()} is wrong"
        return AuthResult(success=right, handled=False, message=message)

    async def handle_EHLO(  # noqa: N802 - of aiosmtpd
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = self.greeted_as = hostname
        self.encrypted = session.ssl is not None
        return responses

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer_to_sender.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.answer_to_sender

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer_to_message.startswith("2"):
            assert isinstance(envelope.content, bytes)
            assert envelope.mail_from is not None
            self.taken.append(
                Taken(envelope.mail_from, [*envelope.rcpt_tos], [*envelope.mail_options], envelope.content)
            )
        return self.answer_to_message


@asynccontextmanager
async def run_mail_server(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    needs_log_in: bool = False,
    knows_utf8: bool = True,
) -> AsyncIterator[MailServer]:
    """Serve on loopback until the block ends."""
    server = MailServer()
    loop = asyncio.get_running_loop()

    def make() -> SMTP:
        with warnings.catch_warnings():
            # Some tests want just that; and it cannot know of TLS from the start.
            warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
            return SMTP(
                server,
                loop=loop,
                hostname="mail.example.org",
                enable_SMTPUTF8=knows_utf8,
                tls_context=starttls,
                require_starttls=starttls is not None,
                auth_required=needs_log_in,
                auth_require_tls=False,
                authenticator=server.authenticate,
            )

    listener = await loop.create_server(make, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


class RudeServer:
    """What has arrived, line by line."""

    def __init__(self, answers: Iterator[bytes]) -> None:
        self.port = 0
        self.received: list[bytes] = []
        self._answers = answers
        self._arrived = anyio.Event()
        # The other side did, before we had said all.
        self.hung_up = anyio.Event()

    async def wait_for(self, number: int) -> None:
        """Return once so many lines have arrived."""
        while len(self.received) < number:
            await self._arrived.wait()

    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?starttls=never"

    async def serve(self, stream: ByteStream) -> None:
        """Say the next of the answers to every line, nothing where it is empty, and hang up after the last one."""
        async with stream:
            lines = BufferedByteReceiveStream(stream)
            for answer in self._answers:
                try:
                    if answer:
                        await stream.send(answer)
                    self.received.append(await lines.receive_until(b"\r\n", 1024 * 1024))
                except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.EndOfStream):
                    self.hung_up.set()
                    return
                self._arrived.set()
                self._arrived = anyio.Event()


@asynccontextmanager
async def run_rude_server(*answers: bytes) -> AsyncIterator[RudeServer]:
    """Say these, whatever comes, until the block ends."""
    server = RudeServer(iter(answers))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    server.port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - of anyio
    async with listener, anyio.create_task_group() as connections:
        connections.start_soon(listener.serve, server.serve)
        yield server
        connections.cancel_scope.cancel()
