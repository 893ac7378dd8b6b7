"""What a deep table costs: the same drain beside 500,000 jobs that are not due, or that are another queue's."""

from typing import Final

from tests.bench.job_entrants import Entrant, gather_entrants, line_up, take_rounds
from tests.bench.open_bench import Bench
from tests.bench.outcome import Line, Outcome, at_least, summarize
from tests.bench.peers.job_system import Depth

_JOBS: Final = 20_000
_ROUNDS: Final = 2
_LEAST_SHARE: Final = 95.0
_DEPTHS: Final[dict[Depth, str]] = {
    "empty": "nothing",
    "future": "500,000 due in an hour",
    "other": "500,000 in another queue",
}


def measure_jobs_depth(bench: Bench) -> Outcome:
    """Have everybody drain an empty table and two deep ones, in turns; one process each."""
    with gather_entrants(bench) as field:
        taken = take_rounds(field, _ROUNDS, _drain)
    lines: list[Line] = []
    for depth, words in _DEPTHS.items():
        rates = {label: [rounds[depth] for rounds in several] for label, several in taken.items()}
        lines += line_up(field, f"beside {words}", "jobs/s", rates)
    for depth, words in list(_DEPTHS.items())[1:]:
        for entrant in [*([] if field.howdah is None else [field.howdah]), *field.others]:
            several = taken[entrant.label]
            share = summarize([100 * rounds[depth] / rounds["empty"] for rounds in several])
            is_howdah = entrant is field.howdah
            lines.append(
                Line(
                    f"rate left beside {words}: {entrant.label}",
                    "%",
                    share if is_howdah else None,
                    None if is_howdah else share,
                    aim=at_least(_LEAST_SHARE, share.median, "%") if is_howdah else None,
                )
            )
    return Outcome(lines, f"One process, new; {_JOBS:,} jobs.{field.note}")


def _drain(entrant: Entrant) -> dict[Depth, float]:
    return {
        depth: entrant.system.drain(entrant.settings, processes=1, jobs=_JOBS, depth=depth, times=1)[0].rate
        for depth in _DEPTHS
    }
