"""The limit that the schema sets: a bare psycopg loop over Howdah's own tables, with the executor's own statement.

What it leaves out is the executor: no handler process, no slots, no lease, no results. What it has is everything that
the database does for a job: all columns, constraints, indexes and counters. `python -m tests.bench.howdah_loop` is a
driver, see `tests/bench/peers/driver_process.py`.
"""

import asyncio
import sys
from typing import Any, Final
from uuid import UUID

import psycopg
import uvloop

from services.executor.finish_and_claim import Wanted, finish_and_claim
from services.executor.hold_calls import HeldCall
from shared.ids import ExecutorId, new_id
from tests.bench.howdah_jobs import HowdahDriver, describe_howdah
from tests.bench.open_bench import Bench
from tests.bench.peers.driven_queue import DrivenQueue
from tests.bench.peers.driver_process import Program
from tests.bench.peers.serve_commands import Handled, serve_commands

# What the table calls it.
OWN_LIMIT: Final = "bare loop over Howdah's tables"
_BATCHES_UNDER_WAY: Final = 2
# As many as an executor takes.
_BATCH: Final = 400
_LOOK_SECONDS: Final = 0.05
_WANTED: Final = Wanted.of(queues=["default"], job_types=["noop"], labels=[])
_REGISTER: Final = """
insert into executor (id, name, version, queues, labels, slots, plan_slots, handler_slots, job_types)
values (%s, 'bare loop', '0', '{default}', '{}', 0, 0, 1000, '{noop}')
"""


class HowdahLoop(HowdahDriver):
    """The driver: enqueues as Howdah does, and has a connection for each batch under way."""

    def __init__(self) -> None:
        super().__init__()
        self._handled = Handled()
        self._claimers: list[psycopg.AsyncConnection[Any]] = []
        self._running: list[asyncio.Task[None]] = []

    async def open(self, *, dsn: str, settings: str) -> None:
        """Connect."""
        await super().open(dsn=dsn, settings=settings)
        self._claimers = [
            await psycopg.AsyncConnection.connect(
                f"{dsn}&options=-c%20plan_cache_mode%3Dforce_generic_plan", autocommit=True, prepare_threshold=0
            )
            for _ in range(_BATCHES_UNDER_WAY)
        ]

    async def work(self) -> None:
        """Start the loops."""
        executor_id = ExecutorId(new_id())
        await self._claimers[0].execute(_REGISTER, [UUID(str(executor_id))])
        self._running = [asyncio.create_task(self._claim(claimer, executor_id)) for claimer in self._claimers]

    async def _claim(self, connection: psycopg.AsyncConnection[Any], executor_id: ExecutorId) -> None:
        done: list[HeldCall] = []
        marks: dict[int, int] = {}
        while True:
            found = await finish_and_claim(
                connection, ended=done, executor_id=executor_id, marks=marks, wanted=_WANTED, slots=_BATCH
            )
            finished, done = done, found.claimed
            marks = {} if found.lane is None or found.last_order is None else {found.lane.lane_id: found.last_order}
            if done:
                self._handled.count(len(done))
            elif not finished:
                await asyncio.sleep(_LOOK_SECONDS)

    async def rest(self) -> None:
        """End the loops; nothing is under way any more."""
        for running in self._running:
            running.cancel()
        for ended in await asyncio.gather(*self._running, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    async def close(self) -> None:
        """Disconnect."""
        for connection in self._claimers:
            await connection.close()
        await super().close()


def open_howdah_loop(bench: Bench) -> DrivenQueue:
    """Return the loop as a job queue to be measured."""
    program = Program([sys.executable, "-m", "tests.bench.howdah_loop"])
    return DrivenQueue(bench, describe_howdah(OWN_LIMIT, "bench_howdah_loop", program, settings=("tuned",)))


if __name__ == "__main__":
    uvloop.run(serve_commands(HowdahLoop()))
