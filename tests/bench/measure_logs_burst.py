"""A job that prints 200,000 lines at once, beside inserting the same bytes by hand as rows of 64 KiB."""

import hashlib
import time
from typing import Final

import msgspec
import psycopg

from tests.bench.insert_by_hand import HandLog, HandWay
from tests.bench.make_origin import Origin, make_origin
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_most, compare, summarize
from tests.bench.print_burst import make_lines
from tests.bench.read_raw_log import read_raw_log
from tests.bench.start_run import start_run
from tests.bench.write_pipeline import Program, write_pipeline

_LINES: Final = 200_000
_ROUNDS: Final = 7
_WAYS: Final = {
    "a row a commit": HandWay(1),
    "16 rows a commit": HandWay(16),
    "a row a commit, not compressed": HandWay(1, compressed=False),
}
_PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05


class Burst(msgspec.Struct, frozen=True):
    """How a burst went: seconds until all of it was stored and the job ended, and from then until it was packed."""

    stored_seconds: float
    packed_seconds: float


def measure_logs_burst(bench: Bench) -> Outcome:
    """In turns: a job, and rows by hand in several ways."""
    body = b"".join(make_lines(_LINES))
    origin = make_origin(bench, write_pipeline([("printer", Program("print_burst.py", (str(_LINES),)))]))
    with (
        psycopg.connect(bench.dsn(), autocommit=True) as by_hand,
        psycopg.connect(bench.dsn(), autocommit=True) as listener,
    ):
        hand = HandLog(by_hand)
        listener.execute("listen job_finished")
        howdah: list[Burst] = []
        hands: dict[str, list[float]] = {name: [] for name in _WAYS}
        everybody = ["howdah", *_WAYS]
        for number in range(_ROUNDS + 1):
            first = number % len(everybody)
            for who in everybody[first:] + everybody[:first]:
                bench.sql("checkpoint")
                if who == "howdah":
                    howdah.append(print_burst(bench, origin, body, listener))
                else:
                    hands[who].append(hand.insert(body, _WAYS[who]))
        cut = print_burst(bench, origin, body, listener, cut=True)
    # The first round finds nothing warm.
    stored = [burst.stored_seconds * 1000 for burst in howdah[1:]]
    return Outcome(
        [
            *(_line_up(name, stored, taken[1:]) for name, taken in hands.items()),
            Line("… with the executor's connections cut in the middle", "ms", summarize([cut.stored_seconds * 1000])),
            Line("job's end → log packed", "s", summarize([burst.packed_seconds for burst in howdah[1:]])),
        ],
        f"{len(body) / 1e6:.1f} MB, from before the command prints the first line until its end is committed; each "
        "time read back as raw bytes and compared by SHA-256. By hand: 64 KiB a row, nothing else.",
    )


def _line_up(way: str, howdah: list[float], by_hand: list[float]) -> Line:
    ratio = compare(howdah, by_hand)
    return Line(
        f"{_LINES:,} lines stored, by hand: {way}",
        "ms",
        summarize(howdah),
        summarize(by_hand),
        ratio,
        at_most(1.5, ratio.median, ""),
    )


def print_burst(bench: Bench, origin: Origin, body: bytes, listener: psycopg.Connection, *, cut: bool = False) -> Burst:
    """Run the job once and check what was kept. `listener` listens to `job_finished`. Raises `BenchError`."""
    (job_id,) = start_run(bench, origin).jobs
    if cut:
        _cut_connections(bench, job_id)
    ended = await_end(job_id, listener)
    log = read_raw_log(bench, job_id)
    first, _, rest = log.partition(b"\n")
    if hashlib.sha256(rest).digest() != hashlib.sha256(body).digest():
        raise BenchError(f"the log of job {job_id} is not what was printed: {len(rest)} bytes of {len(body)}")
    packed = await_packed(bench, job_id)
    return Burst(ended - int(first) / 1e9, max(0.0, packed - ended))


def await_end(job_id: str, listener: psycopg.Connection) -> float:
    """Return when the end of the job was seen to be committed (Unix seconds)."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        ((state,),) = listener.execute("select state::text from job where id = %s", [job_id]).fetchall()
        if state == "succeeded":
            return time.time()
        if state not in ("ready", "running"):
            raise BenchError(f"the job that prints is {state}")
        for _ in listener.notifies(timeout=1, stop_after=1):
            pass
    raise BenchError(f"the job that prints has not ended within {_PATIENCE_SECONDS:.0f} s")


def await_packed(bench: Bench, job_id: str) -> float:
    """Return when the log was seen to be packed (Unix seconds): until then the scheduler works on it."""
    bench.await_sql(
        "select log_state in ('packed', 'compact') from attempt where job_id = %s", job_id, every=_LOOK_SECONDS
    )
    return time.time()


def _cut_connections(bench: Bench, job_id: str) -> None:
    bench.await_sql("select exists (select from attempt where job_id = %s and last_seq > 20)", job_id, every=0.002)
    bench.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'howdah_executor'")
