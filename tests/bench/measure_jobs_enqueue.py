"""Jobs added per second: many with one call, and one transaction each."""

from typing import Final

from tests.bench.job_entrants import Entrant, gather_entrants, line_up, take_rounds
from tests.bench.job_loop import LIMIT
from tests.bench.open_bench import Bench
from tests.bench.outcome import Aim, Outcome, Spread, at_least

_BULK_JOBS: Final = 20_000
_SINGLE_JOBS: Final = 500
_ROUNDS: Final = 5


def measure_jobs_enqueue(bench: Bench) -> Outcome:
    """Have everybody add jobs, in turns; each from one process over one connection."""
    with gather_entrants(bench) as field:
        tuned = type(field)(
            field.howdah, [one for one in field.others if one.settings == one.system.settings[0]], field.missing
        )
        taken = take_rounds(tuned, _ROUNDS, _enqueue)
    lines = []
    for place, words in enumerate((f"{_BULK_JOBS:,} jobs added at once", "jobs added one by one")):
        rates = {label: [rounds[place] for rounds in several] for label, several in taken.items()}
        lines += line_up(tuned, words, "jobs/s", rates, _judge)
    return Outcome(lines, f"One process, one connection, one call after the other.{field.note}")


def _enqueue(entrant: Entrant) -> tuple[float, float]:
    system, settings = entrant.system, entrant.settings
    return (
        _BULK_JOBS / system.enqueue_bulk(settings, _BULK_JOBS),
        _SINGLE_JOBS / system.enqueue_single(settings, _SINGLE_JOBS),
    )


def _judge(entrant: Entrant, ratio: Spread) -> Aim | None:
    return None if entrant.system.name == LIMIT else at_least(1.0, ratio.median)
