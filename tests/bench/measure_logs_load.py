"""Twenty jobs that print 10,000 lines a second, and who watches them: nothing lost, how late, and at what cost."""

from collections import Counter
from typing import Final

import psycopg

from tests.bench.drive_watchers import watch_logs
from tests.bench.open_bench import Bench
from tests.bench.outcome import Line, Outcome, at_most
from tests.bench.start_printers import Pace, start_printers
from tests.bench.trip_by_hand import HandTrip
from tests.bench.watch_logs import ALL_LOGS, LINE_BYTES, Watch
from tests.bench.watch_printers import (
    check_received,
    line_up_cores,
    line_up_late,
    one,
    print_watched,
    stream_path,
)

_JOBS: Final = 20
_SECONDS: Final = 60
_FEW_SECONDS: Final = 10
_CLIENTS_PER_JOB: Final = 5
_CLIENTS_OF_ALL: Final = 2
# As of a program that flushes now and then: 5 lines at once, every 10 ms.
_TICK_MS: Final = 10
_LINES_PER_TICK: Final = 5
_PATIENCE_SECONDS: Final = 20.0


def measure_logs_load(bench: Bench) -> Outcome:
    """Load for a minute."""
    return _measure(bench, _SECONDS)


def measure_logs_load_short(bench: Bench) -> Outcome:
    """Load for ten seconds."""
    return _measure(bench, _FEW_SECONDS)


def _measure(bench: Bench, seconds: int) -> Outcome:
    pace = Pace(_LINES_PER_TICK, _TICK_MS, seconds * 1000 // _TICK_MS)
    with start_printers(bench, _JOBS, pace) as printers:
        of_jobs = [stream_path(job) for job in printers.jobs]
        lines = {**dict.fromkeys(of_jobs, pace.all_lines), ALL_LOGS: pace.all_lines * _JOBS}
        paths = [*of_jobs * _CLIENTS_PER_JOB, *[ALL_LOGS] * _CLIENTS_OF_ALL]
        by_hand: list[float] = []
        with (
            watch_logs(Watch(bench.port, bench.token, paths, lines)) as watchers,
            psycopg.connect(bench.dsn(), autocommit=True) as sender,
            psycopg.connect(bench.dsn(), autocommit=True) as reader,
        ):
            trip = HandTrip(sender, reader)
            began, cost = print_watched(bench, printers, watchers, meanwhile=lambda: by_hand.append(trip.measure()))
            printers.leave()
            watched = watchers.collect(_PATIENCE_SECONDS)
        check_received(bench, printers, watched)
    late = Counter[int]()
    for path in of_jobs:
        late.update(watched.late[path])
    return Outcome(
        [
            *line_up_late(f"client of one job ({_JOBS * _CLIENTS_PER_JOB} of them)", late, by_hand),
            *line_up_late(f"client of all jobs ({_CLIENTS_OF_ALL} of them)", watched.late[ALL_LOGS], by_hand),
            *(
                Line(f"{part}, greatest PSS", "MB", one(memory), aim=at_most(150, memory, "MB"))
                for part, memory in cost.memory.items()
            ),
            *line_up_cores(cost),
        ],
        f"{_JOBS} jobs print {pace.all_lines * _JOBS / pace.seconds:,.0f} lines of {LINE_BYTES} bytes a second for "
        f"{pace.seconds:.0f} s, {_LINES_PER_TICK} at a time. Every line came to every client that watched it, once and "
        f"in order (CRC-32 against the stored bytes), the last {watched.last_at - began - pace.seconds:.2f} s after it "
        "was due. The reference is what the machine makes of a single insert, NOTIFY and select at the same time.",
    )
