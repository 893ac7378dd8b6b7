"""Which calls of a handler process have begun, in memory that outlives it: when it dies, who was running?

A page that executor and handler process share, with one number (a double) for each seat: 0 for a call that has not
begun, the time of its beginning (CLOCK_MONOTONIC, which is the same in both) while it runs, and minus that once it has
ended, which is some milliseconds before the executor is told. The executor clears a seat before it gives it to a call,
and from then on only the handler process writes to it.
"""

import fcntl
import mmap
import os

_DOUBLE_BYTES = 8


class BeginMarks:
    """The seats. Made by the executor with `create`, and by its child with `attach`."""

    def __init__(self, fd: int, seats: int) -> None:
        self._map = mmap.mmap(fd, seats * _DOUBLE_BYTES)
        self._view = memoryview(self._map)
        self.seats = self._view.cast("d")

    @classmethod
    def create(cls, seats: int) -> tuple["BeginMarks", int]:
        """Return new marks, and a descriptor for the child to attach to; close it once the child has it."""
        fd = os.memfd_create("howdah-begin-marks", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, seats * _DOUBLE_BYTES)
        # Were the child to shrink it, our next look would be a SIGBUS.
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(fd, seats), fd

    @classmethod
    def attach(cls, fd: int, seats: int) -> "BeginMarks":
        """Return the marks behind an inherited descriptor, which is closed."""
        try:
            return cls(fd, seats)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Free the memory on this side."""
        self.seats.release()
        self._view.release()
        self._map.close()
