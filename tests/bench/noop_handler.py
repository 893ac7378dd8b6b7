"""A handler that does nothing but count, where whoever measures can see it: in a file that both have mapped."""

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

from shared.jobs import JobContext, handler

# Jobs handled, and when the newest of them began: a number, and seconds of the monotonic clock.
COUNTER: Final = struct.Struct("<Qd")
COUNTER_VARIABLE: Final = "BENCH_COUNTER"


class _Counter:
    def __init__(self) -> None:
        self.jobs = 0
        self._map: mmap.mmap | None = None

    def count(self) -> None:
        if self._map is None:  # at the first job, since modules are imported to describe handlers, too
            with Path(os.environ[COUNTER_VARIABLE]).open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), COUNTER.size)
            self.jobs, _ = COUNTER.unpack(self._map[:])
        self.jobs += 1
        COUNTER.pack_into(self._map, 0, self.jobs, time.monotonic())


_counter = _Counter()


@handler("noop")
async def noop(payload: None, context: JobContext) -> None:
    """Count."""
    _counter.count()


@handler("other")
async def other(payload: None, context: JobContext) -> None:
    """Never be called: nobody serves the queue that it is enqueued in."""
