"""Idle memory: the proportional set size of each service with all of its processes."""

import time
from typing import Final

from tests.bench.make_origin import make_origin
from tests.bench.open_bench import Bench
from tests.bench.outcome import Line, Outcome, at_most, summarize
from tests.bench.read_processes import Memory, list_service, read_memory
from tests.bench.send_push import send_push, write_push

_SETTLE_SECONDS: Final = 5.0
_LOOKS: Final = 3
_PIPELINE_FILE: Final = "on: push\njobs:\n  only: {run: 'true'}\n"


def measure_idle_memory(bench: Bench) -> Outcome:
    """Have one run done, so that nothing waits to be imported; then look a few times at what is held."""
    origin = make_origin(bench, _PIPELINE_FILE)
    answer = send_push(bench.port, write_push(origin.name, origin.secret, before="0" * 40, after=origin.commits[-1]))
    bench.await_sql("select finished_at is not null from run where id = %s", answer.run_id)
    looks: list[dict[str, Memory]] = []
    counts: dict[str, int] = {}
    for _ in range(_LOOKS):
        time.sleep(_SETTLE_SECONDS / _LOOKS)
        trees = {name: list_service(bench, name) for name in bench.stack.services}
        counts = {name: len(tree) for name, tree in trees.items()}
        looks.append({name: read_memory(tree) for name, tree in trees.items()})
    lines = [
        Line(f"{name} ({counts[name]} processes)", "MB", summarize([look[name].pss for look in looks]))
        for name in bench.stack.services
    ]
    whole = summarize([sum(memory.pss for memory in look.values()) for look in looks])
    resident = sum(memory.rss for memory in looks[-1].values())
    lines.append(Line("all four, PSS", "MB", whole, aim=at_most(250, whole.median, "MB")))
    return Outcome(
        lines,
        f"RSS of the same processes: {resident:.0f} MB. PSS shares out the pages that several processes map, also with "
        "other Python programs on this machine: alone, it would be somewhat more.",
    )
