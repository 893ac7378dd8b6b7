"""One request to checked addresses: HTTP/1.1, TLS verified, no redirects, no proxy, every wait bounded."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import anyio
import httpcore
import msgspec

from services.notifier.describe_failure import describe_failure
from services.notifier.guard_address import Address
from services.notifier.outcome import Answered, Failed, Outcome
from services.notifier.read_retry_after import read_retry_after
from services.notifier.read_url import Target
from services.notifier.trust_authorities import trust_authorities
from shared.schema_version import CODE_VERSION

logger = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 5.0
_MOST_ADDRESSES: Final = 3
# Of an answer, only its beginning is of interest, and only if it comes at once.
_MOST_BODY_BYTES: Final = 64 * 1024
_BODY_SECONDS: Final = 2.0

_SocketOptions = Iterable[httpcore.SOCKET_OPTION]


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
    *,
    headers: Mapping[str, str],
    body: bytes,
    within_seconds: float,
) -> Outcome:
    """POST `body` as JSON; never raises for what the target does."""
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
                    "POST",
                    _wire_url(target),
                    headers=_headers(target, headers, body),
                    content=body,
                    extensions={
                        "timeout": {
                            "connect": _CONNECT_SECONDS,
                            "read": within_seconds,
                            "write": within_seconds,
                        }
                    },
                ) as response,
            ):
                answered = Answered(response.status, _retry_after(response))
                answered = msgspec.structs.replace(answered, body=await _read_beginning(response))
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


def _headers(target: Target, headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    all_headers = {
        "Host": target.authority(),
        "User-Agent": f"Howdah/{CODE_VERSION}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",  # nothing to unpack, hence nothing that unpacks to gigabytes
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    return [(name.encode(), value.encode()) for name, value in all_headers.items()]


def _retry_after(response: httpcore.Response) -> float | None:
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            return read_retry_after(value.decode("latin-1"), datetime.now(UTC))
    return None


async def _read_beginning(response: httpcore.Response) -> bytes:
    beginning = bytearray()
    with anyio.move_on_after(_BODY_SECONDS):
        async for piece in response.aiter_stream():
            beginning += piece
            if len(beginning) >= _MOST_BODY_BYTES:
                break
    return bytes(beginning[:_MOST_BODY_BYTES])
