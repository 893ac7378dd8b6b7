"""Webhooks accepted per second at 16 connections, against a handler that verifies nothing and does one INSERT.

The scheduler, the executor and the notifier are stopped: they would work on what is accepted, on the same cores.
This figure comes last, so that what it has requested never runs.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from deploy.embedded.postgres import free_port
from deploy.embedded.stack import ROOT
from tests.bench.make_origin import Origin, make_origin
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_least, compare, summarize
from tests.bench.send_load import Load, Served, Target

_ROUNDS: Final = 7
_SECONDS: Final = 1.5
_WARM_UP_SECONDS: Final = 0.7
_START_SECONDS: Final = 20.0
_CONNECTIONS: Final = 16
_MOST_PER_SECOND: Final = 4000
_PIPELINE_FILE: Final = "on: push\njobs:\n  only: {run: 'true'}\n"
_BARE_TABLE: Final = (
    "create table bench_delivery (like delivery including all)",
    "alter table bench_delivery add foreign key (pipeline_id) references pipeline (id) on delete cascade",
    "grant insert on bench_delivery to howdah_ingest",
)


def measure_webhook_rate(bench: Bench) -> Outcome:
    """Load ingest with pushes to one pipeline, with pushes to eight, and the bare handler, in turns."""
    for name in ("scheduler", "executor", "notifier"):
        bench.stack.services[name].stop()
    targets = [_target_of(make_origin(bench, _PIPELINE_FILE)) for _ in range(8)]
    for statement in _BARE_TABLE:
        bench.sql(statement)
    with _run_bare(bench, targets[0].name) as bare_port:
        kinds = {
            "bare": (bare_port, targets[:1]),
            "one": (bench.port, targets[:1]),
            "eight": (bench.port, targets),
        }
        for port, aimed_at in kinds.values():
            _serve_load(port, aimed_at, _WARM_UP_SECONDS)
        served: dict[str, list[Served]] = {kind: [] for kind in kinds}
        for number in range(_ROUNDS):
            names = list(kinds)[number % len(kinds) :] + list(kinds)[: number % len(kinds)]
            for kind in names:
                served[kind].append(_serve_load(*kinds[kind], _SECONDS))
    rates = {kind: [sum(one.statuses.values()) / one.seconds for one in several] for kind, several in served.items()}
    lines = []
    for kind, words in (("one", "one pipeline"), ("eight", "eight pipelines")):
        ratio = compare(rates[kind], rates["bare"])
        lines.append(
            Line(
                f"webhooks accepted, {words}",
                "1/s",
                summarize(rates[kind]),
                summarize(rates["bare"]),
                ratio,
                at_least(0.8, ratio.median),
            )
        )
    waits = {kind: summarize([one.median_ms for one in several]).median for kind, several in served.items()}
    return Outcome(
        lines,
        f"{_CONNECTIONS} connections; median answer after {waits['one']:.1f} ms (one), {waits['eight']:.1f} ms "
        f"(eight), {waits['bare']:.1f} ms (bare). Scheduler, executor and notifier were stopped.",
    )


def _target_of(origin: Origin) -> Target:
    return Target(origin.name, origin.secret)


@contextmanager
def _run_bare(bench: Bench, pipeline: str) -> Iterator[int]:
    ((pipeline_id,),) = bench.sql("select id::text from pipeline where name = %s", pipeline)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.serve_bare", str(port)],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOWDAH_DATABASE_URL": bench.stack.service_dsn("ingest"),
            "BENCH_PIPELINE_ID": pipeline_id,
        },
    )
    try:
        _await_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        if time.monotonic() > deadline:
            raise BenchError("the bare handler did not start")
        time.sleep(0.05)


def _serve_load(port: int, targets: list[Target], seconds: float) -> Served:
    """Have a process of its own send for a while. Raises `BenchError` if anything was not accepted."""
    load = Load(port, _CONNECTIONS, seconds, round(_MOST_PER_SECOND * seconds), targets)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.send_load"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise BenchError("the load's pipes are missing")
        process.stdin.write(msgspec.json.encode(load) + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdin.write(b"go\n")
        process.stdin.close()
        said = process.stdout.read()
    if process.returncode:
        raise BenchError("the load generator failed")
    served = msgspec.json.decode(said, type=Served)
    if set(served.statuses) != {202}:
        raise BenchError(f"not every push was accepted: {served.statuses}")
    return served
