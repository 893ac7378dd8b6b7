"""Wait for other processes' ends, without sleeping."""

import os
import select
from pathlib import Path


class WatchedProcess:
    """A process that need not be our child. Make it while the process surely lives."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)

    def has_ended(self, *, within_seconds: float = 20.0) -> bool:
        """Whether it has ended, or does so in time; to be asked once."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        ended = bool(poll.poll(within_seconds * 1000))
        os.close(self._pidfd)
        return ended


def is_running(pid: int) -> bool:
    """Whether the process lives and is not a zombie."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


def has_ended(pid: int) -> bool:
    """Whether the process has ended, or does so in time: one that was killed may take a moment to go."""
    try:
        return WatchedProcess(pid).has_ended()
    except ProcessLookupError:
        return True
