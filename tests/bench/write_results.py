"""`tests/bench/results.json`: the figures with what they were measured on, for comparing one day with another."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from tests.bench.open_bench import Bench
from tests.bench.outcome import Outcome

RESULTS: Final = Path(__file__).parent / "results.json"


class Machine(msgspec.Struct, frozen=True):
    """What was measured on. `load` is the machine's load average of the last minute, before and after."""

    processor: str
    cores: int
    kernel: str
    python: str
    git: str
    postgres: str
    load: tuple[float, float]


class Results(msgspec.Struct, frozen=True):
    """One run of the bench."""

    measured_at: datetime
    machine: Machine
    outcomes: dict[str, Outcome]


def describe_machine(bench: Bench, load_before: float) -> Machine:
    """Return what this is measured on."""
    cpu = Path("/proc/cpuinfo").read_text().partition("model name")[2].partition("\n")[0].lstrip("\t: ")
    ((postgres,),) = bench.sql("select version()")
    return Machine(
        processor=cpu or platform.machine(),
        cores=os.cpu_count() or 0,
        kernel=platform.release(),
        python=platform.python_version(),
        git=subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1],
        postgres=postgres,
        load=(load_before, os.getloadavg()[0]),
    )


def write_results(machine: Machine, outcomes: dict[str, Outcome]) -> None:
    """Write the file anew."""
    results = Results(datetime.now(UTC), machine, outcomes)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
