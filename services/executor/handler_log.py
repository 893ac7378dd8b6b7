"""What handlers print goes to the executor's log: line by line, and no more of it than a log can take."""

import logging
import os
import time
from contextlib import suppress
from typing import Final

import anyio

logger = logging.getLogger(__name__)

_READ_BYTES: Final = 256 * 1024
_LINE_BYTES: Final = 4096
_BUDGET_BYTES: Final = 64 * 1024
_BUDGET_SECONDS: Final = 1.0
# Between two reads of a handler that prints more than is kept: it is slowed down, not we.
_PAUSE_SECONDS: Final = 0.002


class LineLog:
    """Cuts what one handler process prints into lines. At most 64 KiB a second are logged; the rest is counted."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._line = bytearray()
        self._window_began = 0.0
        self._used = 0
        self._dropped = 0

    def feed(self, data: bytes, now: float) -> bool:
        """Take what was read at the time ``now`` (seconds). False: not all of it was kept."""
        if now - self._window_began >= _BUDGET_SECONDS:
            self._tell_dropped()
            self._window_began, self._used = now, 0
        kept = data[: max(0, _BUDGET_BYTES - self._used)]
        self._used += len(kept)
        self._dropped += len(data) - len(kept)
        self._line += kept
        *lines, rest = self._line.split(b"\n")
        for line in lines:
            self._write(line)
        while len(rest) > _LINE_BYTES:
            self._write(rest[:_LINE_BYTES])
            rest = rest[_LINE_BYTES:]
        self._line = rest
        return len(kept) == len(data)

    def finish(self) -> None:
        """Log what is left: nothing will be fed any more."""
        self._write(self._line)
        self._line = bytearray()
        self._tell_dropped()

    def _write(self, line: bytearray) -> None:
        if line:
            text = bytes(line[:_LINE_BYTES]).decode(errors="replace").rstrip()
            logger.info("%s", text, extra={"handler_pid": self._pid})

    def _tell_dropped(self) -> None:
        if self._dropped:
            logger.warning(
                "handlers print too much: %d bytes were dropped", self._dropped, extra={"handler_pid": self._pid}
            )
            self._dropped = 0


async def pump_log(fd: int, log: LineLog) -> None:
    """Read what is printed until nobody is left who could print."""
    while True:
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            await anyio.wait_readable(fd)
            continue
        if not data:
            return
        all_kept = log.feed(data, time.monotonic())
        await anyio.sleep(0 if all_kept else _PAUSE_SECONDS)


def drain_log(fd: int, log: LineLog) -> None:
    """Read what is in the pipe now, the last words of a process that has ended; once."""
    with suppress(BlockingIOError):
        log.feed(os.read(fd, _READ_BYTES), time.monotonic())
    log.finish()
