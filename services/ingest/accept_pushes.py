"""Deliveries and their runs, recorded for all calls that wait at the moment, in one statement.

A call that comes alone is recorded at once. Those that come while a statement is under way share the next one: one
round trip, one commit, one ring, one lock of a pipeline's run counter. Each is answered after the commit.

Statements follow one another, since two at a time would only wait for each other: for a counter, or for the lock that a
commit with a NOTIFY takes. One that takes long waits for something else, and holds up only the pipelines it carries.
"""

from collections import deque
from typing import Final

import anyio

from services.ingest.push_batch import PushBatch
from services.ingest.push_order import PushOrder, PushOrders
from services.ingest.queries.receive_webhook import accept_deliveries
from shared.db import Pool, query
from shared.errors import DatabaseUnavailableError
from shared.ids import RunId
from shared.loop import Bell

# A statement that has taken longer than this is no longer waited for by the next.
_PATIENCE_SECONDS: Final = 0.05
_STATEMENTS_AT_ONCE: Final = 4
_IDLE_SECONDS: Final = 3600.0


class PushDesk:
    """Takes pushes from calls, and records them in turn."""

    def __init__(self, pool: Pool, *, plan_timeout_seconds: int) -> None:
        self._pool = pool
        self._plan_timeout_seconds = plan_timeout_seconds
        self._queued: deque[PushBatch] = deque()
        self._arrived = Bell()
        self._statements = anyio.Semaphore(_STATEMENTS_AT_ONCE)

    async def accept(self, order: PushOrder) -> int | None:
        """Return the run's number once it is committed; None when the content came before, or the pipeline has gone.

        Raises `DatabaseUnavailableError`.
        """
        if not self._queued or not self._queued[-1].has_room(order):
            self._queued.append(PushBatch())
        batch = self._queued[-1]
        batch.add(order)
        self._arrived.ring()
        await batch.done.wait()
        if order.run_id in batch.errors:
            raise batch.errors[order.run_id]
        return batch.numbers.get(order.run_id)

    async def run(self) -> None:
        """Record what arrives, until canceled."""
        async with anyio.create_task_group() as tasks:
            while True:
                self._arrived.hush()
                if not self._queued:
                    await self._arrived.wait(_IDLE_SECONDS)
                    continue
                await self._statements.acquire()
                batch = self._queued.popleft()
                tasks.start_soon(self._record, batch)
                with anyio.move_on_after(_PATIENCE_SECONDS):
                    await batch.done.wait()

    async def _record(self, batch: PushBatch) -> None:
        try:
            batch.numbers = await self._request_runs(batch.orders)
        except DatabaseUnavailableError as error:
            batch.errors = dict.fromkeys((order.run_id for order in batch.orders), error)
        except Exception:  # noqa: BLE001 - it belongs to the calls, which raise it
            # One of them is at fault, and took the others with it: each is tried by itself.
            for order in batch.orders:
                await self._record_alone(batch, order)
        finally:
            self._statements.release()
        batch.done.set()

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
