"""Have jobs print while clients watch, look at what that takes, and check that everything came to everybody."""

import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from services.executor.find_processes import read_mark
from tests.bench.drive_watchers import Watchers
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Spread, at_most, summarize
from tests.bench.read_processes import list_service, list_tree, read_cpu_seconds, read_memory
from tests.bench.read_raw_log import read_raw_log
from tests.bench.start_printers import Printers
from tests.bench.watch_logs import ALL_LOGS, LINE_BYTES, Watched

_PAUSE_SECONDS: Final = 0.2
_PAUSES_PER_LOOK: Final = 5
# Marks of jobs' processes are those of their executor with one more part.
_PARTS_OF_JOB_MARK: Final = 3


class Cost(msgspec.Struct, frozen=True):
    """What the printing took: cores by part, and the greatest memory (PSS in MB) of the executor and of ingest."""

    cores: dict[str, float]
    memory: dict[str, float]


def print_watched(
    bench: Bench, printers: Printers, watchers: Watchers, *, meanwhile: Callable[[], None] = lambda: None
) -> tuple[float, Cost]:
    """Have the jobs print for their time; returns when they began (Unix seconds), and what it took.

    `meanwhile` is called now and then.
    """
    executor = list_service(bench, "executor")
    commands = [pid for pid in executor if (read_mark(pid) or "").count(".") == _PARTS_OF_JOB_MARK - 1]
    parts = {
        "ingest": list_service(bench, "ingest"),
        "executor": [pid for pid in executor if pid not in commands],
        "scheduler": list_service(bench, "scheduler"),
        "PostgreSQL": list_tree(bench.stack.postgres.process.pid),
        "printing programs": commands,
        "clients": [watchers.pid],
    }
    began = printers.begin()
    time.sleep(max(0.0, began - time.time()))
    before = {part: read_cpu_seconds(pids) for part, pids in parts.items()}
    memory = {"executor": 0.0, "ingest": 0.0}
    while time.time() < began + printers.pace.seconds:
        for _ in range(_PAUSES_PER_LOOK):
            time.sleep(_PAUSE_SECONDS)
            meanwhile()
        memory = {part: max(most, read_memory(parts[part]).pss) for part, most in memory.items()}
    took = time.time() - began
    parts["PostgreSQL"] = list_tree(bench.stack.postgres.process.pid)  # its sessions come and go
    cores = {part: (read_cpu_seconds(pids) - before[part]) / took for part, pids in parts.items()}
    return began, Cost(cores, memory)


def check_received(bench: Bench, printers: Printers, watched: Watched) -> None:
    """Compare what came to clients with what is stored, and that with what was printed. Raises `BenchError`."""
    wanted = {}
    for job in printers.jobs:
        log = read_raw_log(bench, job)
        numbers = [int(log[start : start + 8]) for start in range(0, len(log), LINE_BYTES)]
        if numbers != list(range(printers.pace.all_lines)):
            raise BenchError(f"the stored log of job {job} is not what was printed: {len(numbers)} lines")
        wanted[job] = (len(numbers), zlib.crc32(log))
    for path, clients in watched.clients.items():
        watches = wanted if path == ALL_LOGS else {"": wanted[path.rpartition("/")[2]]}
        for number, got in enumerate(clients):
            if got != watches:
                counts = {job or "the job": (got.get(job, (0, 0))[0], lines) for job, (lines, _) in watches.items()}
                raise BenchError(f"client {number} of {path} did not get what was printed; lines of wanted: {counts}")


def stream_path(job: str) -> str:
    """Return the path of the stream of one job's log."""
    return f"{ALL_LOGS}/{job}"


def line_up_late(who: str, late: Mapping[int, int], by_hand: Sequence[float] = ()) -> list[Line]:
    """Return the lines of the table for counts of log lines by their ms from printed to received.

    `by_hand` are the ms of trips by hand at the same time.
    """
    trips = Counter(int(trip) for trip in by_hand)
    median, p99 = _quantile(late, 0.5), _quantile(late, 0.99)
    return [
        Line(f"printed → {who}, p50", "ms", one(median), one(_quantile(trips, 0.5)) if trips else None),
        Line("… p99", "ms", one(p99), one(_quantile(trips, 0.99)) if trips else None, aim=at_most(250, p99, "ms")),
        Line("… the latest", "ms", one(max(late) + 1), one(max(trips) + 1) if trips else None),
    ]


def line_up_cores(cost: Cost) -> list[Line]:
    """Return the lines of the table for processor time."""
    return [Line(f"processor: {part}", "cores", one(cores)) for part, cores in cost.cores.items()]


def one(value: float) -> Spread:
    """Return the brief of a single sample."""
    return summarize([value])


def _quantile(counts: Mapping[int, int], part: float) -> float:
    """Return the ms within which this part came; whole ms, rounded up."""
    left = part * sum(counts.values())
    for late in sorted(counts):
        left -= counts[late]
        if left <= 0:
            return late + 1
    raise BenchError("no line came")
