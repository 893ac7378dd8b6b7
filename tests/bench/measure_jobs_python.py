"""What `enqueue_many` costs beyond the call in SQL that it makes."""

import time
from typing import Final

import psycopg

from deploy.migrate import run_dbmate
from shared.jobs.encode_jobs import encode_jobs
from shared.producer import NewJob, enqueue_many_blocking
from tests.bench.open_bench import Bench
from tests.bench.outcome import Line, Outcome, at_most, compare, summarize

_JOBS: Final = 10_000
_ROUNDS: Final = 15
_DATABASE: Final = "bench_python"
_MOST: Final = 1.1


def measure_jobs_python(bench: Bench) -> Outcome:
    """Enqueue jobs both ways in turns; each round begins with the other."""
    jobs = [NewJob(type="note", payload={"order_id": n, "address": "a@example.org"}) for n in range(_JOBS)]
    text = encode_jobs(jobs).decode()
    python: list[float] = []
    bare: list[float] = []
    bench.drop_database(_DATABASE)
    bench.create_database(_DATABASE)
    try:
        dsn = bench.stack.postgres.dsn(_DATABASE)
        run_dbmate(dsn, "migrate")
        with psycopg.connect(dsn, autocommit=True) as connection:
            for number in range(_ROUNDS):
                for is_python in (False, True) if number % 2 else (True, False):
                    began = time.perf_counter()
                    if is_python:
                        enqueue_many_blocking(connection, jobs)
                    else:
                        connection.execute("select * from enqueue_jobs(%s::jsonb)", [text]).fetchall()
                    (python if is_python else bare).append((time.perf_counter() - began) * 1000)
    finally:
        bench.drop_database(_DATABASE)
    ratio = compare(python, bare)
    what = f"{_JOBS:,} jobs enqueued from Python, in one call"
    line = Line(what, "ms", summarize(python), summarize(bare), ratio, at_most(_MOST, ratio.median, "of the bare call"))
    return Outcome([line], "The reference sends JSON that is ready, and reads the ids as tuples.")
