"""How often one process records calls that it turned away: strangers must not make us write without end."""

import time
from collections.abc import Callable


class RejectionBudget:
    """A token bucket: `burst` records at once, then `per_second`."""

    def __init__(
        self, *, per_second: float = 2.0, burst: float = 20.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._left = burst
        self._filled_at = clock()

    def take(self) -> bool:
        """Return whether one more may be recorded now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
