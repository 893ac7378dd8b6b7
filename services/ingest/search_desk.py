"""How many search logs at once on a replica, and the threads in which they do: so that everybody else is served."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from services.ingest.problem_details import Problem

T = TypeVar("T")

# Each holds a few blocks in memory, and uses a processor while it reads them.
_AT_ONCE: Final = 2
_WAITING: Final = 20
_PATIENCE_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 5


class SearchDesk:
    """Admits searches, first come, first served."""

    def __init__(self) -> None:
        self._searches = CapacityLimiter(_AT_ONCE)
        self._threads = CapacityLimiter(_AT_ONCE)

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Wait for one's turn. Raises `Problem` where too many wait, or it takes too long."""
        if self._searches.statistics().tasks_waiting >= _WAITING:
            raise _busy()
        # A borrower of its own: one request may search twice.
        borrower = object()
        with anyio.move_on_after(_PATIENCE_SECONDS) as scope:
            await self._searches.acquire_on_behalf_of(borrower)
        if scope.cancelled_caught:
            raise _busy()
        try:
            yield
        finally:
            self._searches.release_on_behalf_of(borrower)

    async def work(self, function: Callable[[], T]) -> T:
        """Call a function in a thread."""
        return await to_thread.run_sync(function, limiter=self._threads)


def _busy() -> Problem:
    return Problem(
        503,
        "busy",
        "Too many search the logs at the same time: search again a little later.",
        headers={"Retry-After": str(_RETRY_SECONDS)},
    )
