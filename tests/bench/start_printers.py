"""Jobs that print at a steady rate: they wait for a word to begin, and for one to leave."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from tests.bench.make_origin import make_origin
from tests.bench.open_bench import Bench
from tests.bench.start_run import start_run
from tests.bench.write_pipeline import Program, write_pipeline

_numbers: Final = itertools.count(1)


class Pace(msgspec.Struct, frozen=True):
    """How each job prints: so many lines every so many ms, and how often."""

    lines: int
    tick_ms: int
    ticks: int

    @property
    def all_lines(self) -> int:
        """How many lines a job prints in all."""
        return self.lines * self.ticks

    @property
    def seconds(self) -> float:
        """How long it prints."""
        return self.tick_ms * self.ticks / 1000


class Printers:
    """Jobs whose commands run, and wait."""

    def __init__(self, bench: Bench, jobs: list[str], pace: Pace, folder: Path) -> None:
        self.jobs = jobs
        self.pace = pace
        self._bench = bench
        self._folder = folder

    def begin(self) -> float:
        """Have all of them begin in a second; returns when that will be (Unix seconds)."""
        begin_at = time.time() + 1
        unfinished = self._folder / "unfinished"
        unfinished.write_text(str(begin_at))
        unfinished.rename(self._folder / "go")
        return begin_at

    def leave(self) -> None:
        """Have them end once they have printed all, and return then. Raises `BenchError`."""
        (self._folder / "leave").touch()
        self._bench.await_sql(
            "select count(*) = %s from job where id = any(%s) and state = 'succeeded'", len(self.jobs), self.jobs
        )


@contextmanager
def start_printers(bench: Bench, jobs: int, pace: Pace) -> Iterator[Printers]:
    """Start a run of so many jobs; the executor has a slot for each meanwhile. Raises `BenchError`."""
    folder = bench.stack.state / f"printers-{next(_numbers)}"
    folder.mkdir()
    program = Program("print_steadily.py", (str(folder), str(pace.lines), str(pace.tick_ms), str(pace.ticks)))
    with _slots(bench, jobs):
        origin = make_origin(bench, write_pipeline([(f"printer{number:02}", program) for number in range(jobs)]))
        ids = start_run(bench, origin, jobs=jobs).jobs
        bench.await_sql("select count(distinct job_id) = %s from step where job_id::text = any(%s)", jobs, ids)
        yield Printers(bench, ids, pace, folder)


@contextmanager
def _slots(bench: Bench, slots: int) -> Iterator[None]:
    executor = bench.stack.services["executor"]
    before = dict(executor.settings)
    try:
        executor.stop()
        executor.settings["HOWDAH_SLOTS"] = str(slots)
        executor.start()
        bench.await_sql("select exists (select from executor where state = 'active' and slots = %s)", slots)
        yield
    finally:
        executor.stop()
        executor.settings.clear()
        executor.settings.update(before)
        executor.start()
