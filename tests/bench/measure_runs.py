"""Run throughput: many small runs of one pipeline, pushed at once."""

import itertools
import time
from typing import Final

from tests.bench.make_origin import Origin, make_origin
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, summarize
from tests.bench.send_push import send_pushes, write_push

_RUNS: Final = 60
_ROUNDS: Final = 3
_PIPELINE_FILE: Final = "on: push\njobs:\n  only: {run: 'true'}\n"


def measure_runs(bench: Bench) -> Outcome:
    """Push sixty commits, then tell of all at once; the clock stops when the last run has ended."""
    origin = make_origin(bench, _PIPELINE_FILE)
    seconds = [_run_all(bench, origin) for _ in range(_ROUNDS)]
    ((slots, plan_slots),) = bench.sql(
        "select sum(slots)::int, sum(plan_slots)::int from executor where state = 'active'"
    )
    return Outcome(
        [
            Line(f"{_RUNS} one-command runs", "s", summarize(seconds)),
            Line("runs per second", "runs/s", summarize([_RUNS / took for took in seconds])),
        ],
        f"One executor with {slots} slots and {plan_slots} for plans; each run is a plan, a checkout and a command.",
    )


def _run_all(bench: Bench, origin: Origin) -> float:
    commits = [origin.commits[-1], *origin.push_commits(_RUNS)]
    requests = [
        write_push(origin.name, origin.secret, before=before, after=after)
        for before, after in itertools.pairwise(commits)
    ]
    began = time.time()
    answers = send_pushes(bench.port, requests)
    ids = [answer.run_id for answer in answers]
    bench.await_sql(
        "select count(*) = %s from run where id = any(%s) and finished_at is not null", len(ids), ids, every=0.2
    )
    ((ended, succeeded),) = bench.sql(
        """
        select extract(epoch from max(finished_at)), count(*) filter (where state = 'succeeded')
        from run where id = any(%s)
        """,
        ids,
    )
    if succeeded != _RUNS:
        raise BenchError(f"only {succeeded} of {_RUNS} runs succeeded")
    return float(ended) - began
