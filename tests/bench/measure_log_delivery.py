"""Printed → SSE client: a line's way from a command on an idle machine to somebody who watches."""

import http.client
import json
import time
from typing import Final

import psycopg

from tests.bench.make_origin import make_origin
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_most, compare, summarize
from tests.bench.send_push import send_push, write_push
from tests.bench.trip_by_hand import HandTrip

_PRINTS: Final = 80
_WARM_UP: Final = 5
_PRINTER: Final = f"""\
import random, time
time.sleep(1)
for _ in range({_PRINTS}):
    print(time.time_ns(), flush=True)
    time.sleep(random.uniform(0.15, 0.3))
"""
_PIPELINE_FILE: Final = (
    "on: push\njobs:\n  printer:\n    run: |\n      exec python3 - <<'END'\n"
    + "".join(f"      {line}\n" for line in _PRINTER.splitlines())
    + "      END\n"
)


def measure_log_delivery(bench: Bench) -> Outcome:
    """Follow a job that prints its own time now and then; in each pause, one trip by hand through the same server."""
    origin = make_origin(bench, _PIPELINE_FILE)
    answer = send_push(bench.port, write_push(origin.name, origin.secret, before="0" * 40, after=origin.commits[-1]))
    bench.await_sql("select exists (select from job where run_id = %s and kind = 'shell')", answer.run_id)
    ((job_id,),) = bench.sql("select id::text from job where run_id = %s and kind = 'shell'", answer.run_id)
    with (
        psycopg.connect(bench.dsn(), autocommit=True) as sender,
        psycopg.connect(bench.dsn(), autocommit=True) as reader,
    ):
        trip = HandTrip(sender, reader)
        howdah, by_hand = _follow(bench, job_id, trip)
    if len(howdah) < _PRINTS // 2:
        raise BenchError(f"only {len(howdah)} of {_PRINTS} lines came one by one")
    del howdah[:_WARM_UP], by_hand[:_WARM_UP]
    seen = summarize(howdah)
    return Outcome(
        [
            Line(
                "printed → SSE client, idle",
                "ms",
                seen,
                summarize(by_hand),
                compare(howdah, by_hand),
                at_most(10, seen.median, "ms"),
            )
        ],
        "By hand: insert and NOTIFY in one statement, the listener wakes, one select.",
    )


def _follow(bench: Bench, job_id: str, trip: HandTrip) -> tuple[list[float], list[float]]:
    howdah, by_hand = [], []
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
                howdah.append((at - int(printed[0])) / 1e6)
                time.sleep(0.06)  # what follows the delivery on Howdah's side is over by then
                by_hand.append(trip.measure())
    finally:
        stream.close()
    return howdah, by_hand
