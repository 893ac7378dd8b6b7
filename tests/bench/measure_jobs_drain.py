"""Jobs drained per second: 20,000 that do nothing, by one process and by two, new ones and warm ones."""

from typing import Final, TypeAlias

from tests.bench.job_entrants import Entrant, Field, gather_entrants, line_up, take_rounds
from tests.bench.job_loop import LIMIT
from tests.bench.open_bench import Bench
from tests.bench.outcome import Aim, Line, Outcome, Spread, at_least
from tests.bench.peers.job_system import Drained

_JOBS: Final = 20_000
_ROUNDS: Final = 3
_PROCESSES: Final = (1, 2)
_LEAST_RATIOS: Final = {
    (LIMIT, "tuned"): 0.7,
    ("graphile-worker", "tuned"): 1.0,
    ("PgQueuer", "tuned"): 1.5,
}

# By the number of processes, the drains of new processes and of warm ones.
_Drains: TypeAlias = dict[int, list[Drained]]


def measure_jobs_drain(bench: Bench) -> Outcome:
    """Have everybody drain, in turns."""
    with gather_entrants(bench) as field:
        taken = take_rounds(field, _ROUNDS, _drain)
    lines: list[Line] = []
    for place, warmth in enumerate(("", ", warm")):
        for processes in _PROCESSES:
            words = f"{_JOBS:,} jobs, {processes} process{'es' if processes > 1 else ''}{warmth}"
            lines += _line_up_rates(field, taken, words, processes, place)
    alone = {label: [rounds[1][0] for rounds in several] for label, several in taken.items()}
    wal = {label: [one.wal_bytes / one.jobs for one in several] for label, several in alone.items()}
    commits = {label: [1000 * one.commits / one.jobs for one in several] for label, several in alone.items()}
    lines += line_up(field, "WAL from claim to end", "bytes/job", wal)
    lines += line_up(field, "commits from claim to end", "per 1,000", commits)
    return Outcome(
        lines,
        "A warm process drains for the second time: Node has compiled what it runs. Who is too slow to end is cut "
        f"short, and judged by what was done by then.{field.note}",
    )


def _drain(entrant: Entrant) -> _Drains:
    times = 1 if entrant.is_slow else 2
    return {
        processes: entrant.system.drain(entrant.settings, processes=processes, jobs=_JOBS, depth="empty", times=times)
        for processes in _PROCESSES
    }


def _line_up_rates(field: Field, taken: dict[str, list[_Drains]], words: str, processes: int, place: int) -> list[Line]:
    rates = {
        label: [rounds[processes][place].rate for rounds in several if place < len(rounds[processes])]
        for label, several in taken.items()
    }
    present = Field(field.howdah, [entrant for entrant in field.others if rates[entrant.label]], field.missing)
    return line_up(present, words, "jobs/s", rates, _judge)


def _judge(entrant: Entrant, ratio: Spread) -> Aim | None:
    least = _LEAST_RATIOS.get(entrant.kind)
    return None if least is None else at_least(least, ratio.median)
