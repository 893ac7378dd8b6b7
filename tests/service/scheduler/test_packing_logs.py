"""A real scheduler packs what has ended, and what it leaves when it is killed is a whole log."""

from collections.abc import Iterator

import psycopg
import pytest

from deploy.embedded.stack import ServiceProcess
from tests.await_lock import await_lock
from tests.cluster import Cluster, run_cluster
from tests.database import TestDatabase
from tests.stored_logs import StoredLog, add_log, make_chunks, read_log

# Many stretches of several megabytes.
HUGE = make_chunks([(step, 1, b"%d: %d\n" % (step, line) + b"x" * 60_000) for step in range(4) for line in range(60)])
SMALL = make_chunks([(0, 1, b"ERROR: it broke\n")])


@pytest.fixture
def cluster(database: TestDatabase) -> Iterator[Cluster]:
    with run_cluster(database, {"HOWDAH_KEEP_PACKED_CHUNKS_SECONDS": "0.5"}) as running:
        yield running


def state(cluster: Cluster, log: StoredLog) -> str:
    ((name,),) = cluster.sql("select log_state::text from attempt where job_id = %s", log.job_id)
    return str(name)


def test_logs_become_blocks_their_chunks_go_and_past_partitions_too(cluster: Cluster) -> None:
    cluster.sql("select make_log_partitions(0, now() - interval '9 days')")
    logs = [add_log(cluster, SMALL), add_log(cluster, HUGE)]
    deleted = add_log(cluster, SMALL)
    cluster.sql("delete from job where id = %s", deleted.job_id)
    cluster.start("scheduler")
    cluster.wait_until("the logs are compact", lambda: {state(cluster, log) for log in logs} == {"compact"})
    cluster.wait_until("the deleted one is gone", lambda: cluster.sql("select 1 from log_removal") == [])
    cluster.wait_until(
        "the past partition is gone",
        lambda: (
            cluster.sql("select to_regclass('log_chunk_' || to_char(now() - interval '9 days', 'YYYYMMDD')) is null")
            == [(True,)]
        ),
    )
    assert [read_log(cluster, log) for log in logs] == [SMALL, HUGE]
    assert cluster.sql("select count(*) from log_chunk") == [(0,)]


async def test_a_scheduler_that_is_killed_while_it_packs_leaves_a_whole_log(
    cluster: Cluster, database: TestDatabase
) -> None:
    log = add_log(cluster, HUGE)
    packed = "select packed_seq from attempt where job_id = %s"
    seqs = [0]
    while state(cluster, log) == "open":
        with psycopg.connect(database.dsn()) as blocker:
            # It has read and reckoned, and cannot store.
            blocker.execute("lock table log_block in share row exclusive mode")
            kill_once_it_waits = cluster.start("scheduler")
            await await_lock(database, "log_block")
            kill(kill_once_it_waits)
            assert read_log(cluster, log) == HUGE
        scheduler = cluster.start("scheduler")
        cluster.wait_until("it has gone on", lambda: cluster.sql(packed, log.job_id)[0][0] > seqs[-1])
        kill(scheduler)
        assert read_log(cluster, log) == HUGE
        seqs.append(cluster.sql(packed, log.job_id)[0][0])
    assert seqs[-1] == len(HUGE)
    assert state(cluster, log) == "packed"


def kill(process: ServiceProcess) -> None:
    assert process.process is not None
    process.process.kill()
    process.process.wait()
