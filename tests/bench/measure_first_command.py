"""Webhook → first command: what Howdah adds to the git work and the `sh -c` that any tool would have to do."""

import itertools
import time
from typing import Final

from tests.bench.make_origin import Origin, make_origin
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_most, compare, subtract, summarize
from tests.bench.send_push import send_push, write_push
from tests.bench.work_by_hand import HandWorker

_ROUNDS: Final = 40
# Each is pushed to every few seconds only: what ingest remembers of a pipeline is forgotten in between.
_PIPELINES: Final = 4
_COMMAND: Final = "date +%s.%N"
_PIPELINE_FILE: Final = f"on: push\njobs:\n  first:\n    run: {_COMMAND}\n"
_STAGES: Final = (
    "webhook answered", "plan job claimed", "plan job finished", "jobs planned", "job claimed", "step started",
    "command's own timestamp",
)  # fmt: skip


def measure_first_command(bench: Bench) -> Outcome:
    """Push, and read the command's own timestamp out of the log; by hand on the same commit, in turns."""
    origins = [make_origin(bench, _PIPELINE_FILE) for _ in range(_PIPELINES)]
    workers = [HandWorker(bench.stack.state / f"{origin.name}-hand", origin.bare.as_uri()) for origin in origins]
    for origin, worker in zip(origins, workers, strict=True):  # make the mirrors, and warm everything up
        _run_howdah(bench, origin)
        _run_by_hand(origin, worker)
    stages: list[list[float]] = []
    by_hand: list[float] = []
    for number, (origin, worker) in zip(
        range(_ROUNDS), itertools.cycle(zip(origins, workers, strict=True)), strict=False
    ):
        origin.push_commits()
        time.sleep(0.1)
        if number % 2:
            by_hand.append(_run_by_hand(origin, worker))
        stages.append(_run_howdah(bench, origin))
        if number % 2 == 0:
            by_hand.append(_run_by_hand(origin, worker))
    howdah = [times[-1] for times in stages]
    overhead = subtract(howdah, by_hand)
    lines = [
        Line("webhook → first command", "ms", summarize(howdah), summarize(by_hand), compare(howdah, by_hand)),
        Line("overhead over the work by hand", "ms", overhead, aim=at_most(40, overhead.median, "ms")),
    ]
    lines += [
        Line(f"  … {name}", "ms", summarize([times[place] for times in stages])) for place, name in enumerate(_STAGES)
    ]
    return Outcome(
        lines, "Stages count from before the webhook's connection; those that are statements, to their start."
    )


def _run_howdah(bench: Bench, origin: Origin) -> list[float]:
    """Push the newest commit through Howdah; returns ms from before the webhook to the end of each stage."""
    before, after = (["0" * 40, *origin.commits])[-2:]
    request = write_push(origin.name, origin.secret, before=before, after=after)
    began = time.time()
    answer = send_push(bench.port, request)
    time.sleep(0.15)  # no looking while it is measured
    bench.await_sql("select finished_at is not null from run where id = %s", answer.run_id)
    times = bench.sql(
        """
        select
            extract(epoch from p.started_at), extract(epoch from p.ended_at), extract(epoch from j.created_at),
            extract(epoch from a.started_at), extract(epoch from s.started_at), convert_from(c.data, 'UTF8')
        from run r
        join attempt p on p.job_id = r.plan_job_id
        join job j on j.run_id = r.id and j.kind = 'shell'
        join attempt a on a.job_id = j.id
        join step s on s.job_id = j.id
        join log_chunk c on c.job_id = j.id and c.stream = 1
        where r.id = %s
        """,
        answer.run_id,
    )
    if len(times) != 1:
        raise BenchError(f"run {answer.run_id} did not print one line")
    return [(float(at) - began) * 1000 for at in (answer.at, *times[0])]


def _run_by_hand(origin: Origin, worker: HandWorker) -> float:
    began, said = worker.run_commit(origin.commits[-1], _COMMAND)
    return (float(said) - began) * 1000
