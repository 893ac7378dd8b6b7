"""A lock on a file: one holder at a time in this process, and among the processes of this machine."""

import fcntl
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import anyio

_local: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()


@asynccontextmanager
async def hold_lock(path: Path) -> AsyncIterator[None]:
    """Hold the lock ``path``, a file that is made when missing and never removed; the loop is not blocked.

    Within the process an event-loop lock hands it on in order; flock(2) keeps other processes out, and the
    kernel frees it when its holder dies.
    """
    local = _local.setdefault(str(path), anyio.Lock(fast_acquire=True))
    async with local:
        fd = _open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            fd = await _wait_for_lock(path)
        try:
            yield
        finally:
            os.close(fd)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


async def _wait_for_lock(path: Path) -> int:
    """Block in a thread until another process lets go; if we are interrupted meanwhile, the thread lets go.

    A daemon thread of our own, not one of anyio's, so that it never delays the end of the process.
    """
    done = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    guard = threading.Lock()
    outcome: list[int | OSError] = []
    abandoned = False

    def block() -> None:
        fd = _open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:
            os.close(fd)
            with guard:
                outcome.append(error)
        else:
            with guard:
                outcome.append(fd)
        with guard:
            if not abandoned:
                os.eventfd_write(done, 1)
            elif isinstance(outcome[0], int):
                os.close(outcome[0])

    threading.Thread(target=block, name=f"flock {path.name}", daemon=True).start()
    try:
        await anyio.wait_readable(done)
    except BaseException:
        with guard:
            abandoned = True
            # Already got, but the answer came too late for us: the thread will not look again.
            if outcome and isinstance(outcome[0], int) and _was_told(done):
                os.close(outcome[0])
        raise
    finally:
        os.close(done)
    (result,) = outcome
    if isinstance(result, OSError):
        raise result
    return result


def _was_told(done: int) -> bool:
    try:
        return os.eventfd_read(done) > 0
    except BlockingIOError:
        return False
