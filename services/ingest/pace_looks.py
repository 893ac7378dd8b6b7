"""How often one looks on behalf of many: at once after a pause, else not so often that nothing else is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import anyio

# From the end of one look to the beginning of the next.
_LEAST_SECONDS: Final = 0.01
_MOST_SECONDS: Final = 0.25
# A look that takes long is followed by a pause twice as long.
_PAUSE_TO_LOOK: Final = 2.0


class Pace:
    """When the next look may be taken."""

    def __init__(self) -> None:
        self._next_at = -_MOST_SECONDS

    def seconds_left(self) -> float:
        """Return how long to wait, not above 0 if one may look."""
        return self._next_at - anyio.current_time()

    @contextmanager
    def look(self) -> Iterator[None]:
        """Measure the look that is taken in the block."""
        begun_at = anyio.current_time()
        try:
            yield
        finally:
            ended_at = anyio.current_time()
            pause = _PAUSE_TO_LOOK * (ended_at - begun_at)
            self._next_at = ended_at + min(_MOST_SECONDS, max(_LEAST_SECONDS, pause))
