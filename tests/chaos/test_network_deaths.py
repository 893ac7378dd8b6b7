"""A network may swallow every packet and say nothing: both ends notice, the job runs elsewhere, and nothing is left."""

import json
import select
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from deploy.embedded.postgres import free_port
from deploy.embedded.repository import git
from shared.db import TCP_OPTIONS
from shared.ids import RunId
from tests.chaos.network import FAR_ADDRESS, NEAR_ADDRESS, Network, run_network
from tests.chaos.test_database_deaths import DURABLE
from tests.chaos.test_database_outage import readiness
from tests.chaos.test_everything_dies import assert_nothing_left
from tests.chaos.test_executor_deaths import begin, is_alive
from tests.chaos.test_ingest_deaths import deliver, write_generic_push
from tests.cluster import FAST_LEASE, Cluster, PushedPipeline, run_cluster
from tests.database import EmbeddedServer, run_server

# What the TCP options promise is 25 s; the rest is for a busy machine. Without them it would be a quarter of an hour
# for who sends, and for ever for who listens.
NOTICED_SECONDS = 40.0

PIPELINE = """
on: push
jobs:
  long:
    run: |
      echo "pid $$ attempt $HOWDAH_ATTEMPT"
      if [ "$HOWDAH_ATTEMPT" = 1 ]; then while true; do echo late; sleep 0.05; done; fi
"""
FAR_BACKENDS = "select count(*) from pg_stat_activity where client_addr = %s and backend_start < %s"
FAR_LISTENERS = """
select count(*) from pg_stat_activity
where client_addr = %s and application_name in ('howdah-executor-listen', 'howdah-scheduler-listen')
"""
LOCK = 4711
LOCK_HOLDERS = "select count(*) from pg_locks where locktype = 'advisory' and objid = %s and granted"
EXECUTORS = "select state::text, count(*) from executor group by 1 order by 1"


@pytest.fixture
def network() -> Iterator[Network]:
    with run_network() as joined:
        yield joined


@pytest.fixture
def near_server(network: Network) -> Iterator[EmbeddedServer]:
    """A server on the near host that the far one can reach, too."""
    with run_server("18", {**DURABLE, "listen_addresses": f"127.0.0.1,{NEAR_ADDRESS}"}) as server:
        with (server.postgres.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet scram-sha-256\n")
        with psycopg.connect(server.postgres.dsn()) as admin:
            admin.execute("select pg_reload_conf()")
        yield server


@pytest.fixture
def cluster(near_server: EmbeddedServer) -> Iterator[Cluster]:
    with near_server.create_database() as database, run_cluster(database, FAST_LEASE) as running:
        yield running


def far_dsn(cluster: Cluster, service: str) -> str:
    return cluster.database.dsn(service).replace("@127.0.0.1:", f"@{NEAR_ADDRESS}:")


def far_sockets(network: Network) -> set[str]:
    """Return the far ends of the connections that the far host believes in."""
    near = "".join(f"{int(part):02X}" for part in reversed(NEAR_ADDRESS.split(".")))
    with network.far_side():
        rows = [line.split() for line in Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]]
    return {local for _, local, remote, state, *_ in rows if remote.startswith(near) and state == "01"}


def open_far_connection(network: Network, cluster: Cluster) -> psycopg.Connection:
    with network.far_side():
        return psycopg.connect(far_dsn(cluster, "scheduler"), autocommit=True, **TCP_OPTIONS)


def assert_kernel_gives_up(connection: psycopg.Connection) -> None:
    """The kernel, which nobody asks, says by itself that the peer is gone."""
    assert select.select([connection.fileno()], [], [], NOTICED_SECONDS)[0]
    with pytest.raises(psycopg.OperationalError, match="Connection timed out"):
        connection.pgconn.consume_input()
    connection.close()


class FarIngest:
    """The ingest on the far host, as its neighbours there see it."""

    def __init__(self, network: Network, cluster: Cluster) -> None:
        self._network = network
        with network.far_side():
            self._port = free_port()
            cluster.start("ingest", dsn=far_dsn(cluster, "ingest"), listen_port=str(self._port))

    def readiness(self) -> int:
        with self._network.far_side():
            return readiness(self._port)

    def request_run(self, pipeline: PushedPipeline) -> RunId:
        """Push; returns the run."""
        with self._network.far_side(), deliver(self._port, write_generic_push(pipeline)) as connection:
            return RunId(UUID(json.loads(connection.getresponse().read())["run_id"]))


def test_a_silent_network_is_noticed_at_both_ends_and_costs_one_attempt(network: Network, cluster: Cluster) -> None:
    pipeline = cluster.add_pipeline({".howdah.yml": PIPELINE})
    near = [cluster.start("scheduler")]
    ingest = FarIngest(network, cluster)
    with network.far_side():
        for service in ("executor", "scheduler"):
            cluster.start(service, dsn=far_dsn(cluster, service))
    run_id, pid = begin(cluster, pipeline)
    cluster.wait_until("the far side listens", lambda: cluster.sql(FAR_LISTENERS, FAR_ADDRESS) == [(2,)])
    cluster.wait_until("the far ingest is ready", lambda: ingest.readiness() == 200)
    near.append(cluster.start("executor"))
    cluster.wait_until("another executor is there", lambda: cluster.sql(EXECUTORS) == [("active", 2)])
    idle, talking = open_far_connection(network, cluster), open_far_connection(network, cluster)
    idle.execute("select pg_advisory_lock(%s)", [LOCK])
    ((silent_at,),) = cluster.sql("select clock_timestamp()")
    standing = far_sockets(network)
    assert standing
    assert cluster.sql(LOCK_HOLDERS, LOCK) == [(1,)]

    network.fall_silent()
    talking.pgconn.send_query(b"select 1")
    assert pipeline.await_end(run_id) == "succeeded"
    job = pipeline.job(run_id, "long")
    assert (job["claim_epoch"], job["losses"], job["attempts_used"]) == (2, 1, 1)
    assert ingest.readiness() == 503
    for connection in (talking, idle):
        assert_kernel_gives_up(connection)
    cluster.wait_until("the far side has noticed", lambda: not far_sockets(network) & standing, seconds=NOTICED_SECONDS)
    cluster.wait_until(
        "the server has noticed",
        lambda: cluster.sql(FAR_BACKENDS, FAR_ADDRESS, silent_at) == [(0,)],
        seconds=NOTICED_SECONDS,
    )
    assert cluster.sql(LOCK_HOLDERS, LOCK) == [(0,)]
    assert cluster.sql(EXECUTORS) == [("active", 1), ("lost", 1)]
    books = (
        "select epoch, outcome::text, ended_at, last_seq from attempt where job_id = %s order by epoch",
        "select epoch, count(*), max(seq) from log_chunk where job_id = %s group by epoch order by epoch",
        "select state::text, finished_at, claim_epoch from job where id = %s",
    )
    before = [cluster.sql(statement, job["id"]) for statement in books]

    network.speak_again()
    cluster.wait_until("the old command is gone", lambda: not is_alive(pid))
    cluster.wait_until(
        "it has registered under a new id", lambda: cluster.sql(EXECUTORS) == [("active", 2), ("lost", 1)]
    )
    cluster.wait_until("the far side listens again", lambda: cluster.sql(FAR_LISTENERS, FAR_ADDRESS) == [(2,)])
    assert [cluster.sql(statement, job["id"]) for statement in books] == before

    for process in near:
        process.stop()
    cluster.wait_until("the far ingest is ready again", lambda: ingest.readiness() == 200)
    (pipeline.clone / ".howdah.yml").write_text("on: push\njobs:\n  far: {run: 'echo far'}\n")
    git("commit", "--quiet", "--all", "--message", "second", cwd=pipeline.clone)
    git("push", "--quiet", "origin", "main", cwd=pipeline.clone)
    far_run_id = ingest.request_run(pipeline)
    assert pipeline.await_end(far_run_id) == "succeeded"
    assert pipeline.log(far_run_id, "far") == "far\n"
    assert cluster.sql(EXECUTORS) == [("active", 1), ("left", 1), ("lost", 1)]
    cluster.stop_all()
    assert_nothing_left(cluster)
