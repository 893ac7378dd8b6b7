"""A client of event streams: what a browser's EventSource does, without its patience."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import msgspec

from tests.service.ingest.door import Door

_PATIENCE_SECONDS = 20.0


class Heard(msgspec.Struct, frozen=True):
    """One event."""

    event_id: str | None
    name: str
    data: Any


class Ears:
    """Takes events from an open stream, one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = _lines(response)
        self.last_id: str | None = None

    async def next(self) -> Heard | None:
        """Return the next event; None when the stream has ended."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            fields: dict[str, str] = {}
            async for line in self._lines:
                if line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                    continue
                if "data" in fields:
                    self.last_id = fields.get("id", self.last_id)
                    return Heard(fields.get("id"), fields.get("event", "message"), json.loads(fields["data"]))
                fields = {}
            return None

    async def take(self, count: int) -> list[Heard]:
        """Return so many events."""
        return [heard for _ in range(count) if (heard := await self.next()) is not None]

    async def rest(self) -> list[Heard]:
        """Return all events up to the stream's end."""
        found = []
        while (heard := await self.next()) is not None:
            found.append(heard)
        return found


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """Yield lines as event streams have them: httpx would end some at separators that are text here."""
    rest = b""
    async for data in response.aiter_bytes():
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode()


@asynccontextmanager
async def listen(door: Door, path: str, *, last_id: str | None = None) -> AsyncIterator[Ears]:
    """Open a stream; with the id of the last event that was heard, it goes on from there."""
    headers = {} if last_id is None else {"last-event-id": last_id}
    async with door.client(**headers) as client, client.stream("GET", path) as response:
        if response.status_code != 200:
            await response.aread()
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Ears(response)
