"""A small memory of values that were read lately, so that a hot path does not ask the database each time."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class RecentValues(Generic[Key, Value]):
    """Keeps at most `max_size` values, each for `seconds` at most; strangers' keys push out one another."""

    def __init__(self, *, seconds: float, max_size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._max_size = max_size
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, Value]] = OrderedDict()

    async def get(self, key: Key, read: Callable[[Key], Awaitable[Value]]) -> Value:
        """Return the value that is remembered, else what `read` says now."""
        asked_at = self._clock()
        found = self._kept.get(key)
        if found is not None and asked_at - found[0] < self._seconds:
            return found[1]
        value = await read(key)
        # Its age counts from before the read: what changed during the read is not kept longer than promised.
        self._kept[key] = (asked_at, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._max_size:
            self._kept.popitem(last=False)
        return value

    def forget(self, key: Key) -> None:
        """Read afresh next time."""
        self._kept.pop(key, None)
