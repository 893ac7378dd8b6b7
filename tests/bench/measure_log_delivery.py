"""Printed → SSE client: a line's way from a command on an idle machine to somebody who watches."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Final

import psycopg

from tests.bench.make_origin import make_origin
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_most, compare, summarize
from tests.bench.start_run import start_run
from tests.bench.trip_by_hand import HandTrip
from tests.bench.write_pipeline import Program, write_pipeline

_PRINTS: Final = 80
_WARM_UP: Final = 5


def measure_log_delivery(bench: Bench) -> Outcome:
    """Follow a job that prints its own time now and then; in each pause, one trip by hand through the same server."""
    origin = make_origin(bench, write_pipeline([("printer", Program("print_times.py", (str(_PRINTS),)))]))
    (job_id,) = start_run(bench, origin).jobs
    with (
        psycopg.connect(bench.dsn(), autocommit=True) as sender,
        psycopg.connect(bench.dsn(), autocommit=True) as reader,
    ):
        trip = HandTrip(sender, reader)
        by_hand: list[float] = []

        def take_trip() -> None:
            time.sleep(0.06)  # what follows the delivery on Howdah's side is over by then
            by_hand.append(trip.measure())

        howdah = follow_times(bench, job_id, take_trip)
    if len(howdah) < _PRINTS // 2:
        raise BenchError(f"only {len(howdah)} of {_PRINTS} lines came one by one")
    del howdah[:_WARM_UP], by_hand[:_WARM_UP]
    seen, ratio = summarize(howdah), compare(howdah, by_hand)
    return Outcome(
        [
            Line("printed → SSE client, idle", "ms", seen, aim=at_most(10, seen.median, "ms")),
            Line("… beside a trip by hand", "ms", seen, summarize(by_hand), ratio, at_most(3, ratio.median, "")),
        ],
        "By hand: insert and NOTIFY in one statement, the listener wakes, one select.",
    )


def follow_times(bench: Bench, job_id: str, after_each: Callable[[], None] = lambda: None) -> list[float]:
    """Return the ms from each printed time to this client of the job's stream, until the job ends.

    What came together with another line is left out. `after_each` is called in the pauses. Raises `BenchError`.
    """
    late = []
    stream = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=30)
    try:
        stream.request("GET", f"/api/v1/stream/logs/{job_id}", headers={"authorization": f"Bearer {bench.token}"})
        response = stream.getresponse()
        if response.status != 200:
            raise BenchError(f"the stream of job {job_id} answered {response.status}")
        while line := response.readline():
            at = time.time_ns()
            if line.startswith(b"event: end"):
                break
            if not line.startswith(b"data:"):
                continue
            printed = json.loads(line.removeprefix(b"data:"))["text"].split()
            if len(printed) == 1:
                late.append((at - int(printed[0])) / 1e6)
                after_each()
    finally:
        stream.close()
    return late
