"""The clock of a drain, the same for every job queue.

Consumers are not started by the clock: they run already. Before they do, a transaction locks their job table, so that
they connect, make ready, and send their first claim, which waits. When every process waits there, the clock starts,
and the lock is let go. It stops when the database says that no job is left unfinished: looked for once the handlers
have seen every job, and dated back to before the look that saw it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from tests.bench.open_bench import BenchError
from tests.bench.peers.driver_process import DriverProcess, read_drivers
from tests.bench.peers.job_system import Drained

_GATE_SECONDS: Final = 60.0
# The backends that wait for a lock of another transaction, by the names that their processes gave themselves.
_COUNT_WAITING: Final = """
select count(distinct application_name)
from pg_stat_activity
where datname = current_database()
    and wait_event_type = 'Lock'
    and application_name = any(%s)
"""

_READ_COST: Final = """
select
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""


class Ledger:
    """What the database says of a drain: where jobs are, and how many of those that were added are not finished."""

    def __init__(
        self, connection: psycopg.Connection, table: LiteralString, newest: LiteralString, unfinished: LiteralString
    ) -> None:
        self.connection = connection
        self.table = table
        self._unfinished = unfinished
        self._newest = self._ask(newest)

    def count_unfinished(self) -> int:
        """Return how many jobs that were added since this ledger was opened are not finished."""
        return int(self._ask(self._unfinished, self._newest))

    def _ask(self, query: LiteralString, *arguments: object) -> Any:
        row = self.connection.execute(query, arguments or None).fetchone()
        return None if row is None else row[0]


def time_drain(
    ledger: Ledger,
    drivers: Sequence[DriverProcess],
    names: Sequence[str],
    start: Callable[[], None],
    *,
    jobs: int,
    most_seconds: float,
) -> Drained:
    """Time a drain by processes that call themselves `names`; `start` makes them consume.

    It ends after `most_seconds` in any case, and then tells of what was finished by then. Raises `BenchError` when the
    consumers do not come to wait, or handled more than there was.
    """
    before = sum(driver.handled for driver in drivers)
    connection = ledger.connection
    with connection.transaction():
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(sql.SQL(ledger.table)))
        start()
        _await_gate(connection, names)
        wal, commits = _read_cost(connection)
        began = time.monotonic()
    deadline = began + most_seconds
    while sum(driver.handled for driver in drivers) - before < jobs and time.monotonic() < deadline:
        read_drivers(drivers, deadline - time.monotonic())
    while True:
        ended = time.monotonic()
        unfinished = ledger.count_unfinished()
        if not unfinished or ended > deadline:
            break
    wal_after, commits_after = _read_cost(connection)
    drained = Drained(jobs - unfinished, ended - began, wal_after - wal, commits_after - commits)
    read_drivers(drivers, 0)
    handled = sum(driver.handled for driver in drivers) - before
    if handled > jobs:
        raise BenchError(f"{handled} jobs were handled where {jobs} were added")
    if not drained.jobs:
        raise BenchError(f"no job was finished within {most_seconds:.0f} s")
    return drained


def _await_gate(connection: psycopg.Connection, names: Sequence[str]) -> None:
    deadline = time.monotonic() + _GATE_SECONDS
    while True:
        # Within a transaction, the server would go on telling what it saw first.
        connection.execute("select pg_stat_clear_snapshot()")
        row = connection.execute(_COUNT_WAITING, [list(names)]).fetchone()
        if row is not None and row[0] == len(names):
            return
        if time.monotonic() > deadline:
            raise BenchError(f"the consumers did not ask for jobs within {_GATE_SECONDS:.0f} s")
        time.sleep(0.005)


def _read_cost(connection: psycopg.Connection) -> tuple[int, int]:
    """Return the bytes of WAL and the transaction ids that the server has used up: only who writes gets one."""
    row = connection.execute(_READ_COST).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))
