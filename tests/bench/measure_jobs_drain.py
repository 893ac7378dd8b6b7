"""Jobs drained per second: 20,000 that do nothing, by one process and by two, new ones and warm ones."""

from typing import Final, TypeAlias

from tests.bench.howdah_loop import OWN_LIMIT
from tests.bench.job_entrants import Entrant, gather_entrants, line_up, take_rounds
from tests.bench.job_loop import LIMIT
from tests.bench.open_bench import Bench
from tests.bench.outcome import Aim, Line, Outcome, Spread, at_least
from tests.bench.peers.job_system import Drained

_JOBS: Final = 20_000
_ROUNDS: Final = 3
_PROCESSES: Final = (1, 2)
_LEAST_RATIOS: Final = {
    (LIMIT, "tuned"): 0.7,
    (OWN_LIMIT, "tuned"): 0.7,
    ("graphile-worker", "tuned"): 1.0,
    ("PgQueuer", "tuned"): 1.5,
}

# By the number of processes, the drains of new processes and of warm ones.
_Drains: TypeAlias = dict[int, list[Drained]]


def measure_jobs_drain(bench: Bench) -> Outcome:
    """Have everybody drain, in turns."""
    with gather_entrants(bench, own_limit=True) as field:
        taken = take_rounds(field, _ROUNDS, _drain)
    lines: list[Line] = []
    for place, warmth in enumerate(("", ", warm")):
        for processes in _PROCESSES:
            words = f"{_JOBS:,} jobs, {processes} process{'es' if processes > 1 else ''}{warmth}"
            rates = {
                label: [_pick_rate(rounds, processes, place) for rounds in several] for label, several in taken.items()
            }
            lines += line_up(field, words, "jobs/s", rates, _judge)
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


def _pick_rate(rounds: _Drains, processes: int, place: int) -> float | None:
    """Return the rate of that drain; there is none where the one before was cut short."""
    drained = rounds[processes]
    return drained[place].rate if place < len(drained) else None


def _judge(entrant: Entrant, ratio: Spread) -> Aim | None:
    least = _LEAST_RATIOS.get(entrant.kind)
    return None if least is None else at_least(least, ratio.median)
