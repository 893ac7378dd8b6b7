"""The database may be away for a whole minute, six leases: nothing is lost, nothing runs twice, and all go on."""

import hashlib
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from deploy.embedded.postgres import free_port
from deploy.embedded.target import run_target
from tests.chaos.test_database_deaths import DURABLE, bring_back
from tests.chaos.test_large_logs import DIGEST, FORMAT, write_lines
from tests.cluster import Cluster, run_cluster
from tests.database import EmbeddedServer, run_server

OUTAGE_SECONDS: Final = 60.0
# Nobody lets more than ten seconds pass between two looks at a database that is away; the rest is for a busy machine.
BACK_SECONDS: Final = 30.0

# `long` outlives the outage, `brief` ends within it, `loud` prints 5 MB in the middle of it. All write down what ran.
PIPELINE = """
on: push
jobs:
  long:
    run: |
      echo "long $HOWDAH_ATTEMPT" >> {places}/ledger
      i=0
      until [ -e {places}/end-long ]; do
        i=$((i+1)); echo $i; echo $i > {places}/counting; mv {places}/counting {places}/counted; sleep 0.05
      done
  brief:
    run: |
      echo "brief $HOWDAH_ATTEMPT" >> {places}/ledger
      until [ -e {places}/end-brief ]; do sleep 0.05; done
      echo the end
      touch {places}/brief-has-ended
  loud:
    run: |
      echo "loud $HOWDAH_ATTEMPT" >> {places}/ledger
      until [ -e {places}/end-brief ]; do sleep 0.05; done
      seq -f '{format}' 1 50000
  after: {{needs: [long, brief], run: 'echo "after $HOWDAH_ATTEMPT" >> {places}/ledger'}}
"""
# Finds no free slot before the outage.
QUEUED = "on: push\njobs:\n  queued: {{run: 'echo \"queued $HOWDAH_ATTEMPT\" >> {places}/ledger'}}\n"
LISTENING = "select count(*) from pg_stat_activity where application_name ~ '^howdah-[a-z]+-listen$'"


@pytest.fixture
def mortal_server() -> Iterator[EmbeddedServer]:
    with run_server("18", DURABLE) as server:
        yield server


@pytest.fixture
def cluster(mortal_server: EmbeddedServer) -> Iterator[Cluster]:
    """One with the leases of production: these are what a return must not be slower than."""
    with mortal_server.create_database() as database, run_cluster(database) as running:
        yield running


@contextmanager
def away(server: EmbeddedServer) -> Iterator[None]:
    """Take the database away for as long as the block lasts."""
    server.postgres.stop()
    try:
        yield
    finally:
        bring_back(server)


def readiness(port: int) -> int:
    """Return the status that ingest answers when asked whether it is ready; 0 when it does not listen yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status
    except ConnectionRefusedError:
        return 0
    finally:
        connection.close()


def sit_out(places: Path, port: int) -> None:
    """Let the outage last: `brief` ends in the middle of it, `long` goes on, ingest says that it is not ready."""
    began = time.monotonic()
    counted = (places / "counted").read_text()
    assert readiness(port) == 503
    time.sleep(OUTAGE_SECONDS / 2)
    (places / "end-brief").touch()
    while time.monotonic() < began + OUTAGE_SECONDS or not (places / "brief-has-ended").exists():
        assert time.monotonic() < began + 2 * OUTAGE_SECONDS
        time.sleep(0.1)  # the outage itself
    assert readiness(port) == 503
    assert int((places / "counted").read_text()) > int(counted)


def test_a_minute_without_the_database_costs_that_minute_and_nothing_else(
    cluster: Cluster, mortal_server: EmbeddedServer
) -> None:
    places = cluster.folder / "places"
    places.mkdir()
    places.chmod(0o777)  # commands run as somebody else
    pipeline = cluster.add_pipeline({".howdah.yml": PIPELINE.format(places=places, format=FORMAT)})
    other = cluster.add_pipeline({".howdah.yml": QUEUED.format(places=places)}, name="other")
    port = free_port()

    def read_beats() -> list[int]:
        return [beat for (beat,) in cluster.sql("select beat_seq from executor order by id")]

    with run_target() as target:
        cluster.add_channel(target.url, "run.succeeded", "run.failed")
        cluster.start("ingest", listen_port=str(port))
        cluster.start("notifier", allowed_networks="127.0.0.0/8", public_url="http://x")
        for _ in range(2):
            cluster.start("scheduler")
        for slots in ("1", "2"):
            cluster.start("executor", slots=slots)
        cluster.wait_until("ingest is ready", lambda: readiness(port) == 200)
        run_id = pipeline.request_run()
        for key in ("long", "brief", "loud"):
            pipeline.await_job(run_id, key, "running")
        queued_id = other.request_run()
        other.await_job(queued_id, "queued", "ready")
        cluster.wait_until("it counts", lambda: "3\n" in pipeline.log(run_id, "long"))
        cluster.wait_until("all listen", lambda: cluster.sql(LISTENING) == [(5,)])
        beats = read_beats()
        with away(mortal_server):
            sit_out(places, port)
            counted = (places / "counted").read_text()
        back = time.monotonic()
        for what, holds in {
            "the executors beat": lambda: all(now > before for now, before in zip(read_beats(), beats, strict=True)),
            "what was said meanwhile is stored": lambda: counted in pipeline.log(run_id, "long"),
            "brief has ended in the books": lambda: pipeline.job(run_id, "brief")["state"] == "succeeded",
            "loud has ended in the books": lambda: pipeline.job(run_id, "loud")["state"] == "succeeded",
            "what was queued has run": lambda: other.run_state(queued_id) == "succeeded",
            "ingest is ready": lambda: readiness(port) == 200,
            "all listen": lambda: cluster.sql(LISTENING) == [(5,)],
        }.items():
            cluster.wait_until(what, holds, seconds=BACK_SECONDS)
            print(f"{time.monotonic() - back:.1f} s after the return: {what}")  # noqa: T201 - the documents quote it
        (places / "end-long").touch()
        assert pipeline.await_end(run_id) == "succeeded"
        said = {json.loads(target.received.get(timeout=60).body)["data"]["run_id"] for _ in range(2)}
        assert said == {str(run_id), str(queued_id)}
    last = int((places / "counted").read_text())
    assert pipeline.log(run_id, "long").split() == [str(number) for number in range(1, last + 1)]
    assert pipeline.log(run_id, "brief") == "the end\n"
    ((digest, _, _),) = cluster.sql(DIGEST, pipeline.job(run_id, "loud")["id"])
    assert digest == hashlib.sha256(write_lines(1, 50_000)).hexdigest()
    assert sorted((places / "ledger").read_text().splitlines()) == [
        "after 1",
        "brief 1",
        "long 1",
        "loud 1",
        "queued 1",
    ]
    assert cluster.sql("select distinct claim_epoch, losses, attempts_used from job") == [(1, 0, 1)]
    assert cluster.sql("select state::text, count(*) from executor group by 1") == [("active", 2)]
