"""A real HTTP target on loopback that answers as a test wants."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import h11
import msgspec
from anyio.abc import AnyByteStream, ByteStream, SocketAttribute
from anyio.streams.tls import TLSListener


class Received(msgspec.Struct, frozen=True):
    """One request as it arrived."""

    method: str
    resource: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Received, ByteStream], Awaitable[None]]


def respond(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    """Answer with a status."""
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return say("\r\n".join([*lines, "", ""]).encode() + body)


def say(answer: bytes) -> Answer:
    """Answer with these bytes, whether HTTP or not."""

    async def answer_so(_received: Received, stream: ByteStream) -> None:
        await stream.send(answer)

    return answer_so


async def never(_received: Received, _stream: ByteStream) -> None:
    """Do not answer."""
    await anyio.sleep_forever()


class Target:
    """What has arrived, and how to answer the next request."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.port = 0
        self._arrived = anyio.Event()

    def url(self, path: str = "/hook", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def wait_for(self, number: int) -> None:
        """Return once so many requests have arrived."""
        while len(self.received) < number:
            await self._arrived.wait()

    async def serve(self, stream: ByteStream) -> None:
        """Read one request and answer it."""
        try:
            async with stream:
                received = await _read_request(stream)
                self.received.append(received)
                self._arrived.set()
                self._arrived = anyio.Event()
                await self.answer(received, stream)
        except (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError, h11.RemoteProtocolError):
            return  # the notifier hung up, or spoke TLS where there is none


@asynccontextmanager
async def run_target(answer: Answer, *, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Target]:
    """Serve on loopback until the block ends."""
    target = Target(answer)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    target.port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - of anyio
    async with listener, anyio.create_task_group() as connections:
        if tls is None:
            connections.start_soon(listener.serve, target.serve)
        else:
            secured = _ForgivingListener(listener, tls, standard_compatible=False)
            connections.start_soon(partial(secured.serve, target.serve))
        yield target
        connections.cancel_scope.cancel()


class _ForgivingListener(TLSListener):
    """Goes on when the notifier refuses our certificate: that is what some tests are about."""

    @staticmethod
    async def handle_handshake_error(exc: BaseException, stream: AnyByteStream) -> None:  # noqa: ARG004
        await stream.aclose()


async def _read_request(stream: ByteStream) -> Received:
    parser = h11.Connection(h11.SERVER)
    request: h11.Request | None = None
    body = b""
    while True:
        match parser.next_event():
            case h11.NEED_DATA:
                parser.receive_data(await stream.receive())
            case h11.Request() as request:
                continue
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage():
                break
    assert request is not None
    headers = {name.decode(): value.decode() for name, value in request.headers}
    return Received(request.method.decode(), request.target.decode(), headers, body)
