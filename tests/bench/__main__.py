"""`make bench`: measure Howdah beside its references; `ARGS="first-command runs"` measures only these.

How each figure is measured: docs/performance.md.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Final

from rich.console import Console

from deploy.embedded.postgres import EmbeddedPostgresError
from deploy.embedded.repository import GitFailedError
from deploy.embedded.stack import StackError
from deploy.migrate import MigrationError
from tests.bench.measure_first_command import measure_first_command
from tests.bench.measure_idle_memory import measure_idle_memory
from tests.bench.measure_idle_traffic import measure_idle_traffic
from tests.bench.measure_jobs_buffers import measure_jobs_buffers
from tests.bench.measure_jobs_depth import measure_jobs_depth
from tests.bench.measure_jobs_drain import measure_jobs_drain
from tests.bench.measure_jobs_enqueue import measure_jobs_enqueue
from tests.bench.measure_jobs_idle import measure_jobs_idle
from tests.bench.measure_jobs_pickup import measure_jobs_pickup
from tests.bench.measure_jobs_python import measure_jobs_python
from tests.bench.measure_jobs_snapshot import measure_jobs_snapshot
from tests.bench.measure_log_delivery import measure_log_delivery
from tests.bench.measure_log_search import measure_log_search, measure_log_search_short
from tests.bench.measure_log_storage import measure_log_storage
from tests.bench.measure_logs_buildbot import measure_logs_buildbot
from tests.bench.measure_logs_burst import measure_logs_burst
from tests.bench.measure_logs_clients import measure_logs_clients
from tests.bench.measure_logs_load import measure_logs_load, measure_logs_load_short
from tests.bench.measure_runs import measure_runs
from tests.bench.measure_webhook_rate import measure_webhook_rate
from tests.bench.open_bench import Bench, BenchError, open_bench
from tests.bench.outcome import Outcome
from tests.bench.print_outcomes import print_outcomes
from tests.bench.write_results import RESULTS, describe_machine, write_results

# In this order: the last one stops services, and leaves behind what must not run.
FIGURES: Final[dict[str, Callable[[Bench], Outcome]]] = {
    "idle-memory": measure_idle_memory,
    "idle-traffic": measure_idle_traffic,
    "first-command": measure_first_command,
    "log-delivery": measure_log_delivery,
    "logs-burst": measure_logs_burst,
    "logs-buildbot": measure_logs_buildbot,
    "logs-load": measure_logs_load,
    "logs-load-short": measure_logs_load_short,
    "logs-clients": measure_logs_clients,
    "logs-search": measure_log_search,
    "logs-search-short": measure_log_search_short,
    "logs-stored": measure_log_storage,
    "runs": measure_runs,
    "jobs-drain": measure_jobs_drain,
    "jobs-depth": measure_jobs_depth,
    "jobs-enqueue": measure_jobs_enqueue,
    "jobs-python": measure_jobs_python,
    "jobs-pickup": measure_jobs_pickup,
    "jobs-idle": measure_jobs_idle,
    "jobs-buffers": measure_jobs_buffers,
    "jobs-snapshot": measure_jobs_snapshot,
    "webhook-rate": measure_webhook_rate,
}
# Measured only when it is named: the same in less time.
_ON_REQUEST: Final = ("logs-load-short", "logs-search-short")
_LEAST_WIDTH: Final = 184


def main(names: list[str]) -> int:
    """Measure the named figures, or all; returns the exit status. A missed aim is no failure: machines differ."""
    # Also through a pipe or on a narrow terminal: numbers that are cut are of no use.
    console = Console(highlight=False, width=max(_LEAST_WIDTH, shutil.get_terminal_size().columns))
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        console.print(f"no such figure: {', '.join(unknown)}; there are: {', '.join(FIGURES)}")
        return 2
    chosen = {
        name: measure for name, measure in FIGURES.items() if (name in names if names else name not in _ON_REQUEST)
    }
    load_before = os.getloadavg()[0]
    outcomes: dict[str, Outcome] = {}
    try:
        with open_bench() as bench:
            for name, measure in chosen.items():
                began = time.monotonic()
                outcomes[name] = measure(bench)
                console.print(f"measured {name} in {time.monotonic() - began:.0f} s", style="dim")
            machine = describe_machine(bench, load_before)
    except (BenchError, StackError, EmbeddedPostgresError, GitFailedError, MigrationError) as error:
        console.print(f"The bench failed: {error}", style="red", markup=False)
        return 1
    print_outcomes(console, outcomes)
    console.print(
        f"{machine.cores} cores, {machine.processor}; load average {machine.load[0]:.1f} before, "
        f"{machine.load[1]:.1f} after. Written to {RESULTS}.",
        style="dim",
    )
    write_results(machine, outcomes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
