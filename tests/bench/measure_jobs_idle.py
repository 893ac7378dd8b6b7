"""Idle traffic of job queues: transactions per second of one consumer process that has nothing to do."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.bench.job_entrants import Entrant, gather_entrants, line_up
from tests.bench.job_loop import LIMIT
from tests.bench.open_bench import Bench
from tests.bench.outcome import Line, Outcome, at_most, summarize

_WINDOW_SECONDS: Final = 40.0
_MOST_PER_EXECUTOR: Final = 2.0


def measure_jobs_idle(bench: Bench) -> Outcome:
    """Have everybody do nothing at the same time: who is idle is in nobody's way. The limit has nothing to poll for."""
    with gather_entrants(bench) as field:
        others = [entrant for entrant in field.others if entrant.system.name != LIMIT]
        present = type(field)(field.howdah, others, field.missing)
        everybody = [*([] if field.howdah is None else [field.howdah]), *others]
        rates: dict[str, list[float]] = {}
        # A system's own databases are made one after the other.
        for tuned in (True, False):
            turn = [entrant for entrant in everybody if (entrant.settings == entrant.system.settings[0]) is tuned]
            with ThreadPoolExecutor(len(turn) or 1) as pool:
                counted = pool.map(_count, turn)
                rates |= {entrant.label: [rate] for entrant, rate in zip(turn, counted, strict=True)}
    lines = line_up(present, "one idle process", "tx/s", rates)
    if field.howdah is not None:
        howdah = summarize(rates[field.howdah.label])
        lines.insert(
            0, Line("one idle executor", "tx/s", howdah, aim=at_most(_MOST_PER_EXECUTOR, howdah.median, "tx/s"))
        )
    return Outcome(lines, f"Counted over {_WINDOW_SECONDS:.0f} s, in a database of its own each.{field.note}")


def _count(entrant: Entrant) -> float:
    return entrant.system.count_idle(entrant.settings, _WINDOW_SECONDS)
