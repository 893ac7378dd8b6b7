"""Deliveries and their runs, recorded for all calls that wait at the moment, in one statement.

A call that comes alone is recorded at once. Those that come while a statement is under way share the next one: one
round trip, one commit, one ring, one lock of a pipeline's run counter. Each is answered after the commit.

The next statement is sent when the one before has ended, or as soon as it carries as many calls: it then waits in the
database for the first one's locks, and goes on without a round trip. Smaller ones wait here, where they can grow. One
that takes long waits for something else than its turn, and holds up only the calls that it carries.
"""

from collections import deque
from typing import Final

import anyio
from anyio.abc import TaskGroup

from services.ingest.push_batch import PushBatch
from services.ingest.push_order import PushOrder, PushOrders
from services.ingest.queries.receive_webhook import accept_deliveries
from shared.db import Pool, query
from shared.errors import DatabaseUnavailableError
from shared.ids import RunId

_PATIENCE_SECONDS: Final = 0.05
_STATEMENTS_AT_ONCE: Final = 4


class PushDesk:
    """Takes pushes from calls, and records them."""

    def __init__(self, pool: Pool, *, plan_timeout_seconds: int) -> None:
        self._pool = pool
        self._plan_timeout_seconds = plan_timeout_seconds
        self._queued: deque[PushBatch] = deque()
        self._under_way: list[PushBatch] = []
        # A statement is about to begin: it takes in what still comes in this turn of the event loop.
        self._starting = False
        self._tasks: TaskGroup | None = None

    async def accept(self, order: PushOrder) -> int | None:
        """Return the run's number once it is committed; None when the content came before, or the pipeline has gone.

        Raises `DatabaseUnavailableError`.
        """
        if not self._queued or not self._queued[-1].has_room(order):
            self._queued.append(PushBatch())
        batch = self._queued[-1]
        batch.add(order)
        self._start_if_due()
        await batch.done.wait()
        if order.run_id in batch.errors:
            raise batch.errors[order.run_id]
        return batch.numbers.get(order.run_id)

    async def run(self) -> None:
        """Record what arrives, until canceled."""
        async with anyio.create_task_group() as self._tasks:
            self._start_if_due()
            await anyio.sleep_forever()

    def _start_if_due(self) -> None:
        if self._tasks is not None and not self._starting and self._is_due():
            self._starting = True
            self._tasks.start_soon(self._record_next, self._tasks)

    def _is_due(self) -> bool:
        if not self._queued or len(self._under_way) == _STATEMENTS_AT_ONCE:
            return False
        prompt = [batch for batch in self._under_way if not batch.overdue]
        return not prompt or (len(prompt) == 1 and len(self._queued[0].orders) >= len(prompt[0].orders))

    async def _record_next(self, tasks: TaskGroup) -> None:
        batch = self._queued.popleft()
        self._under_way.append(batch)
        self._starting = False
        self._start_if_due()
        tasks.start_soon(self._lose_patience, batch)
        try:
            await self._record(batch)
        finally:
            self._under_way.remove(batch)
        # The next one first: the database then works while these calls are answered.
        self._start_if_due()
        batch.done.set()

    async def _lose_patience(self, batch: PushBatch) -> None:
        with anyio.move_on_after(_PATIENCE_SECONDS):
            await batch.done.wait()
            return
        batch.overdue = True
        self._start_if_due()

    async def _record(self, batch: PushBatch) -> None:
        try:
            batch.numbers = await self._request_runs(batch.orders)
        except DatabaseUnavailableError as error:
            batch.errors = dict.fromkeys((order.run_id for order in batch.orders), error)
        except Exception:  # noqa: BLE001 - it belongs to the calls, which raise it
            # One of them is at fault, and took the others with it: each is tried by itself.
            for order in batch.orders:
                await self._record_alone(batch, order)

    async def _record_alone(self, batch: PushBatch, order: PushOrder) -> None:
        try:
            batch.numbers |= await self._request_runs([order])
        except Exception as error:  # noqa: BLE001 - it belongs to the call, which raises it
            batch.errors[order.run_id] = error

    async def _request_runs(self, orders: PushOrders) -> dict[RunId, int]:
        rows = await query(
            self._pool,
            lambda connection: accept_deliveries(
                connection, plan_timeout_seconds=self._plan_timeout_seconds, pushes=orders
            ),
        )
        return {row.run_id: row.number for row in rows}
