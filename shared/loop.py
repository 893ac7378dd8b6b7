"""The one loop that every duty of every service runs in.

A step does one bounded transaction and returns how many seconds may pass before it looks again: 0 means that there
is more to do. A bell ends the wait early. Losing every ring makes the system slower, never wrong.
"""

import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import anyio

from shared.errors import DatabaseUnavailableError
from shared.stop import Stop

logger = logging.getLogger(__name__)

Step = Callable[[], Awaitable[float]]

_BACKOFF_FIRST_SECONDS: Final = 0.1
_BACKOFF_MOST_SECONDS: Final = 5.0


class Ringable(Protocol):
    """What a notification reaches: most often a bell, to which they are all the same."""

    def ring(self, about: str = "", /) -> None:
        """Take note that there is something to do; what about, if that is said."""


class Bell:
    """Something that wakes one loop. A ring while the loop is busy is kept for its next wait."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self, _about: str = "", /) -> None:
        """Wake the loop, now or as soon as it would wait."""
        self._event.set()

    def hush(self) -> None:
        """Forget earlier rings. Called before looking, so that a ring during the look is not lost."""
        if self._event.is_set():
            self._event = anyio.Event()

    async def wait(self, seconds: float) -> None:
        """Return when rung, at the latest after `seconds`."""
        with anyio.move_on_after(seconds):
            await self._event.wait()


def jittered(seconds: float) -> float:
    """Return `seconds` give or take a fifth, so that replicas do not keep step."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - not for secrets


async def run_loop(name: str, step: Step, *, bell: Bell, stop: Stop) -> None:
    """Run `step` until asked to stop. An absent database is waited for; any other error escapes."""
    failures = 0
    async with anyio.create_task_group() as tasks:

        async def ring_when_stopped() -> None:
            await stop.wait_requested()
            bell.ring()

        tasks.start_soon(ring_when_stopped)
        while not stop.requested:
            bell.hush()
            try:
                seconds = await step()
            except DatabaseUnavailableError as error:
                failures += 1
                seconds = backoff_seconds(failures)
                logger.warning("%s: the database does not answer; next try in %.1f s: %s", name, seconds, error)
            else:
                if failures:
                    logger.info("%s: the database answers again", name)
                failures = 0
            if seconds > 0 and not stop.requested:
                await bell.wait(seconds)
        tasks.cancel_scope.cancel()


def backoff_seconds(failures: int) -> float:
    """Return how long to wait after the given number of failures in a row: exponential, with full jitter above a floor.

    After M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    ceiling = min(_BACKOFF_MOST_SECONDS, _BACKOFF_FIRST_SECONDS * 2 ** min(failures, 16))
    return random.uniform(_BACKOFF_FIRST_SECONDS, ceiling)  # noqa: S311 - not for secrets
