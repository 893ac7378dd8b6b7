"""Jobs drained per second when somebody has held a transaction open for three minutes, beside as long without one.

As long as it is open, the server may clean up nothing: every version of every job since then stays in tables and
indexes. Round after round of jobs is enqueued, and drained by one executor that runs all the time. The reference has
had as long to fill tables, checkpoints and caches, which costs a quarter by itself.
"""

import time
from typing import Final

import psycopg

from tests.bench.howdah_jobs import HOWDAH_DRIVER
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_least, compare, summarize
from tests.bench.peers.driver_process import DriverProcess, read_drivers

_DATABASE: Final = "bench_howdah_snapshot"
_JOBS: Final = 20_000
_ROUNDS: Final = 5
_HELD_SECONDS: Final = 180.0
_PATIENCE_SECONDS: Final = 60.0
# Ids are in the order of time.
_NEWEST: Final = (
    "select coalesce((select id from job order by id desc limit 1), '00000000-0000-0000-0000-000000000000')"
)
# A round's jobs appear at once, when the call that enqueues them commits.
_RATE: Final = """
select count(*) / extract(epoch from max(finished_at) - min(claimed_at))::float8, count(*)
from job
where id > %s
    and state = 'succeeded'
"""


def measure_jobs_snapshot(bench: Bench) -> Outcome:
    """Drain rounds for three minutes without an old snapshot, and for three with one; the last rounds count."""
    free = _drain_for_long(bench, is_held=False)
    held = _drain_for_long(bench, is_held=True)
    last = held[-_ROUNDS:]
    ratio = compare(last, free[-_ROUNDS:])
    return Outcome(
        [
            Line(
                f"{_JOBS:,} jobs, an old snapshot held for 3 minutes",
                "jobs/s",
                summarize(last),
                summarize(free[-_ROUNDS:]),
                ratio,
                at_least(0.8, ratio.median),
            )
        ],
        f"The last {_ROUNDS} of {len(held)} rounds under the snapshot; the reference: of {len(free)} without one.",
    )


def _drain_for_long(bench: Bench, *, is_held: bool) -> list[float]:
    """Return the rate of each round, in jobs per second. Raises `BenchError`."""
    bench.drop_database(_DATABASE)
    bench.create_database(_DATABASE)
    dsn = bench.stack.postgres.dsn(_DATABASE)
    log = bench.stack.state / "howdah-snapshot.log"
    try:
        with DriverProcess(HOWDAH_DRIVER, log) as sender, DriverProcess(HOWDAH_DRIVER, log) as consumer:
            sender.ask("open", dsn=f"{dsn}?application_name=sender", settings="tuned")
            sender.ask("install")
            consumer.ask("open", dsn=f"{dsn}?application_name=consumer", settings="tuned")
            consumer.ask("work")
            with psycopg.connect(dsn, autocommit=True) as clock, psycopg.connect(dsn) as holder:
                _drain(clock, sender, consumer)  # warm up
                if is_held:
                    holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                    holder.execute("select count(*) from job")
                until = time.monotonic() + _HELD_SECONDS
                rates: list[float] = []
                while time.monotonic() < until or len(rates) < _ROUNDS:
                    rates.append(_drain(clock, sender, consumer))
            for command in ("rest", "close"):
                consumer.ask(command)
            sender.ask("close")
    finally:
        bench.drop_database(_DATABASE)
    return rates


def _drain(clock: psycopg.Connection, sender: DriverProcess, consumer: DriverProcess) -> float:
    """Enqueue a round and return its rate, in jobs per second, from the jobs' own times. Raises `BenchError`."""
    row = clock.execute(_NEWEST).fetchone()
    due = consumer.handled + _JOBS
    sender.ask("enqueue", jobs=_JOBS, bulk=True, other=False, future=False)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while consumer.handled < due:
        if time.monotonic() > deadline:
            raise BenchError(f"a round was not drained within {_PATIENCE_SECONDS:.0f} s")
        read_drivers([consumer], 1.0)
    while True:
        measured = clock.execute(_RATE, [row[0] if row else None]).fetchone()
        if measured is not None and measured[1] == _JOBS:
            return float(measured[0])
        if time.monotonic() > deadline:
            raise BenchError("the ends of a round were not written down")
        time.sleep(0.05)
