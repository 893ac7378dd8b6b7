"""One request to checked addresses: HTTP/1.1, TLS verified, no redirects, no proxy, every wait bounded."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import anyio
import httpcore
import msgspec

from shared.outgoing.describe_failure import describe_failure
from shared.outgoing.guard_address import Address
from shared.outgoing.outcome import Answered, Failed, Outcome
from shared.outgoing.read_retry_after import read_retry_after
from shared.outgoing.read_url import Target
from shared.outgoing.trust_authorities import trust_authorities
from shared.version import CODE_VERSION

logger = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 5.0
_MOST_ADDRESSES: Final = 3
# What follows from the target and the connection, and is not the caller's to say.
_OURS: Final = frozenset({"host", "content-length", "connection"})
# Without a body, these say so (RFC 9110, section 8.6).
_EXPECT_BODY: Final = frozenset({"POST", "PUT", "PATCH"})

_SocketOptions = Iterable[httpcore.SOCKET_OPTION]


class Request(msgspec.Struct, frozen=True):
    """What is sent, and how much of the answer is of interest."""

    body: bytes = b""
    # They go before ours, whatever their case, except for those that the connection needs.
    headers: Mapping[str, str] = {}
    method: str = "POST"
    # Of the answer's body: how much is kept, and how long it is waited for.
    most_body_bytes: int = 64 * 1024
    body_seconds: float = 2.0


class _CheckedAddresses(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, whatever the name means by now; Host and SNI keep the name."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses[:_MOST_ADDRESSES]
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the point of this class
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: _SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers."""
        *others, last = map(str, self._addresses)
        for address in others:
            try:
                return await self._tcp.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._tcp.connect_tcp(last, port, timeout, local_address, socket_options)


async def send_request(
    target: Target,
    addresses: Sequence[Address],
    request: Request,
    *,
    within_seconds: float,
) -> Outcome:
    """Send once; never raises for what the target does."""
    answered: Answered | None = None
    try:
        with anyio.move_on_after(within_seconds):
            async with (
                httpcore.AsyncHTTPConnection(
                    httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port),
                    ssl_context=trust_authorities() if target.scheme == "https" else None,
                    network_backend=_CheckedAddresses(addresses),
                ) as connection,
                connection.stream(
                    request.method,
                    _wire_url(target),
                    headers=_headers(target, request),
                    content=request.body or None,
                    extensions={
                        "timeout": {
                            "connect": _CONNECT_SECONDS,
                            "read": within_seconds,
                            "write": within_seconds,
                        }
                    },
                ) as response,
            ):
                headers = tuple(_decoded(response.headers))
                answered = Answered(response.status, _retry_after(headers), headers=headers)
                body, complete = await _read_beginning(response, request)
                answered = msgspec.structs.replace(answered, body=body, complete=complete)
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
        return answered or Failed(describe_failure(error))
    except Exception as error:  # noqa: BLE001 - a hostile target must not end the process through a fault in a library
        logger.error("sending failed in a way that we do not know: %s", type(error).__name__)  # noqa: TRY400 - no texts
        return answered or Failed(f"sending failed: {type(error).__name__}")
    return answered or Failed(f"no answer within {within_seconds:.0f} s")


def _wire_url(target: Target) -> httpcore.URL:
    return httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.resource.encode(),
    )


def _headers(target: Target, request: Request) -> list[tuple[bytes, bytes]]:
    headers = {
        "host": target.authority(),
        "user-agent": f"Howdah/{CODE_VERSION}",
        "accept": "*/*",
        "accept-encoding": "identity",  # nothing to unpack, hence nothing that unpacks to gigabytes
    }
    headers |= {name.lower(): value for name, value in request.headers.items() if name.lower() not in _OURS}
    headers["connection"] = "close"
    if request.body or request.method in _EXPECT_BODY:
        headers["content-length"] = str(len(request.body))
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        yield name.decode("latin-1").lower(), value.decode("latin-1")


def _retry_after(headers: Iterable[tuple[str, str]]) -> float | None:
    value = next((value for name, value in headers if name == "retry-after"), None)
    return None if value is None else read_retry_after(value, datetime.now(UTC))


async def _read_beginning(response: httpcore.Response, request: Request) -> tuple[bytes, bool]:
    """Return the body's beginning, and whether that is all of it."""
    beginning = bytearray()
    complete = False
    with anyio.move_on_after(request.body_seconds):
        async for piece in response.aiter_stream():
            beginning += piece
            if len(beginning) > request.most_body_bytes:
                break
        else:
            complete = True
    return bytes(beginning[: request.most_body_bytes]), complete
