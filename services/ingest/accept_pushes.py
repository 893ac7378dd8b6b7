"""Deliveries and their runs, recorded for all calls that wait at the moment, in one statement.

A call that comes alone is recorded at once. Those that come while a statement is under way share the next one: one
round trip, one commit, one ring, one lock of a pipeline's run counter. Each is answered after the commit.
"""

from collections import deque
from typing import Final

import anyio
import msgspec

from services.ingest.describe_push import Push
from services.ingest.queries.receive_webhook import accept_deliveries
from services.ingest.webhook_call import Call
from shared.db import Connection, Pool, query
from shared.errors import DatabaseUnavailableError
from shared.ids import DeliveryId, JobId, PipelineId, RunId, new_id
from shared.loop import Bell

# While one statement waits for its commit, the next is on its way.
_STATEMENTS_AT_ONCE: Final = 2
_MOST_CALLS: Final = 64
_MOST_BYTES: Final = 4 * 1024 * 1024
_IDLE_SECONDS: Final = 3600.0


class PushOrder(msgspec.Struct, frozen=True):
    """A push that is to become a delivery and a run, with the ids that they will have."""

    delivery_id: DeliveryId
    run_id: RunId
    pipeline_id: PipelineId
    digest: bytes
    call: Call
    push: Push


class _Waiting:
    """A call whose answer is not known yet."""

    def __init__(self, order: PushOrder) -> None:
        self.order = order
        self.done = anyio.Event()
        self.number: int | None = None
        self.error: Exception | None = None


class PushDesk:
    """Takes pushes from calls, and records them in turn."""

    def __init__(self, pool: Pool, *, plan_timeout_seconds: int) -> None:
        self._pool = pool
        self._plan_timeout_seconds = plan_timeout_seconds
        self._waiting: deque[_Waiting] = deque()
        self._arrived = Bell()

    async def accept(self, order: PushOrder) -> int | None:
        """Return the run's number once it is committed; None when the content came before, or the pipeline has gone.

        Raises `DatabaseUnavailableError`.
        """
        waiting = _Waiting(order)
        self._waiting.append(waiting)
        self._arrived.ring()
        await waiting.done.wait()
        if waiting.error is not None:
            raise waiting.error
        return waiting.number

    async def run(self) -> None:
        """Record what arrives, until canceled."""
        async with anyio.create_task_group() as tasks:
            for _ in range(_STATEMENTS_AT_ONCE):
                tasks.start_soon(self._record_arrivals)

    async def _record_arrivals(self) -> None:
        while True:
            self._arrived.hush()
            if not self._waiting:
                await self._arrived.wait(_IDLE_SECONDS)
                continue
            await self._record(self._take())

    def _take(self) -> list[_Waiting]:
        """Take those that have waited longest, as many as one statement may carry; at least one."""
        taken = [self._waiting.popleft()]
        size = len(taken[0].order.call.body)
        while self._waiting and len(taken) < _MOST_CALLS:
            size += len(self._waiting[0].order.call.body)
            if size > _MOST_BYTES:
                break
            taken.append(self._waiting.popleft())
        return taken

    async def _record(self, taken: list[_Waiting]) -> None:
        try:
            numbers = await self._request_runs([waiting.order for waiting in taken])
        except Exception as error:  # noqa: BLE001 - it belongs to the calls, which raise it
            if len(taken) > 1 and not isinstance(error, DatabaseUnavailableError):
                # One of them is at fault, and took the others with it: each is tried by itself.
                for waiting in taken:
                    await self._record([waiting])
                return
            for waiting in taken:
                waiting.error = error
                waiting.done.set()
            return
        for waiting in taken:
            waiting.number = numbers.get(waiting.order.delivery_id)
            waiting.done.set()

    async def _request_runs(self, orders: list[PushOrder]) -> dict[DeliveryId, int]:
        calls = [order.call for order in orders]
        pushes = [order.push for order in orders]

        async def accept(connection: Connection) -> dict[DeliveryId, int]:
            rows = await accept_deliveries(
                connection,
                plan_timeout_seconds=self._plan_timeout_seconds,
                delivery_ids=[order.delivery_id for order in orders],
                pipeline_ids=[order.pipeline_id for order in orders],
                run_ids=[order.run_id for order in orders],
                plan_job_ids=[JobId(new_id()) for _ in orders],
                sources=[call.source for call in calls],
                events=[call.event for call in calls],
                forge_delivery_ids=[call.forge_delivery_id or "" for call in calls],
                digests=[order.digest for order in orders],
                remote_addresses=[call.remote_address for call in calls],
                bodies=[call.body for call in calls],
                refs=[push.ref for push in pushes],
                branches=[push.branch for push in pushes],
                commit_shas=[push.commit_sha for push in pushes],
                before_shas=[push.before_sha or "" for push in pushes],
                titles=[push.title for push in pushes],
                authors=[push.author for push in pushes],
                requested_bys=[f"webhook:{call.source}" for call in calls],
            )
            return {row.delivery_id: row.number for row in rows}

        return await query(self._pool, accept)
