"""The peers: what each is, and where its jobs are."""

from collections.abc import Callable
from typing import Final

import msgspec

from tests.bench.open_bench import Bench
from tests.bench.peers.driven_queue import Driven, DrivenQueue
from tests.bench.peers.driver_process import Program
from tests.bench.peers.install_peers import PeerMissingError, prepare_node, prepare_python

_NEVER: Final = Program([])

_GRAPHILE_WORKER: Final = Driven(
    name="graphile-worker",
    version="0.18.0",
    database="bench_graphile_worker",
    program=_NEVER,
    settings=("tuned", "defaults"),
    table="graphile_worker._private_jobs",
    newest="select coalesce(max(id), 0) from graphile_worker._private_jobs",
    unfinished="select count(*) from graphile_worker._private_jobs where id > %s",
)
_PG_BOSS: Final = Driven(
    name="pg-boss",
    version="12.38.0",
    database="bench_pg_boss",
    program=_NEVER,
    settings=("tuned", "defaults"),
    table="pgboss.job_common",
    newest="select clock_timestamp()",
    unfinished="select count(*) from pgboss.job where name = 'noop' and state < 'completed' and created_on > %s",
)
_PGQUEUER: Final = Driven(
    name="PgQueuer",
    version="1.6.0",
    database="bench_pgqueuer",
    program=_NEVER,
    settings=("tuned", "defaults"),
    table="pgqueuer",
    newest="select coalesce(max(id), 0) from pgqueuer",
    unfinished="select count(*) from pgqueuer where id > %s",
)
_PROCRASTINATE: Final = Driven(
    name="Procrastinate",
    version="3.10.0",
    database="bench_procrastinate",
    program=_NEVER,
    settings=("tuned", "defaults"),
    table="procrastinate_jobs",
    newest="select coalesce(max(id), 0) from procrastinate_jobs",
    unfinished="select count(*) from procrastinate_jobs where id > %s and status in ('todo', 'doing')",
)
_PEERS: Final[tuple[tuple[Driven, Callable[[str], Program], str], ...]] = (
    (_GRAPHILE_WORKER, prepare_node, "drive_graphile_worker.mjs"),
    (_PG_BOSS, prepare_node, "drive_pg_boss.mjs"),
    (_PGQUEUER, prepare_python, "drive_pgqueuer"),
    (_PROCRASTINATE, prepare_python, "drive_procrastinate"),
)


def list_peers(bench: Bench) -> tuple[list[DrivenQueue], list[str]]:
    """Return the peers that can be measured here, and of the others why not."""
    peers: list[DrivenQueue] = []
    missing: list[str] = []
    for driven, prepare, driver in _PEERS:
        try:
            program = prepare(driver)
        except PeerMissingError as error:
            missing.append(f"{driven.name} not measured: {error}")
        else:
            peers.append(DrivenQueue(bench, msgspec.structs.replace(driven, program=program)))
    return peers, missing
