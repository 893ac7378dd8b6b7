"""Many clients of streams at once, so cheap that they measure the server and not themselves."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketStream

from tests.service.ingest.door import Door

_PATIENCE_SECONDS = 60.0


class Listener:
    """One client, who takes the bytes of a stream as they come."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._heard = b""

    async def until(self, mark: bytes) -> bytes:
        """Return what was heard up to a mark, and not before; it is heard once."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while mark not in self._heard:
                self._heard += await self._stream.receive()
        heard, _, self._heard = self._heard.partition(mark)
        return heard + mark


@asynccontextmanager
async def gather_crowd(door: Door, path: str, count: int) -> AsyncIterator[list[Listener]]:
    """Open a stream so many times; each stands before the block begins."""
    address = urlsplit(door.url)
    request = f"GET {path} HTTP/1.1\r\nhost: howdah\r\nauthorization: Bearer {door.tokens['viewer']}\r\n\r\n"
    async with AsyncExitStack() as stack:
        crowd = []
        for _ in range(count):
            stream = await stack.enter_async_context(await anyio.connect_tcp(address.hostname or "", address.port or 0))
            await stream.send(request.encode())
            crowd.append(Listener(stream))
        for listener in crowd:
            await listener.until(b"retry: 1000")
        yield crowd
