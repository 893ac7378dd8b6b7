"""How long the next lines of a command may gather in its pipe before they are read. Pure: time is a parameter.

Reading each line by itself costs more than all the rest of its way to the database. What comes after a pause is read
at once; after that there is a reading every 10 ms. A command that would fill its pipe meanwhile is read as fast as it
writes.
"""

from typing import Final

GATHER_SECONDS: Final = 0.01
GATHER_BYTES: Final = 16 * 1024


class ReadingPace:
    """Looks at how much came within the last spell of `GATHER_SECONDS`."""

    def __init__(self) -> None:
        self._began = 0.0
        self._count = 0
        self._is_fast = False

    def pause_after(self, count: int, now: float) -> float:
        """Take note of ``count`` bytes read at ``now`` (monotonic seconds); returns seconds to wait, 0: read on."""
        if not count:
            return 0.0
        age = now - self._began
        if age >= GATHER_SECONDS:
            # A fast command stays one from spell to spell: else it would be stopped once in each.
            self._is_fast = self._count >= GATHER_BYTES and age < 2 * GATHER_SECONDS
            self._began, self._count, age = now, 0, 0.0
        self._count += count
        return 0.0 if self._is_fast or self._count >= GATHER_BYTES else GATHER_SECONDS - age
