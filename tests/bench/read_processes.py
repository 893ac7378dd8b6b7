"""What processes take: memory and processor time, as `/proc` has them (proc(5))."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from services.executor.find_processes import list_processes, pick_descendants
from tests.bench.open_bench import Bench, BenchError

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


class Memory(msgspec.Struct, frozen=True):
    """What processes hold together, in MB (10^6 bytes)."""

    pss: float
    rss: float


def list_tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    return [pid, *sorted(entry.pid for entry in pick_descendants(list_processes(), [pid]))]


def list_service(bench: Bench, name: str) -> list[int]:
    """Return the processes of a service. Raises `BenchError`."""
    process = bench.stack.services[name].process
    if process is None:
        raise BenchError(f"{name} does not run")
    return list_tree(process.pid)


def read_memory(pids: Iterable[int]) -> Memory:
    """Return what the processes hold together. Raises `BenchError`."""
    pss = rss = 0
    for pid in pids:
        try:
            text = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
        except PermissionError:
            raise BenchError("the executor hides its memory from all but root: measure this as root") from None
        except FileNotFoundError:
            continue  # it has ended
        fields = dict(line.split(":", 1) for line in text.splitlines()[1:])
        pss += int(fields["Pss"].split()[0])
        rss += int(fields["Rss"].split()[0])
    return Memory(pss * 1024 / 1e6, rss * 1024 / 1e6)


def read_cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that the processes, and children of theirs that have ended, have taken so far."""
    ticks = 0
    for pid in pids:
        try:
            stat = (Path("/proc") / str(pid) / "stat").read_text()
        except FileNotFoundError:
            continue  # it has ended: its time is its parent's now
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks / _TICKS_PER_SECOND
