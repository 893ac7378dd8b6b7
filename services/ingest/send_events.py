"""Server-sent events: their form on the wire, and the loop that every stream runs.

Source: WHATWG HTML Living Standard, "Server-sent events".
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
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

_encode = msgspec.json.Encoder().encode


class Look(msgspec.Struct, frozen=True):
    """What one bounded look found: `events` to send; `more` may be there now; `done`: nothing will come any more."""

    events: bytes = b""
    more: bool = False
    done: bool = False


def frame_event(data: object, *, event_id: object = None, name: str | None = None) -> bytes:
    """Return one event. JSON has no raw newlines, so that its data is one line."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    if name is not None:
        head += f"event: {name}\n"
    return head.encode() + b"data: " + _encode(data) + b"\n\n"


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
    is in memory at a time: the next look waits for the client.
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
        if found.events:
            yield found.events
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
        if not found.more and not stop.requested:
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
