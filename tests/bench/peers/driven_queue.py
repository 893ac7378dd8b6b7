"""A job queue that is measured through driver processes, each in a database of its own on the bench's server."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, LiteralString

import msgspec
import psycopg
from psycopg import sql

from tests.bench.open_bench import Bench, BenchError
from tests.bench.peers.driver_process import DriverProcess, Program, read_drivers
from tests.bench.peers.fill_table import fill_table
from tests.bench.peers.job_system import Depth, Drained, Settings
from tests.bench.peers.time_drain import Ledger, time_drain

_DEEP_JOBS: Final = 500_000
_MOST_DRAIN_SECONDS: Final = 4.0
_WARM_UP_PICKUPS: Final = 5
_PICKUP_SECONDS: Final = 30.0
# Between two jobs, so that a consumer is idle again, and no poll of it keeps step.
_GAP_SECONDS: Final = (0.03, 0.07)
# Sessions report what they did up to ten seconds late.
_SETTLE_SECONDS: Final = 12.0
_COUNT_TRANSACTIONS: Final = "select xact_commit + xact_rollback from pg_stat_database where datname = %s"


class Driven(msgspec.Struct, frozen=True):
    """A job queue, how its driver is started, and where its jobs are.

    `newest` marks the newest job before any is added; `unfinished` counts those after the mark that are not finished.
    `table` has an `id` that is given by itself.
    """

    name: str
    database: str
    program: Program
    settings: tuple[Settings, ...]
    table: LiteralString
    newest: LiteralString
    unfinished: LiteralString
    version: str = ""
    # Whether a deep table is made by the client's own enqueueing; else one job is copied many times over.
    client_fills: bool = False


class DrivenQueue:
    """One job queue; see `JobSystem`. Every measurement is made in a fresh copy of a database that was prepared."""

    def __init__(self, bench: Bench, driven: Driven) -> None:
        self._bench = bench
        self._driven = driven
        self._prepared: set[str] = set()
        self._sender: DriverProcess | None = None
        self._log = bench.stack.state / f"{driven.database}.log"

    @property
    def name(self) -> str:
        """What the table calls it."""
        return self._driven.name

    @property
    def version(self) -> str:
        """The release that is measured; empty for what is of this repository."""
        return self._driven.version

    @property
    def settings(self) -> tuple[Settings, ...]:
        """With which settings it is measured."""
        return self._driven.settings

    def drain(self, settings: Settings, *, processes: int, jobs: int, depth: Depth, times: int) -> list[Drained]:
        """Drain jobs, so many times by the same processes. Raises `BenchError`."""
        names = [f"consumer-{number}" for number in range(processes)]
        drained = []
        with ExitStack() as stack:
            database = stack.enter_context(self._copy(depth))
            connection = stack.enter_context(self._connect(database))
            drivers = [stack.enter_context(self._start()) for _ in names]
            for _ in range(times):
                ledger = Ledger(connection, self._driven.table, self._driven.newest, self._driven.unfinished)
                self._enqueue(database, settings, jobs=jobs, bulk=True)
                self._tidy(connection)
                for driver, name in zip(drivers, names, strict=True):
                    driver.tell("open", dsn=self._dsn(database, name), settings=settings)
                _hear_all(drivers)

                def start() -> None:
                    for driver in drivers:
                        driver.tell("work")

                drained.append(time_drain(ledger, drivers, names, start, jobs=jobs, most_seconds=_MOST_DRAIN_SECONDS))
                _hear_all(drivers)
                for command in ("rest", "close"):
                    for driver in drivers:
                        driver.tell(command)
                    _hear_all(drivers)
                if drained[-1].jobs < jobs:
                    break  # what is left would be drained next, and counted for nothing
        return drained

    def enqueue_bulk(self, settings: Settings, jobs: int) -> float:
        """Add jobs with the fastest call; returns the seconds. Raises `BenchError`."""
        with self._copy("empty") as database:
            return self._enqueue(database, settings, jobs=jobs, bulk=True)

    def enqueue_single(self, settings: Settings, jobs: int) -> float:
        """Add jobs one by one; returns the seconds. Raises `BenchError`."""
        with self._copy("empty") as database:
            return self._enqueue(database, settings, jobs=jobs, bulk=False)

    def measure_pickup(self, settings: Settings, jobs: int, seconds: float) -> list[float]:
        """Return ms from before a job is added until its handler runs. Raises `BenchError`."""
        with self._copy("empty") as database, self._start() as sender, self._start() as consumer:
            sender.ask("open", dsn=self._dsn(database, "sender"), settings=settings)
            consumer.ask("open", dsn=self._dsn(database, "consumer"), settings=settings)
            consumer.ask("work")
            time.sleep(1.0)
            taken: list[float] = []
            deadline = time.monotonic() + seconds
            while len(taken) < jobs + _WARM_UP_PICKUPS and time.monotonic() < deadline:
                time.sleep(random.uniform(*_GAP_SECONDS))
                taken.append(_send_one(sender, consumer))
            for command in ("rest", "close"):
                consumer.ask(command)
            sender.ask("close")
        return taken[_WARM_UP_PICKUPS:] if len(taken) > 2 * _WARM_UP_PICKUPS else taken

    def count_idle(self, settings: Settings, seconds: float) -> float:
        """Return transactions per second of one idle consumer process. Raises `BenchError`."""
        with self._copy("empty", settings) as database, self._start() as consumer:
            consumer.ask("open", dsn=self._dsn(database, "consumer"), settings=settings)
            consumer.ask("work")
            time.sleep(_SETTLE_SECONDS)
            began, before = time.monotonic(), self._count_transactions(database)
            time.sleep(seconds)
            rate = (self._count_transactions(database) - before) / (time.monotonic() - began)
            for command in ("rest", "close"):
                consumer.ask(command)
        return rate

    def discard(self) -> None:
        """End the sender, and drop the prepared databases."""
        if self._sender is not None:
            self._sender.end()
            self._sender = None
        for database in sorted(self._prepared):
            self._drop(database)
        self._prepared.clear()

    def _prepare(self, depth: Depth) -> str:
        """Return the database that copies are made of, made at its first use."""
        name = f"{self._driven.database}_{depth}"
        if name in self._prepared:
            return name
        if depth == "empty":
            self._drop(name)
            self._bench.create_database(name)
            with self._start() as driver:
                driver.ask("open", dsn=self._dsn(name, "sender"), settings="defaults")
                driver.ask("install")
                driver.ask("close")
        else:
            source = self._prepare("empty")
            self._drop(name)
            self._bench.create_database(name, template=source)
            jobs = _DEEP_JOBS if self._driven.client_fills else 1
            self._enqueue(name, "defaults", jobs=jobs, bulk=True, other=depth == "other", future=depth == "future")
            with self._connect(name) as connection:
                if not self._driven.client_fills:
                    fill_table(connection, self._driven.table, _DEEP_JOBS)
                self._tidy(connection)
        self._prepared.add(name)
        return name

    @contextmanager
    def _copy(self, depth: Depth, purpose: str = "run") -> Iterator[str]:
        name = f"{self._driven.database}_{purpose}"
        source = self._prepare(depth)
        self._drop(name)
        self._bench.create_database(name, template=source)
        try:
            yield name
        finally:
            self._drop(name)

    def _drop(self, database: str) -> None:
        self._bench.drop_database(database)

    def _enqueue(
        self,
        database: str,
        settings: Settings,
        *,
        jobs: int,
        bulk: bool,
        other: bool = False,
        future: bool = False,
    ) -> float:
        if self._sender is None:
            self._sender = self._start()
        self._sender.ask("open", dsn=self._dsn(database, "sender"), settings=settings)
        answer = self._sender.ask("enqueue", jobs=jobs, bulk=bulk, other=other, future=future)
        self._sender.ask("close")
        return float(answer["seconds"])

    def _tidy(self, connection: psycopg.Connection) -> None:
        """Make each start from the same state: known to the planner, and no checkpoint due."""
        connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.SQL(self._driven.table)))
        connection.execute("checkpoint")

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(self._dsn(database, "clock"), autocommit=True)

    def _dsn(self, database: str, name: str) -> str:
        return f"{self._bench.stack.postgres.dsn(database)}?application_name={name}"

    def _start(self) -> DriverProcess:
        return DriverProcess(self._driven.program, self._log)

    def _count_transactions(self, database: str) -> int:
        ((count,),) = self._bench.sql(_COUNT_TRANSACTIONS, database)
        return int(count)


def _hear_all(drivers: Sequence[DriverProcess]) -> None:
    for driver in drivers:
        driver.hear()


def _send_one(sender: DriverProcess, consumer: DriverProcess) -> float:
    due = consumer.handled + 1
    answer = sender.ask("enqueue", jobs=1, bulk=False, other=False, future=False)
    deadline = time.monotonic() + _PICKUP_SECONDS
    while consumer.handled < due:
        if time.monotonic() > deadline:
            raise BenchError(f"a job was not picked up within {_PICKUP_SECONDS:.0f} s")
        read_drivers([consumer], 1.0)
    return float(consumer.at - answer["began"]) * 1000
