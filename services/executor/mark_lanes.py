"""How far each lane has been claimed, so that a claim need not begin at the front every time.

What has been claimed stays at the front of the lane's index until it is cleaned up, and while an old snapshot is held
open somewhere it is not: every scan from the front would get longer and longer. A scan that begins where the last one
ended does not. What became ready further in front — a retry, a job of higher priority — is found by the next scan from
the front; those take a twentieth of the time at most, so they are as good as continuous while they are short.
"""

import time
from collections.abc import Callable
from typing import Final

# Of a scan from the front, what it took longer than others is waited for this many times over …
_REST_FACTOR: Final = 20.0
# … if it is more than statements differ by chance; after one that was held up, by a lock or a disk, not for long.
_CHANCE_SECONDS: Final = 0.002
_FIRST_REST_SECONDS: Final = 1.0
_MOST_REST_SECONDS: Final = 60.0
# While one is under way, others do without.
_PATIENCE_SECONDS: Final = 1.0
# One in so many claims begins at its mark though none would have to: to know how long such a claim takes.
_SAMPLE_EVERY: Final = 50
# The weight of a slower claim in what such claims usually take; a quicker one counts at once.
_SLOWER_WEIGHT: Final = 0.1


class LaneMarks:
    """The marks of all lanes, and when a claim should do without them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: dict[int, int] = {}
        self._marked_seconds = 0.0
        self._front_due_at = 0.0
        self._rest_seconds = 0.0
        self._fronts = 0

    @property
    def front_due_in(self) -> float:
        """Seconds until the next scan from the front; 0 if it is due."""
        return max(0.0, self._front_due_at - self._clock())

    def choose(self) -> dict[int, int]:
        """Return the marks for the next claim, by lane; none if it is to scan from the front."""
        if self.front_due_in or not self._marks:
            return dict(self._marks)
        self._fronts += 1
        if self._fronts % _SAMPLE_EVERY == 0:
            return dict(self._marks)
        self._front_due_at = self._clock() + _PATIENCE_SECONDS
        return {}

    def claimed(self, lane_id: int, last_order: int, *, is_all: bool) -> None:
        """Note how far a lane has been claimed; with ``is_all``, nothing was left behind that."""
        self._marks[lane_id] = max(last_order, self._marks.get(lane_id, last_order)) if is_all else last_order

    def took(self, seconds: float, *, from_front: bool) -> None:
        """Note how long a claim took, also one that failed."""
        if from_front:
            excess = seconds - self._marked_seconds
            wanted = _REST_FACTOR * excess if excess > _CHANCE_SECONDS else 0.0
            longer = max(_FIRST_REST_SECONDS, 2 * self._rest_seconds)
            self._rest_seconds = min(wanted, longer, _MOST_REST_SECONDS)
            self._front_due_at = self._clock() + self._rest_seconds
        elif self._marked_seconds and seconds > self._marked_seconds:
            self._marked_seconds += _SLOWER_WEIGHT * (seconds - self._marked_seconds)
        else:
            self._marked_seconds = seconds
