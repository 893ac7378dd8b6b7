"""Server-sent events: their form on the wire, and the loop that every stream runs.

Source: WHATWG HTML Living Standard, "Server-sent events".
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import anyio
import msgspec
from litestar.response import Stream

from shared.errors import DatabaseUnavailableError
from shared.loop import Bell, backoff_seconds
from shared.stop import Stop

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 15.0

# Clients come back after a second; something is sent at once, so that they see the stream stand.
_OPENING: Final = b"retry: 1000\n\n"
_HEARTBEAT: Final = b":\n\n"

# The data of an event. JSON has no raw newlines, so that it is one line.
encode = msgspec.json.Encoder().encode

# What one look finds, and one client may cost in memory beside what its socket buffers.
PORTION_BYTES: Final = 128 * 1024

# What is handed to the server at once: it holds no more than this for a client who does not read.
_PIECE_BYTES: Final = 64 * 1024


class Look(msgspec.Struct, frozen=True):
    """What one bounded look found: `events` to send; `more` may be there now; `done`: nothing will come any more."""

    events: bytes = b""
    more: bool = False
    done: bool = False


def frame_event(data: object, *, event_id: object = None, name: str | None = None) -> bytes:
    """Return one event."""
    return frame(encode(data), event_id=event_id, name=name)


def frame(data: bytes, *, event_id: object = None, name: str | None = None) -> bytes:
    """Return one event, whose data is encoded already."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    if name is not None:
        head += f"event: {name}\n"
    return b"%bdata: %b\n\n" % (head.encode(), data)


def frame_id(event_id: object) -> bytes:
    """Return what tells nothing, but from where to go on: a client keeps the id, and hears no event."""
    return f"id: {event_id}\n\n".encode()


def take_portion(events: Sequence[bytes], most_bytes: int) -> tuple[int, int]:
    """Return how many of the events, at least one, are sent together, and their bytes."""
    size = 0
    for count, event in enumerate(events):
        size += len(event)
        if size >= most_bytes:
            return count + 1, size
    return len(events), size


async def follow(
    look: Callable[[], Awaitable[Look]],
    *,
    bell: Bell,
    watching: AbstractContextManager[None],
    stop: Stop,
    still_allowed: Callable[[], Awaitable[bool]],
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> AsyncIterator[bytes]:
    """Yield what `look` finds, whenever the bell rings; end when all is done, or the process is asked to stop.

    `watching` makes the bell ring, for as long as the stream lasts. An absent database is waited for. One bounded page
    is in memory at a time, and it goes out in pieces: the next one waits for the client.
    """
    yield _OPENING
    with watching:
        async for events in _repeat(
            look, bell=bell, stop=stop, still_allowed=still_allowed, heartbeat_seconds=heartbeat_seconds
        ):
            yield events


async def _repeat(
    look: Callable[[], Awaitable[Look]],
    *,
    bell: Bell,
    stop: Stop,
    still_allowed: Callable[[], Awaitable[bool]],
    heartbeat_seconds: float,
) -> AsyncIterator[bytes]:
    failures = 0
    sent_at = checked_at = anyio.current_time()
    while not stop.requested:
        bell.hush()
        try:
            found = await look()
            failures = 0
        except DatabaseUnavailableError as error:
            failures += 1
            logger.warning("a stream waits for the database: %s", error)
            found = Look()
        for start in range(0, len(found.events), _PIECE_BYTES):
            yield found.events[start : start + _PIECE_BYTES]
            sent_at = anyio.current_time()
        if found.done:
            return
        if anyio.current_time() - checked_at >= heartbeat_seconds:
            if not await _is_allowed(still_allowed):
                return
            checked_at = anyio.current_time()
            if checked_at - sent_at >= heartbeat_seconds:
                yield _HEARTBEAT
                sent_at = checked_at
        if found.more:
            # Neither a look at what is in memory nor a client who reads fast lets others have their turn by itself.
            await anyio.lowlevel.checkpoint()
        elif not stop.requested:
            until_check = max(0.0, checked_at + heartbeat_seconds - anyio.current_time())
            await bell.wait(min(until_check, backoff_seconds(failures)) if failures else until_check)


async def _is_allowed(still_allowed: Callable[[], Awaitable[bool]]) -> bool:
    """Whether the stream may go on; an absent database revokes nothing."""
    try:
        return await still_allowed()
    except DatabaseUnavailableError:
        return True


def event_stream(source: AsyncIterator[bytes]) -> Stream:
    """Return the response; no proxy may keep events back, or keep them at all."""
    return Stream(
        source,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
