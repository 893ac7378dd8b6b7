"""Hand on what a process writes, as it writes it, until it has ended: bounded memory, no waiting for EOF."""

import fcntl
import os
import select
import signal
import struct
import termios
import time
from collections.abc import Awaitable, Callable

import anyio
from anyio.lowlevel import checkpoint

from services.executor.pace_reading import ReadingPace
from services.executor.spawn_process import OutputStream, SpawnedProcess

# Called with the stream, the bytes, and the time of reading (Unix, seconds). While it awaits, nothing is
# read.
OnOutput = Callable[[OutputStream, bytes, float], Awaitable[None]]

READ_BYTES = 64 * 1024
_DRAIN_SECONDS = 1.0


class Grace:
    """Lets a process that was asked to end take its group's time: see `Command.terminate`."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.active = False
        self._too_late = False

    def begin(self) -> bool:
        """From now on the leader's end does not end its group. False: too late, the group is being killed."""
        self.active = not self._too_late
        return self.active

    def over(self) -> None:
        """The leader's end, now or earlier, ends the group again."""
        self.active = False
        os.eventfd_write(self.fd, 1)

    def refuse(self) -> None:
        """The group is about to be killed."""
        self._too_late = True

    def close(self) -> None:
        """Close the descriptor; no pump may be using it."""
        os.close(self.fd)


async def pump_output(process: SpawnedProcess, on_output: OnOutput, grace: Grace | None = None) -> None:
    """Read both outputs until the process has ended; then kill its group and drain them for a second at most.

    Bytes within a stream keep their order; across the two the order is that of reading. What has outlived the
    leader and holds a pipe open ends with the group or, if it has left the group, is no longer listened to.
    What the leader itself wrote is handed on to the last byte, however slow ``on_output`` is.
    """
    streams = dict(process.outputs)
    pace = ReadingPace()
    gathered: int | None = None
    with select.epoll() as watch:
        for fd in streams:
            watch.register(fd, select.EPOLLIN)
        watch.register(process.pidfd, select.EPOLLIN)
        if grace is not None:
            watch.register(grace.fd, select.EPOLLIN)
        ended = False
        while not ended or (grace is not None and grace.active):
            ready = await _wait_ready(watch)
            counts = await _read_ready(streams, ready, watch, on_output, first=gathered)
            if process.pidfd in ready:
                ended = True
                watch.unregister(process.pidfd)
            if grace is not None and grace.fd in ready:
                watch.unregister(grace.fd)
            seconds = pace.pause_after(sum(counts.values()), time.monotonic())
            # While both speak, each is read at once: that tells their order as well as can be.
            gathered = next(iter(counts)) if len(counts) == 1 else None
            if seconds and not ended and gathered in streams:
                await _let_gather(gathered, watch, seconds)
            else:
                await checkpoint()  # a callback that never waits must not keep the event loop from others
        if grace is not None:
            grace.refuse()
        process.signal_group(signal.SIGKILL)
        await _drain(streams, watch, on_output)


async def _let_gather(stream: int, watch: select.epoll, seconds: float) -> None:
    """Wait without looking at the stream, unless something else happens: the other one's output comes after its own."""
    watch.modify(stream, 0)
    with anyio.move_on_after(seconds):
        await anyio.wait_readable(watch.fileno())
    watch.modify(stream, select.EPOLLIN)


async def _drain(streams: dict[int, OutputStream], watch: select.epoll, on_output: OnOutput) -> None:
    """Read what is left: all that is in the pipes now, and what survivors write within the next second."""
    owed = {fd: _count_waiting(fd) for fd in streams}
    deadline = time.monotonic() + _DRAIN_SECONDS
    while streams and (time.monotonic() < deadline or any(owed[fd] > 0 for fd in streams)):
        ready: set[int] = set()
        with anyio.move_on_at(anyio.current_time() + max(0.0, deadline - time.monotonic())):
            ready = await _wait_ready(watch)
        for fd, count in (await _read_ready(streams, ready, watch, on_output)).items():
            owed[fd] -= count
        await checkpoint()


async def _wait_ready(watch: select.epoll) -> set[int]:
    """The descriptors that can be read now, of which there is one at least: their epoll is waited for."""
    while not (ready := watch.poll(0)):
        await anyio.wait_readable(watch.fileno())
    return {fd for fd, _ in ready}


async def _read_ready(
    streams: dict[int, OutputStream],
    ready: set[int],
    watch: select.epoll,
    on_output: OnOutput,
    *,
    first: int | None = None,
) -> dict[int, int]:
    """Read once from each ready stream and hand it on; forget streams that end. Returns bytes of each."""
    counts: dict[int, int] = {}
    for fd in sorted((fd for fd in streams if fd in ready), key=lambda fd: fd != first):
        data = os.read(fd, READ_BYTES)
        counts[fd] = len(data)
        if data:
            await on_output(streams[fd], data, time.time())
        else:
            watch.unregister(fd)
            del streams[fd]
    return counts


def _count_waiting(fd: int) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))
    return int(count)
