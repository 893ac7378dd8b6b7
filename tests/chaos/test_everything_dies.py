"""Many runs, while a random process is killed every second and the database restarts: all of it comes right.

Seeded: HOWDAH_CHAOS_SEED repeats a run. HOWDAH_CHAOS_RUNS=1000 HOWDAH_CHAOS_SECONDS=60 is the long version; CI runs a
short one.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import time
from contextlib import suppress
from pathlib import Path

from deploy.embedded.postgres import free_port
from deploy.embedded.repository import git
from deploy.embedded.target import Target, run_target
from shared.ids import new_id
from tests.chaos.kill_processes import Reaper
from tests.cluster import FAST_LEASE, WEBHOOK_SECRET, Cluster, PushedPipeline, run_cluster
from tests.database import EmbeddedServer

RUNS = int(os.environ.get("HOWDAH_CHAOS_RUNS", "60"))
KILLING_SECONDS = float(os.environ.get("HOWDAH_CHAOS_SECONDS", "15"))
SEED = int(os.environ.get("HOWDAH_CHAOS_SEED", "20261123"))
PATIENCE_SECONDS = 120 + RUNS * 0.6

LINES = 300
PIPELINE = f"""
on: push
jobs:
  one: {{run: "for i in $(seq 1 {LINES}); do echo one $i; done"}}
  two: {{needs: [one], run: "for i in $(seq 1 {LINES}); do echo two $i; done; sleep 0.05"}}
  three: {{needs: [two], run: "for i in $(seq 1 {LINES}); do echo three $i; done"}}
"""
CHECKSUMS = {
    key: hashlib.sha256("".join(f"{key} {number}\n" for number in range(1, LINES + 1)).encode()).hexdigest()
    for key in ("one", "two", "three")
}


class Forge:
    """Delivers pushes as a forge does: again and again, the same signed message, until one is accepted."""

    def __init__(self, ports: list[int], pipeline: PushedPipeline, luck: random.Random) -> None:
        self._ports = ports
        self._luck = luck
        commit = git("rev-parse", "HEAD", cwd=pipeline.clone).strip()
        self._push = {"ref": "refs/heads/main", "before": "0" * 40, "after": commit, "title": "t", "author": "a"}
        self.redelivered = 0

    def deliver(self) -> str:
        """Deliver one push; returns its run."""
        body = json.dumps(self._push).encode()
        message_id, timestamp = f"msg_{new_id().hex}", str(int(time.time()))
        signed = f"{message_id}.{timestamp}.".encode() + body
        digest = hmac.new(WEBHOOK_SECRET.encode(), signed, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        }
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection("127.0.0.1", self._luck.choice(self._ports), timeout=10)
            try:
                connection.request("POST", "/webhooks/app", body, headers)
                answer = connection.getresponse()
                said = answer.read()
                if answer.status in {200, 202}:
                    return str(json.loads(said)["run_id"])
                assert answer.status >= 500, said
            except (OSError, http.client.HTTPException):
                self.redelivered += 1
                time.sleep(0.05)  # a forge, too, waits before it delivers anew
            finally:
                connection.close()
        raise AssertionError("nobody took the push")


def test_everything_may_die_and_everything_comes_right(mortal_server: EmbeddedServer) -> None:
    luck = random.Random(SEED)
    with (
        mortal_server.create_database() as database,
        run_cluster(database, {**FAST_LEASE, "HOWDAH_LEASE_SECONDS": "4", "HOWDAH_LOG_LEVEL": "warning"}) as cluster,
        run_target() as target,
    ):
        pipeline = cluster.add_pipeline({".howdah.yml": PIPELINE})
        cluster.sql("update job set max_losses = 100")
        cluster.sql("alter table job alter column max_losses set default 100")  # dying is what this is about
        cluster.add_channel(target.url, "run.succeeded", "run.failed", "run.canceled", "run.skipped")
        ports = [free_port(), free_port()]
        processes = [
            *(cluster.start("ingest", listen_port=str(port), pool_size="4") for port in ports),
            *(cluster.start("scheduler") for _ in range(2)),
            *(cluster.start("executor", slots="4") for _ in range(4)),
            *(cluster.start("notifier", allowed_networks="127.0.0.0/8", public_url="http://x") for _ in range(2)),
        ]
        reaper = Reaper(processes, mortal_server, luck, KILLING_SECONDS)
        forge = Forge(ports, pipeline, luck)
        runs: list[str] = []
        try:
            runs.append(forge.deliver())
            reaper.start()
            runs += [forge.deliver() for _ in range(RUNS - 1)]
            assert reaper.done.wait(KILLING_SECONDS + 120)
            assert len(set(runs)) == RUNS
            await_all(cluster, target, runs)
            assert_all_right(cluster, runs)
            print(f"\nkilled: {reaper.killed}; redelivered: {forge.redelivered}")  # noqa: T201 - to repeat it
            cluster.stop_all()
            assert_nothing_left(cluster)
        finally:
            cluster.stop_all()
            reaper.stopped.set()


def await_all(cluster: Cluster, target: Target, runs: list[str]) -> None:
    """Wait until every run has ended and every notification is delivered."""
    ended = "select count(*) from run where finished_at is not null"
    cluster.wait_until(
        f"all runs have ended (seed {SEED})", lambda: cluster.sql(ended) == [(len(runs),)], seconds=PATIENCE_SECONDS
    )
    delivered = "select count(*) from notification where state = 'delivered'"
    cluster.wait_until(
        "all notifications are delivered", lambda: cluster.sql(delivered) == [(len(runs),)], seconds=PATIENCE_SECONDS
    )
    received = set()
    while not target.received.empty():
        received.add(json.loads(target.received.get_nowait().body)["data"]["run_id"])
    assert received == set(runs)


def assert_all_right(cluster: Cluster, runs: list[str]) -> None:
    """Every run succeeded, its jobs once each in the books and in order, its logs complete."""
    assert cluster.sql("select state::text, count(*) from run group by 1") == [("succeeded", len(runs))]
    assert cluster.sql("select state::text, count(*) from job group by 1") == [("succeeded", len(runs) * 4)]
    assert cluster.sql("select count(*) from delivery") == [(len(runs),)]
    assert cluster.sql("select count(*) from attempt where outcome = 'succeeded'") == [(len(runs) * 4,)]
    assert cluster.sql("select count(*) from attempt where ended_at is null") == [(0,)]
    assert cluster.sql("select count(*) from job where not settled") == [(0,)]
    assert cluster.sql("select count(*) from notification where state <> 'delivered'") == [(0,)]
    out_of_order = cluster.sql(
        """
        select count(*) from job j join job_spec s on s.job_id = j.id cross join unnest(s.needs) as need
        join job n on n.id = need where n.finished_at > j.claimed_at
        """
    )
    assert out_of_order == [(0,)]
    checksums = cluster.sql(
        """
        select s.key, encode(sha256(string_agg(c.data, ''::bytea order by c.seq)), 'hex'), count(distinct j.id)
        from job j
        join job_spec s on s.job_id = j.id
        join log_chunk c on c.job_id = j.id and c.epoch = j.claim_epoch and c.stream = 1
        group by j.id, s.key
        """
    )
    assert len(checksums) == len(runs) * 3
    assert all(CHECKSUMS[key] == checksum for key, checksum, _ in checksums)


def assert_nothing_left(cluster: Cluster) -> None:
    """No command runs, no lock is held, no workspace is left."""
    left = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"HOWDAH_WORKSPACE={cluster.folder}".encode() in environ.read_bytes():
                left.append(environ.parent.name)
    assert left == []
    assert cluster.sql("select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]
    workspaces = list(cluster.folder.glob("executor-*/workspaces/*/*"))
    assert workspaces == []
