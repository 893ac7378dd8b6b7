"""Calls that share a statement: how many it may carry, and what became of each."""

from typing import Final

import anyio

from services.ingest.push_order import PushOrder, PushOrders
from shared.ids import RunId

MOST_CALLS: Final = 64
MOST_BYTES: Final = 4 * 1024 * 1024


class PushBatch:
    """The calls of one statement. `done` is set once `numbers` or `errors` says what became of each of them."""

    def __init__(self) -> None:
        self.orders: PushOrders = []
        self.numbers: dict[RunId, int] = {}
        self.errors: dict[RunId, Exception] = {}
        # One for all: a call waits for its batch, not for an event of its own.
        self.done = anyio.Event()
        self._bytes = 0
        # Its statement takes so long that others no longer wait for it.
        self.overdue = False

    def has_room(self, order: PushOrder) -> bool:
        """Whether the statement may carry this call too. The first always finds room, however long its body is."""
        if not self.orders:
            return True
        return len(self.orders) < MOST_CALLS and self._bytes + len(order.body) <= MOST_BYTES

    def add(self, order: PushOrder) -> None:
        """Take a call in."""
        self.orders.append(order)
        self._bytes += len(order.body)
