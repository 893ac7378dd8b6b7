"""A handler that misbehaves costs only its own job: its neighbours in the same batch succeed, its executor goes on."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.cluster import FAST_LEASE, Cluster, run_cluster
from tests.database import TestDatabase

MODULES = "tests.chaos.handler_deeds,tests.service.executor.handler_deeds"
NEIGHBOURS = 30

# Job type → how its job ends. All of them have one attempt, and a second for it.
CULPRITS = {
    "crash": ("dead", "crashed"),
    "crash_sync": ("dead", "crashed"),
    "exit": ("dead", "crashed"),
    "eat_memory": ("dead", "out_of_memory"),
    "gulp_memory": ("dead", "out_of_memory"),
    "fork": ("succeeded", None),
    "close_descriptors": ("dead", "crashed"),
    "block_for_line": ("dead", "timed_out"),
    "spin": ("dead", "timed_out"),
    "spin_sync": ("dead", "timed_out"),
    "stubborn_sync": ("dead", "timed_out"),
}


@pytest.fixture
def cluster(database: TestDatabase) -> Iterator[Cluster]:
    settings = {
        **FAST_LEASE,
        "HOWDAH_GRACE_SECONDS": "0.5",
        "HOWDAH_DRAIN_SECONDS": "0.5",
        "HOWDAH_HANDLER_STALL_SECONDS": "1",
        "HOWDAH_HANDLER_MEMORY_BYTES": str(128 * 1024 * 1024),
    }
    with run_cluster(database, settings) as running:
        yield running


@pytest.fixture
def file(cluster: Cluster) -> Path:
    """The file in which handlers sign, beside a fifo in which nothing ever comes."""
    path = cluster.folder / "trace"
    path.touch()
    os.mkfifo(cluster.folder / "go")
    return path


@pytest.mark.parametrize("culprit", CULPRITS)
def test_a_handler_that_misbehaves_costs_only_its_own_job(cluster: Cluster, file: Path, culprit: str) -> None:
    cluster.start("scheduler")
    executor = cluster.start("executor", handler_modules=MODULES)
    registered = "select 1 from executor where 'neighbour' = any(job_types)"
    cluster.wait_until("it has registered", lambda: bool(cluster.sql(registered)))
    good = {"type": "neighbour", "payload": {"file": str(file)}}
    bad = {
        "type": culprit,
        "payload": {"log": str(file), "name": "culprit", "value": 3},
        "max_attempts": 1,
        "timeout_seconds": 1,
    }
    # In one call, and all of them go on at the same time: the neighbours wait for the deed.
    with psycopg.connect(cluster.database.dsn("producer"), autocommit=True) as connection:
        jobs = [good] * NEIGHBOURS + [bad] + [good] * NEIGHBOURS
        connection.execute("select enqueue_jobs(%s)", [Jsonb(jobs)])
    unfinished = "select count(*) from job where finished_at is null"
    cluster.wait_until("all have ended", lambda: cluster.sql(unfinished) == [(0,)])
    ended = "select j.state::text, j.reason from job j join lane l on l.id = j.lane_id where l.job_type {} 'neighbour'"
    assert cluster.sql(ended.format("<>")) == [CULPRITS[culprit]]
    assert cluster.sql(
        """
        select j.state::text, j.attempts_used, j.losses, count(*)
        from job j join lane l on l.id = j.lane_id where l.job_type = 'neighbour' group by 1, 2, 3
        """
    ) == [("succeeded", 1, 0, 2 * NEIGHBOURS)]
    assert "culprit" in file.read_text()
    # The executor has not missed a beat, and takes what comes next.
    assert executor.ended() is None
    assert cluster.sql("select state::text, count(*) from executor group by 1") == [("active", 1)]
    with psycopg.connect(cluster.database.dsn("producer"), autocommit=True) as connection:
        connection.execute("select enqueue_jobs(%s)", [Jsonb([good])])
    cluster.wait_until("the next one has ended", lambda: cluster.sql(unfinished) == [(0,)])


def test_beats_go_on_while_every_handler_blocks(cluster: Cluster, file: Path) -> None:
    cluster.start("scheduler")
    cluster.start("executor", handler_modules=MODULES)
    registered = "select 1 from executor where 'neighbour' = any(job_types)"
    cluster.wait_until("it has registered", lambda: bool(cluster.sql(registered)))
    with psycopg.connect(cluster.database.dsn("producer"), autocommit=True) as connection:
        for kind in ("block_for_line", "spin", "spin_sync", "stubborn_sync"):
            job = {"type": kind, "payload": {"log": str(file), "name": kind}, "timeout_seconds": 600}
            connection.execute("select enqueue_jobs(%s)", [Jsonb([job] * 3)])
    # Some wait for their turn: there are not as many processes as calls that may block.
    cluster.wait_until("they block", lambda: bool(file.read_text()))
    beats = "select beat_seq from executor where state = 'active'"
    ((before,),) = cluster.sql(beats)
    # As many beats as two leases have room for, and no one has declared it lost.
    cluster.wait_until("it beats", lambda: cluster.sql(beats)[0][0] >= before + 15)
    assert cluster.sql("select count(*) from executor where state = 'lost'") == [(0,)]
