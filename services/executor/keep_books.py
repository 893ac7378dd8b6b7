"""Who may look at the books: claims beside each other, a comparison alone.

A job that has been claimed while its answer is on the way must not be taken for one whose answer was lost.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class Books:
    """A lock that many claims share, and that a comparison of the books with what is held has alone."""

    def __init__(self) -> None:
        self._claims = 0
        self._comparing = False
        self._changed = anyio.Event()

    @asynccontextmanager
    async def claiming(self) -> AsyncIterator[None]:
        """Hold it for a claim; waits while somebody compares, or waits to."""
        while self._comparing:
            await self._changed.wait()
        self._claims += 1
        try:
            yield
        finally:
            self._claims -= 1
            self._tell()

    @asynccontextmanager
    async def comparing(self, patience_seconds: float) -> AsyncIterator[None]:
        """Hold it alone, as soon as the claims that are under way have ended. One caller at a time.

        Raises `TimeoutError` when they have not within `patience_seconds`.
        """
        if self._comparing:
            raise RuntimeError("the books are being compared already")
        self._comparing = True
        try:
            with anyio.fail_after(patience_seconds):
                while self._claims:
                    await self._changed.wait()
            yield
        finally:
            self._comparing = False
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
