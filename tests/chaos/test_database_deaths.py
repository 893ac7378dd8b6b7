"""The database may go away at any moment: nothing is lost, nothing runs twice, and all go on by themselves."""

import time
from collections.abc import Iterator

import pytest

from deploy.embedded.postgres import EmbeddedPostgresError, start_postgres
from shared.ids import RunId
from tests.chaos.proxy import run_proxy
from tests.cluster import FAST_LEASE, Cluster, PushedPipeline, run_cluster
from tests.database import EmbeddedServer, run_server

DURABLE = {"max_connections": "100"}
LINES = 200


@pytest.fixture(scope="module")
def mortal_server() -> Iterator[EmbeddedServer]:
    """A server of one's own, with fsync, that may be killed."""
    with run_server("18", DURABLE) as server:
        yield server


@pytest.fixture
def cluster(mortal_server: EmbeddedServer) -> Iterator[Cluster]:
    with mortal_server.create_database() as database, run_cluster(database, FAST_LEASE) as running:
        yield running


def bring_back(server: EmbeddedServer) -> None:
    """Start the server again where it was."""
    dead = server.postgres
    for _ in range(100):
        try:
            again = start_postgres(dead.data.parent, port=dead.port, settings=DURABLE)
        except EmbeddedPostgresError:
            time.sleep(0.1)  # backends of a killed server hold its memory for a moment
        else:
            object.__setattr__(dead, "process", again.process)
            return
    raise AssertionError("the server does not come back")


def begin_counting(cluster: Cluster) -> tuple[PushedPipeline, RunId]:
    """Start a job that counts for about four seconds, and wait until it has begun."""
    count = f"for i in $(seq 1 {LINES}); do echo $i; sleep 0.02; done"
    pipeline = cluster.add_pipeline(
        {".howdah.yml": f"on: push\njobs:\n  count: {{run: '{count}'}}\n  after: {{needs: [count], run: 'true'}}\n"}
    )
    for service in ("scheduler", "scheduler", "executor", "executor"):
        cluster.start(service)
    run_id = pipeline.request_run()
    cluster.wait_until("it counts", lambda: "3\n" in pipeline.log(run_id, "count"))
    return pipeline, run_id


def assert_untouched(cluster: Cluster, pipeline: PushedPipeline, run_id: RunId) -> None:
    """The run succeeds, with every line once, in order, at the first attempt; no executor was declared lost."""
    assert pipeline.await_end(run_id) == "succeeded"
    assert pipeline.log(run_id, "count").split() == [str(number) for number in range(1, LINES + 1)]
    assert {pipeline.job(run_id, key)["claim_epoch"] for key in ("count", "after")} == {1}
    assert cluster.sql("select count(*) from executor where state = 'lost'") == [(0,)]


def test_a_restart_of_the_database_disturbs_no_run(cluster: Cluster, mortal_server: EmbeddedServer) -> None:
    pipeline, run_id = begin_counting(cluster)
    mortal_server.postgres.stop()
    bring_back(mortal_server)
    assert_untouched(cluster, pipeline, run_id)


def test_a_killed_database_disturbs_no_run(cluster: Cluster, mortal_server: EmbeddedServer) -> None:
    pipeline, run_id = begin_counting(cluster)
    mortal_server.postgres.process.kill()
    mortal_server.postgres.process.wait()
    bring_back(mortal_server)
    assert_untouched(cluster, pipeline, run_id)


@pytest.mark.parametrize("statement", [b"-- name: ClaimJobs", b"-- name: FinishJobs", b"-- name: AppendLogs"])
def test_an_answer_that_is_lost_after_the_commit_leaves_nothing_stuck(cluster: Cluster, statement: bytes) -> None:
    pipeline = cluster.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: 'echo once'}\n"})
    cluster.start("scheduler")
    with run_proxy(cluster.database.dsn("executor")) as (proxy, through_proxy):
        cluster.start("executor", dsn=through_proxy, prepare_statements="false")
        cluster.wait_until("it has registered", lambda: cluster.sql("select count(*) from executor") == [(1,)])
        proxy.lose_answer_to(statement)
        run_id = pipeline.request_run()
        assert proxy.met.wait(20)
        assert pipeline.await_end(run_id) == "succeeded"
        assert pipeline.log(run_id, "a") == "once\n"
        assert cluster.sql("select sum(losses), sum(attempts_used) from job where run_id = %s", run_id) == [(0, 2)]
        cluster.stop_all()


def test_a_half_open_connection_is_noticed(cluster: Cluster) -> None:
    pipeline = cluster.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: 'true'}\n"})
    cluster.start("scheduler")
    with run_proxy(cluster.database.dsn("executor")) as (proxy, through_proxy):
        cluster.start("executor", dsn=through_proxy)
        cluster.wait_until("it has registered", lambda: cluster.sql("select count(*) from executor") == [(1,)])
        proxy.fall_silent()
        cluster.wait_until(
            "silence is noticed", lambda: cluster.sql("select count(*) from executor where state = 'lost'") == [(1,)]
        )
        proxy.speak_again()
        run_id = pipeline.request_run()
        assert pipeline.await_end(run_id) == "succeeded"
        cluster.stop_all()
