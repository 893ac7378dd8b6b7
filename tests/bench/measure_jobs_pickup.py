"""How soon an idle consumer runs a job: ms from before the job is added until its handler runs."""

import itertools
from collections.abc import Sequence
from typing import Final

from tests.bench.job_entrants import Entrant, gather_entrants, line_up, take_rounds
from tests.bench.job_loop import LIMIT
from tests.bench.open_bench import Bench
from tests.bench.outcome import Aim, Outcome, Spread, at_most

_JOBS: Final = 100
_ROUNDS: Final = 3
# Who polls every two seconds gives a few samples only.
_MOST_SECONDS: Final = 8.0
_PERCENTILES: Final = (50, 95, 99)


def measure_jobs_pickup(bench: Bench) -> Outcome:
    """Have everybody wait for single jobs, in turns."""
    with gather_entrants(bench) as field:
        taken = take_rounds(field, _ROUNDS, _pick_up)
    lines = []
    for percentile in _PERCENTILES:
        times = {
            label: [_percentile(percentile, times) for times in several if times] for label, several in taken.items()
        }
        lines += line_up(field, f"added → handler runs, p{percentile}", "ms", times, _judge)
    counts = ", ".join(f"{label}: {len(list(itertools.chain(*several)))}" for label, several in taken.items())
    return Outcome(lines, f"Median of the rounds' percentiles. Samples in all: {counts}.{field.note}")


def _pick_up(entrant: Entrant) -> list[float]:
    return entrant.system.measure_pickup(entrant.settings, _JOBS, _MOST_SECONDS)


def _percentile(percentile: int, times: Sequence[float]) -> float:
    return sorted(times)[round(percentile / 100 * (len(times) - 1))]


def _judge(entrant: Entrant, ratio: Spread) -> Aim | None:
    return None if entrant.system.name == LIMIT else at_most(1.0, ratio.median, "")
