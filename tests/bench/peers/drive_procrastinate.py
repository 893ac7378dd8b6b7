"""Procrastinate."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import uvloop
from procrastinate import App, PsycopgConnector  # type: ignore[import-not-found]

from tests.bench.peers.serve_commands import Handled, serve_commands

_BULK: Final = 1_000
_WORK: Final[dict[str, dict[str, int]]] = {"tuned": {"concurrency": 10}, "defaults": {}}
_POOL: Final = {"tuned": {"min_size": 10, "max_size": 10}, "defaults": {}}


class ProcrastinateDriver:
    """One app, whose only job counts."""

    def __init__(self) -> None:
        self._handled = Handled()
        self._work: dict[str, int] = {}
        self._app: Any = None
        self._noop: Any = None
        self._run: asyncio.Task[None] | None = None

    async def open(self, *, dsn: str, settings: str) -> None:
        self._work = _WORK[settings]
        self._app = App(connector=PsycopgConnector(conninfo=dsn, **_POOL[settings]))
        self._noop = self._app.task(name="noop", queue="noop")(self._handle)
        await self._app.open_async()

    async def install(self) -> None:
        await self._app.schema_manager.apply_schema_async()

    async def enqueue(self, *, jobs: int, bulk: bool, other: bool, future: bool) -> dict[str, float]:
        at = {"schedule_at": datetime.now(UTC) + timedelta(hours=1)} if future else {}
        deferrer = self._noop.configure(queue="other" if other else "noop", **at)
        began = time.monotonic()
        if bulk:
            for first in range(0, jobs, _BULK):
                await deferrer.batch_defer_async(*({} for _ in range(min(_BULK, jobs - first))))
        else:
            for _ in range(jobs):
                await deferrer.defer_async()
        return {"began": began, "seconds": time.monotonic() - began}

    async def work(self) -> None:
        running = self._app.run_worker_async(queues=["noop"], install_signal_handlers=False, **self._work)
        self._run = asyncio.create_task(running)

    async def _handle(self) -> None:
        self._handled.count(1)

    async def rest(self) -> None:
        if self._run is not None:
            self._run.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._run

    async def close(self) -> None:
        await self._app.close_async()


if __name__ == "__main__":
    uvloop.run(serve_commands(ProcrastinateDriver()))
