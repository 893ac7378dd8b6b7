"""Start a run of a pipeline by a push, and wait for its jobs."""

import time

import msgspec

from tests.bench.make_origin import Origin
from tests.bench.open_bench import Bench
from tests.bench.send_push import send_push, write_push


class StartedRun(msgspec.Struct, frozen=True):
    """The ids of a run's jobs, in the file's order, and when the webhook was sent (Unix seconds)."""

    jobs: list[str]
    triggered_at: float


def start_run(bench: Bench, origin: Origin, *, jobs: int = 1) -> StartedRun:
    """Push a commit and tell of it; returns once the run has been planned. Raises `BenchError`."""
    before = origin.commits[-1]
    (after,) = origin.push_commits()
    request = write_push(origin.name, origin.secret, before=before, after=after)
    triggered_at = time.time()
    answer = send_push(bench.port, request)
    bench.await_sql(
        "select count(*) = %s from job where run_id = %s and kind = 'shell'", jobs, answer.run_id, every=0.01
    )
    rows = bench.sql(
        """
        select j.id::text
        from job j
        join job_spec s on s.job_id = j.id
        where j.run_id = %s and j.kind = 'shell'
        order by s.position, s.key
        """,
        answer.run_id,
    )
    return StartedRun([job_id for (job_id,) in rows], triggered_at)
