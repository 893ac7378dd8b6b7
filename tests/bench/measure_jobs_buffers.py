"""Pages touched for a job that is finished and claimed, in tables of different depth; the server counts them itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql

from services.executor.queries.turn_over_jobs import TURN_OVER_JOBS
from shared.ids import new_id
from tests.bench.howdah_jobs import HOWDAH_DRIVER
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_most, compare, summarize
from tests.bench.peers.driver_process import DriverProcess

_BATCH: Final = 100
_STATEMENTS: Final = 60
# The first ones open what a session opens once.
_WARM_UP: Final = 20
_WAITING: Final = 1_000_000
_FUTURE: Final = 500_000
_DATABASE: Final = "bench_howdah_buffers"
# name → how many jobs stand there beside those that are claimed, and where.
_DEPTHS: Final[dict[str, tuple[int, dict[str, bool]]]] = {
    "empty table": (0, {"other": False, "future": False}),
    "1,000,000 waiting": (_WAITING, {"other": False, "future": False}),
    "500,000 in another queue": (_FUTURE, {"other": True, "future": False}),
    "500,000 future jobs": (_FUTURE, {"other": False, "future": True}),
}


def measure_jobs_buffers(bench: Bench) -> Outcome:
    """Count pages by EXPLAIN, while one session turns over batch after batch."""
    pages: dict[str, list[float]] = {}
    for name, (jobs, where) in _DEPTHS.items():
        with _prepare(bench, jobs, where) as connection:
            pages[name] = _turn_over(connection)
    empty = pages.pop("empty table")
    lines = [Line("pages touched per job: empty table", "", summarize(empty))]
    for name, counted in pages.items():
        ratio = compare(counted, empty)
        lines.append(
            Line(
                f"pages touched per job: {name}",
                "",
                summarize(counted),
                summarize(empty),
                ratio,
                at_most(1.2, ratio.median, ""),
            )
        )
    return Outcome(
        lines,
        f"Shared buffers hit and read by one statement that finishes {_BATCH} jobs and claims {_BATCH}, "
        "divided by that; the reference is the empty table.",
    )


@contextmanager
def _prepare(bench: Bench, jobs: int, where: dict[str, bool]) -> Iterator[psycopg.Connection]:
    bench.drop_database(_DATABASE)
    bench.create_database(_DATABASE)
    dsn = bench.stack.postgres.dsn(_DATABASE)
    try:
        with DriverProcess(HOWDAH_DRIVER, bench.stack.state / "howdah-buffers.log") as driver:
            driver.ask("open", dsn=f"{dsn}?application_name=sender", settings="tuned")
            driver.ask("install")
            enough = _BATCH * (_STATEMENTS + 1)
            driver.ask("enqueue", jobs=enough, bulk=True, other=False, future=False)
            if jobs:
                driver.ask("enqueue", jobs=jobs, bulk=True, **where)
            driver.ask("close")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("vacuum (analyze) job")
            connection.execute("set plan_cache_mode = force_generic_plan")
            yield connection
    finally:
        bench.drop_database(_DATABASE)


def _turn_over(connection: psycopg.Connection) -> list[float]:
    """Return the pages per job of each statement. Raises `BenchError`."""
    executor_id = new_id()
    connection.execute(
        """
        insert into executor (id, name, version, queues, labels, slots, plan_slots, handler_slots, job_types)
        values (%s, 'bench', '0', '{default}', '{}', 0, 0, 100, '{noop}')
        """,
        [executor_id],
    )
    types = "tid[], uuid[], integer[], uuid[], text, uuid, integer[], bigint[], text[], text[], text[], integer"
    connection.execute(f"prepare turn_over ({types}) as {TURN_OVER_JOBS}".encode())
    pages = []
    claimed: list[tuple[str, UUID, int]] = []
    mark: tuple[int, int] | None = None
    for _ in range(_STATEMENTS):
        plan = connection.execute(_explain(claimed, executor_id, mark)).fetchone()
        if plan is None:
            raise BenchError("EXPLAIN said nothing")
        root: dict[str, Any] = plan[0][0]["Plan"]
        pages.append((root["Shared Hit Blocks"] + root["Shared Read Blocks"]) / _BATCH)
        rows = connection.execute(
            """
            select ctid::text, id, claim_epoch, lane_id, claim_order from job
            where state = 'running' and executor_id = %s
            """,
            [executor_id],
        ).fetchall()
        if len(rows) != _BATCH:
            raise BenchError(f"{len(rows)} jobs were claimed, not {_BATCH}")
        claimed = [(row[0], row[1], row[2]) for row in rows]
        mark = rows[0][3], max(row[4] for row in rows)
    return pages[_WARM_UP:]


def _explain(claimed: list[tuple[str, UUID, int]], executor_id: UUID, mark: tuple[int, int] | None) -> sql.Composed:
    return sql.SQL(
        "explain (analyze, buffers, timing off, format json) execute turn_over"
        " ({}, {}, {}, {}, {}, {}, {}, {}, '{{default}}', '{{noop}}', '{{}}', {})"
    ).format(
        sql.Literal("{" + ",".join(f'"{row_at}"' for row_at, _, _ in claimed) + "}"),
        sql.Literal("{" + ",".join(str(job_id) for _, job_id, _ in claimed) + "}"),
        sql.Literal("{" + ",".join(str(epoch) for _, _, epoch in claimed) + "}"),
        sql.Literal("{}"),
        sql.Literal("[]"),
        sql.Literal(executor_id),
        sql.Literal([] if mark is None else [mark[0]]),
        sql.Literal([] if mark is None else [mark[1]]),
        sql.Literal(_BATCH),
    )
