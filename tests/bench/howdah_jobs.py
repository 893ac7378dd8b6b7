"""Howdah's own part in the job figures: its executor as it is shipped, and its function for enqueueing.

`python -m tests.bench.howdah_jobs` is a driver, see `tests/bench/peers/driver_process.py`. It starts the executor as a
process of its own; what the executor's handlers have counted, it reads from a file that it shares with them.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import uvloop

from deploy.migrate import run_dbmate
from shared.sealing import generate_key
from tests.bench.noop_handler import COUNTER, COUNTER_VARIABLE
from tests.bench.open_bench import Bench
from tests.bench.peers.driven_queue import Driven, DrivenQueue
from tests.bench.peers.driver_process import Program
from tests.bench.peers.job_system import Settings
from tests.bench.peers.serve_commands import say, serve_commands

_BULK: Final = 10_000
# While jobs are being handled, and after so many looks in vain: to look takes time from what is measured.
_LOOK_SECONDS: Final = 0.002
_IDLE_LOOK_SECONDS: Final = 0.02
_LOOKS_IN_VAIN: Final = 5
_SETTINGS: Final[dict[str, dict[str, str]]] = {"tuned": {"HOWDAH_HANDLER_SLOTS": "1600"}, "defaults": {}}

HOWDAH_DRIVER: Final = Program([sys.executable, "-m", "tests.bench.howdah_jobs"])


class HowdahDriver:
    """An executor, and a connection to enqueue over."""

    def __init__(self) -> None:
        self._dsn = ""
        self._settings: dict[str, str] = {}
        # A blocking one: the function is called from any program, and waiting in a loop takes a tenth longer.
        self._connection: psycopg.Connection[Any] | None = None
        self._executor: Process | None = None
        self._looking: asyncio.Task[None] | None = None
        # Gone with this process.
        self._place = tempfile.TemporaryDirectory(prefix="howdah-bench-executor-", ignore_cleanup_errors=True)
        self._folder = Path(self._place.name)
        self._counter = self._folder / "counter"
        self._counter.write_bytes(COUNTER.pack(0, 0.0))

    async def open(self, *, dsn: str, settings: str) -> None:
        """Connect."""
        self._dsn, self._settings = dsn, _SETTINGS[settings]
        self._connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=0)

    async def install(self) -> None:
        """Make the schema."""
        await asyncio.to_thread(run_dbmate, self._dsn, "migrate")

    async def enqueue(self, *, jobs: int, bulk: bool, other: bool, future: bool) -> dict[str, float]:
        """Add jobs: ten thousand in a call, or one."""
        if self._connection is None:
            raise RuntimeError("not connected")
        job: dict[str, object] = {"type": "other" if other else "noop", "queue": "other" if other else "default"}
        if future:
            job["delay_seconds"] = 3600
        began = time.monotonic()
        for first in range(0, jobs, _BULK) if bulk else ():
            batch = msgspec.json.encode([job] * min(_BULK, jobs - first)).decode()
            self._connection.execute("select count(*) from enqueue_jobs(%s::jsonb)", [batch])
        for _ in range(0 if bulk else jobs):
            self._connection.execute("select enqueue('noop')")
        return {"began": began, "seconds": time.monotonic() - began}

    async def work(self) -> None:
        """Start the executor."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ["PYTHONPATH"],
            # As the superuser, in a database that only this figure has, with the setting that its role would have.
            "HOWDAH_DATABASE_URL": f"{self._dsn}&options=-c%20plan_cache_mode%3Dforce_generic_plan",
            "HOWDAH_SEALING_KEYS": f"k1:{generate_key()}",
            "HOWDAH_STATE_DIRECTORY": str(self._folder / "state"),
            "HOWDAH_HANDLER_MODULES": "tests.bench.noop_handler",
            "HOWDAH_HANDLER_ENV": COUNTER_VARIABLE,
            COUNTER_VARIABLE: str(self._counter),
            "HOWDAH_LOG_LEVEL": "warning",
            **self._settings,
        }
        self._executor = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.executor", env=environment, stdout=sys.stderr
        )
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        told = COUNTER.unpack(self._counter.read_bytes())[0]
        with self._counter.open("rb", buffering=0) as file:
            in_vain = 0
            while True:
                await asyncio.sleep(_LOOK_SECONDS if in_vain < _LOOKS_IN_VAIN else _IDLE_LOOK_SECONDS)
                handled, at = COUNTER.unpack(os.pread(file.fileno(), COUNTER.size, 0))
                in_vain += 1
                if handled != told:
                    told, in_vain = handled, 0
                    say({"handled": handled, "at": at})

    async def rest(self) -> None:
        """Have the executor drain and end."""
        if self._executor is not None:
            with suppress(ProcessLookupError):
                self._executor.send_signal(signal.SIGTERM)
            await self._executor.wait()
            self._executor = None
        if self._looking is not None:
            self._looking.cancel()

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()


def describe_howdah(name: str, database: str, program: Program, settings: tuple[Settings, ...]) -> Driven:
    """Say how a program is measured that works on Howdah's own tables."""
    return Driven(
        name=name,
        database=database,
        program=program,
        settings=settings,
        table="job",
        newest="select coalesce((select id from job order by id desc limit 1), '00000000-0000-0000-0000-000000000000')",
        unfinished="select count(*) from job where id > %s and state in ('ready', 'running')",
        client_fills=True,
    )


def open_howdah_jobs(bench: Bench) -> DrivenQueue:
    """Return Howdah as a job queue to be measured."""
    return DrivenQueue(bench, describe_howdah("Howdah", "bench_howdah", HOWDAH_DRIVER, ("tuned", "defaults")))


if __name__ == "__main__":
    uvloop.run(serve_commands(HowdahDriver()))
