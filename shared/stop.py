"""Ending in good order: the first SIGTERM or SIGINT asks to stop, the second to leave now."""

import logging
import signal

import anyio

logger = logging.getLogger(__name__)


class Stop:
    """Whether, and how urgently, this process has been asked to end."""

    def __init__(self) -> None:
        self._requested = anyio.Event()
        self._urgent = anyio.Event()

    @property
    def requested(self) -> bool:
        """Whether to take on nothing new."""
        return self._requested.is_set()

    @property
    def urgent(self) -> bool:
        """Whether to leave at once."""
        return self._urgent.is_set()

    def request(self) -> None:
        """Ask to stop; ask again to leave at once."""
        if self._requested.is_set():
            self._urgent.set()
        self._requested.set()

    def request_urgently(self) -> None:
        """Ask to leave at once."""
        self._requested.set()
        self._urgent.set()

    async def wait_requested(self) -> None:
        """Return once asked to stop."""
        await self._requested.wait()

    async def wait_urgent(self) -> None:
        """Return once asked to leave at once."""
        await self._urgent.wait()


async def watch_signals(stop: Stop) -> None:
    """Turn SIGTERM and SIGINT into requests to stop, for as long as it runs."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            logger.info("received %s", signal.Signals(number).name)
            stop.request()
