"""The limit of the job figures: a bare psycopg loop over a narrow table of its own, with nothing else around it.

One statement finishes the last batch and claims the next; two batches are under way in each process. Rows are changed
in place and kept, as Howdah keeps them, and found again by ctid. There is no handler, no retry, no lease.
`python -m tests.bench.job_loop` is a driver, see `tests/bench/peers/driver_process.py`.
"""

import asyncio
import sys
import time
from typing import Any, Final

import psycopg
import uvloop

from tests.bench.open_bench import Bench
from tests.bench.peers.driven_queue import Driven, DrivenQueue
from tests.bench.peers.driver_process import Program
from tests.bench.peers.serve_commands import Handled, serve_commands

# What the table calls it.
LIMIT: Final = "bare loop"
_BATCHES_UNDER_WAY: Final = 2
_TABLE: Final = (
    """
    create table bench_job (
        id bigint generated always as identity primary key,
        queue integer not null,
        state text not null,
        claim_order bigint not null,
        claim_epoch integer not null default 0,
        claimed_at timestamptz,
        finished_at timestamptz
    )
    """,
    "create index bench_job_ready on bench_job (queue, claim_order) where state = 'ready'",
)
# Many at once, and a ring.
_INSERT: Final = """
with added as (
    insert into bench_job (queue, state, claim_order)
    select %s, %s, claim_order
    from unnest(%s::bigint[]) as u (claim_order)
)
select pg_notify('bench_job_ready', '')
"""
# running → succeeded for the last batch, ready → running for the next.
_FINISH_AND_CLAIM: Final = """
with finished as (
    update bench_job
    set
        state = 'succeeded',
        finished_at = now()
    where id = any(%s::bigint[])
        and state = 'running'
)
update bench_job
set
    state = 'running',
    claim_epoch = claim_epoch + 1,
    claimed_at = now()
where ctid = any(array(
    select ctid
    from bench_job
    where queue = 1
        and state = 'ready'
    order by claim_order
    limit 100
    for update skip locked
))
returning id
"""


class JobLoop:
    """The driver: a connection for each batch under way, and one that listens."""

    def __init__(self) -> None:
        self._handled = Handled()
        self._connections: list[psycopg.AsyncConnection[Any]] = []
        self._running: list[asyncio.Task[None]] = []
        self._rung = asyncio.Event()
        self._order = 0

    async def open(self, *, dsn: str, **_settings: str) -> None:
        """Connect; there is one way to be set only."""
        self._connections = [
            await psycopg.AsyncConnection.connect(dsn, autocommit=True, prepare_threshold=0)
            for _ in range(_BATCHES_UNDER_WAY + 1)
        ]

    async def install(self) -> None:
        """Make the table."""
        for statement in _TABLE:
            await self._connections[0].execute(statement)

    async def enqueue(self, *, jobs: int, bulk: bool, other: bool, future: bool) -> dict[str, float]:
        """Add jobs; those of the future have a state of their own."""
        queue, state = (2 if other else 1), ("scheduled" if future else "ready")
        began = time.monotonic()
        for count in [jobs] if bulk else [1] * jobs:
            orders = range(self._order, self._order + count)
            await self._connections[0].execute(_INSERT, [queue, state, _write_array(orders)])
            self._order += count
        return {"began": began, "seconds": time.monotonic() - began}

    async def work(self) -> None:
        """Start the loops."""
        listener, *claimers = self._connections
        await listener.execute("listen bench_job_ready")
        self._running = [asyncio.create_task(self._claim(claimer)) for claimer in claimers]
        self._running.append(asyncio.create_task(self._listen(listener)))

    async def _listen(self, listener: psycopg.AsyncConnection[Any]) -> None:
        async for _ in listener.notifies():
            self._rung.set()

    async def _claim(self, connection: psycopg.AsyncConnection[Any]) -> None:
        done: list[int] = []
        while True:
            self._rung.clear()
            try:
                cursor = await connection.execute(_FINISH_AND_CLAIM, [_write_array(done)])
            except psycopg.errors.DeadlockDetected:
                # SKIP LOCKED waits all the same where a row moves on between its being seen and locked: the server
                # follows it to the version that its claimer is finishing, and that one may be waiting here.
                continue
            finished, done = done, [row[0] for row in await cursor.fetchall()]
            if done:
                self._handled.count(len(done))
            elif not finished:
                await self._rung.wait()

    async def rest(self) -> None:
        """End the loops; nothing is under way any more."""
        for running in self._running:
            running.cancel()
        for ended in await asyncio.gather(*self._running, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    async def close(self) -> None:
        """Disconnect."""
        for connection in self._connections:
            await connection.close()


def _write_array(numbers: list[int] | range) -> str:
    """Write an array as text: a list, psycopg would send as the narrowest type that fits, each its own statement."""
    return "{" + ",".join(map(str, numbers)) + "}"


def open_job_loop(bench: Bench) -> DrivenQueue:
    """Return the loop as a job queue to be measured."""
    return DrivenQueue(
        bench,
        Driven(
            name=LIMIT,
            database="bench_job_loop",
            program=Program([sys.executable, "-m", "tests.bench.job_loop"]),
            settings=("tuned",),
            table="bench_job",
            newest="select coalesce(max(id), 0) from bench_job",
            unfinished="select count(*) from bench_job where id > %s and state <> 'succeeded'",
        ),
    )


if __name__ == "__main__":
    uvloop.run(serve_commands(JobLoop()))
