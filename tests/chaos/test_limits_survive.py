"""Jobs with concurrency keys, while schedulers and executors are killed and PostgreSQL restarts: no limit is exceeded.

Somebody counts all the while, snapshot by snapshot. Seeded: HOWDAH_CHAOS_SEED repeats a run.
"""

import os
import random
import threading
from collections import Counter
from contextlib import suppress

import psycopg
from psycopg.types.json import Jsonb

from tests.chaos.kill_processes import Reaper
from tests.cluster import FAST_LEASE, Cluster, run_cluster
from tests.database import EmbeddedServer

KILLING_SECONDS = 15.0
SEED = int(os.environ.get("HOWDAH_CHAOS_SEED", "20261125"))
LIMITS = {"one": 1, "three": 3, "ten": 10}
JOBS_OF_EACH = 60

BUSY = """
select k.name, count(*)
from job j join limit_key k on k.id = j.limit_key_id
where j.state in ('ready', 'running')
group by 1
"""


class Counting(threading.Thread):
    """Counts what is ready or running of each key, as often as it can."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self.stopped = threading.Event()
        self.looks = 0
        self.most: Counter[str] = Counter()

    def run(self) -> None:
        while not self.stopped.is_set():
            with (
                suppress(psycopg.OperationalError),
                psycopg.connect(self._cluster.database.dsn(), autocommit=True) as c,
            ):
                while not self.stopped.is_set():
                    for name, busy in c.execute(BUSY).fetchall():
                        self.most[name] = max(self.most[name], busy)
                    self.looks += 1


def test_no_limit_is_exceeded_whoever_dies(mortal_server: EmbeddedServer) -> None:
    luck = random.Random(SEED)
    settings = {**FAST_LEASE, "HOWDAH_LEASE_SECONDS": "3", "HOWDAH_LOG_LEVEL": "warning"}
    with mortal_server.create_database() as database, run_cluster(database, settings) as cluster:
        cluster.sql("alter table job alter column max_losses set default 100")  # dying is what this is about
        file = cluster.folder / "trace"
        file.touch()
        file.chmod(0o666)
        for name, limit in LIMITS.items():
            cluster.sql("insert into limit_key (name, max_running) values (%s, %s)", name, limit)
        jobs = [
            {"type": "trace", "payload": {"file": str(file)}, "concurrency_key": name}
            for name in LIMITS
            for _ in range(JOBS_OF_EACH)
        ]
        cluster.sql("select * from enqueue_jobs(%s)", Jsonb(jobs))
        counting = Counting(cluster)
        counting.start()
        processes = [cluster.start("scheduler") for _ in range(2)]
        processes += [
            cluster.start("executor", handler_modules="tests.chaos.handler_deeds", handler_slots="20") for _ in range(2)
        ]
        reaper = Reaper(processes, mortal_server, luck, KILLING_SECONDS)
        reaper.start()
        try:
            assert reaper.done.wait(KILLING_SECONDS + 120)
            unfinished = "select count(*) from job where finished_at is null"
            cluster.wait_until(f"all jobs have ended (seed {SEED})", lambda: cluster.sql(unfinished) == [(0,)])
        finally:
            reaper.stopped.set()
            counting.stopped.set()
        counting.join()
        assert cluster.sql("select state::text, count(*) from job group by 1") == [("succeeded", len(jobs))]
        assert counting.looks > 0
        assert set(counting.most) == set(LIMITS)
        assert {name: most for name, most in counting.most.items() if most > LIMITS[name]} == {}
        print(f"\nkilled: {Counter(reaper.killed)}; {counting.looks} looks saw {dict(counting.most)}")  # noqa: T201
