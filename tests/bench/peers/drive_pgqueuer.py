"""PgQueuer. Another queue is another entrypoint, which these consumers do not know."""

import asyncio
import time
from datetime import timedelta
from typing import Any, Final

import asyncpg  # type: ignore[import-not-found]
import uvloop
from pgqueuer import PgQueuer  # type: ignore[import-not-found]
from pgqueuer.queries import Queries  # type: ignore[import-not-found]

from tests.bench.peers.serve_commands import Handled, serve_commands

_BULK: Final = 20_000
_WORK: Final[dict[str, dict[str, int]]] = {"tuned": {"batch_size": 500}, "defaults": {}}


class PgQueuerDriver:
    """One consumer on one asyncpg connection."""

    def __init__(self) -> None:
        self._handled = Handled()
        self._work: dict[str, int] = {}
        self._connection: Any = None
        self._consumer: Any = None
        self._run: asyncio.Task[None] | None = None

    async def open(self, *, dsn: str, settings: str) -> None:
        self._work = _WORK[settings]
        self._connection = await asyncpg.connect(dsn)

    async def install(self) -> None:
        await Queries.from_asyncpg_connection(self._connection).install()

    async def enqueue(self, *, jobs: int, bulk: bool, other: bool, future: bool) -> dict[str, float]:
        queries = Queries.from_asyncpg_connection(self._connection)
        entrypoint = "other" if other else "noop"
        after = timedelta(hours=1) if future else None
        began = time.monotonic()
        if bulk:
            for first in range(0, jobs, _BULK):
                count = min(_BULK, jobs - first)
                await queries.enqueue([entrypoint] * count, [None] * count, [0] * count, [after] * count)
        else:
            for _ in range(jobs):
                await queries.enqueue(entrypoint, None, 0, after)
        return {"began": began, "seconds": time.monotonic() - began}

    async def work(self) -> None:
        self._consumer = PgQueuer.from_asyncpg_connection(self._connection)
        self._consumer.entrypoint("noop")(self._handle)
        self._run = asyncio.create_task(self._consumer.run(**self._work))

    async def _handle(self, _job: Any) -> None:
        self._handled.count(1)

    async def rest(self) -> None:
        self._consumer.shutdown.set()
        if self._run is not None:
            await self._run

    async def close(self) -> None:
        await self._connection.close()


if __name__ == "__main__":
    uvloop.run(serve_commands(PgQueuerDriver()))
