"""Buildbot's configuration: builders of one step each, each started by a button; a worker; its database.

Buildbot's master reads this file as its `master.cfg`; what it is to do comes in the environment.
"""

import json
import os
from pathlib import Path
from typing import Any

from buildbot.plugins import schedulers, steps, util, worker  # type: ignore[import-not-found]

_COMMANDS: dict[str, str] = json.loads(Path(os.environ["BENCH_COMMANDS"]).read_text())


def _builder(name: str, command: str) -> Any:
    factory = util.BuildFactory([steps.ShellCommand(name="print", command=["bash", "-c", command])])
    return util.BuilderConfig(name=name, workernames=["worker"], factory=factory)


# The name that Buildbot looks for.
BuildmasterConfig: dict[str, Any] = {
    "title": "bench",
    "titleURL": "http://127.0.0.1/",
    "buildbotURL": f"http://127.0.0.1:{os.environ['BENCH_HTTP_PORT']}/",
    "buildbotNetUsageData": None,
    "db": {"db_url": os.environ["BENCH_DATABASE"]},
    "protocols": {"pb": {"port": f"tcp:{os.environ['BENCH_WORKER_PORT']}:interface=127.0.0.1"}},
    "workers": [worker.Worker("worker", "bench")],
    "schedulers": [schedulers.ForceScheduler(name=name, builderNames=[name]) for name in _COMMANDS],
    "builders": [_builder(name, command) for name, command in _COMMANDS.items()],
    "www": {"port": f"tcp:{os.environ['BENCH_HTTP_PORT']}:interface=127.0.0.1", "plugins": {}},
}
