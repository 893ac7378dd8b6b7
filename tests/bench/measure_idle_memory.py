"""Idle memory: the proportional set size of each service with all of its processes."""

import time
from pathlib import Path
from typing import Final

from services.executor.find_processes import list_processes, pick_descendants
from tests.bench.make_origin import make_origin
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_most, summarize
from tests.bench.send_push import send_push, write_push

_SETTLE_SECONDS: Final = 5.0
_LOOKS: Final = 3
_PIPELINE_FILE: Final = "on: push\njobs:\n  only: {run: 'true'}\n"


def measure_idle_memory(bench: Bench) -> Outcome:
    """Have one run done, so that nothing waits to be imported; then look a few times at what is held."""
    origin = make_origin(bench, _PIPELINE_FILE)
    answer = send_push(bench.port, write_push(origin.name, origin.secret, before="0" * 40, after=origin.commits[-1]))
    bench.await_sql("select finished_at is not null from run where id = %s", answer.run_id)
    looks: list[dict[str, tuple[float, float]]] = []
    counts: dict[str, int] = {}
    for _ in range(_LOOKS):
        time.sleep(_SETTLE_SECONDS / _LOOKS)
        trees = {name: _process_tree(bench, name) for name in bench.stack.services}
        counts = {name: len(tree) for name, tree in trees.items()}
        looks.append({name: _memory_of(tree) for name, tree in trees.items()})
    lines = [
        Line(f"{name} ({counts[name]} processes)", "MB", summarize([look[name][0] for look in looks]))
        for name in bench.stack.services
    ]
    whole = summarize([sum(pss for pss, _ in look.values()) for look in looks])
    resident = sum(rss for _, rss in looks[-1].values())
    lines.append(Line("all four, PSS", "MB", whole, aim=at_most(250, whole.median, "MB")))
    return Outcome(
        lines,
        f"RSS of the same processes: {resident:.0f} MB. PSS shares out the pages that several processes map, also with "
        "other Python programs on this machine: alone, it would be somewhat more.",
    )


def _process_tree(bench: Bench, name: str) -> list[int]:
    process = bench.stack.services[name].process
    if process is None:
        raise BenchError(f"{name} does not run")
    return [process.pid, *(entry.pid for entry in pick_descendants(list_processes(), [process.pid]))]


def _memory_of(pids: list[int]) -> tuple[float, float]:
    """Return PSS and RSS in MB (10^6 bytes)."""
    pss = rss = 0
    for pid in pids:
        try:
            text = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
        except PermissionError:
            raise BenchError("the executor hides its memory from all but root: measure this as root") from None
        fields = dict(line.split(":", 1) for line in text.splitlines()[1:])
        pss += int(fields["Pss"].split()[0])
        rss += int(fields["Rss"].split()[0])
    return pss * 1024 / 1e6, rss * 1024 / 1e6
