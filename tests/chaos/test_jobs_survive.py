"""Ten thousand jobs, while an executor is killed every second and PostgreSQL restarts twice: each ends once.

What they did is held against the books: each left a trace, under the epoch of its call, in a file of their own.
Seeded: HOWDAH_CHAOS_SEED repeats a run; HOWDAH_CHAOS_JOBS and HOWDAH_CHAOS_JOB_SECONDS make it longer.
"""

import os
import random
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from services.executor.find_processes import read_mark
from services.executor.hold_state import machine_mark
from tests.chaos.kill_processes import Reaper
from tests.cluster import FAST_LEASE, Cluster, run_cluster
from tests.database import EmbeddedServer

JOBS = int(os.environ.get("HOWDAH_CHAOS_JOBS", "10000"))
KILLING_SECONDS = float(os.environ.get("HOWDAH_CHAOS_JOB_SECONDS", "30"))
SEED = int(os.environ.get("HOWDAH_CHAOS_SEED", "20261125"))
PATIENCE_SECONDS = 180 + JOBS * 0.02

CALL = 250


def enqueue_all(cluster: Cluster, file: Path) -> dict[str, str]:
    """Enqueue as a careful program does: again until it is answered, under the same keys; returns ids by key."""
    keys = [f"job-{number}" for number in range(JOBS)]
    ids: dict[str, str] = {}
    for start in range(0, JOBS, CALL):
        some = keys[start : start + CALL]
        jobs: list[dict[str, object]] = [
            {"type": "trace", "payload": {"file": str(file)}, "idempotency_key": key} for key in some
        ]
        rows = enqueue(cluster, jobs)
        ids |= {key: str(job_id) for key, (_, job_id, _) in zip(some, rows, strict=True)}
    return ids


def enqueue(cluster: Cluster, jobs: list[dict[str, object]]) -> list[tuple[int, object, bool]]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(cluster.database.dsn("producer")) as connection:
            return connection.execute("select * from enqueue_jobs(%s)", [Jsonb(jobs)]).fetchall()
    raise AssertionError("the database does not take the jobs")


def test_every_job_ends_once_whoever_dies(mortal_server: EmbeddedServer) -> None:
    luck = random.Random(SEED)
    settings = {**FAST_LEASE, "HOWDAH_LEASE_SECONDS": "3", "HOWDAH_LOG_LEVEL": "warning"}
    with mortal_server.create_database() as database, run_cluster(database, settings) as cluster:
        cluster.sql("alter table job alter column max_losses set default 100")  # dying is what this is about
        file = cluster.folder / "trace"
        file.touch()
        file.chmod(0o666)
        for _ in range(2):
            cluster.start("scheduler")
        executors = [
            cluster.start("executor", handler_modules="tests.chaos.handler_deeds", handler_slots="40") for _ in range(4)
        ]
        reaper = Reaper(executors, mortal_server, luck, KILLING_SECONDS)
        try:
            registered = "select count(*) from executor where 'trace' = any(job_types)"
            cluster.wait_until("all executors are there", lambda: cluster.sql(registered) == [(4,)])
            reaper.start()
            ids = enqueue_all(cluster, file)
            # Asked again in the middle of it, everything is known.
            assert enqueue_all(cluster, file) == ids
            assert reaper.done.wait(KILLING_SECONDS + 120)
            unfinished = "select count(*) from job where finished_at is null"
            cluster.wait_until(
                f"all jobs have ended (seed {SEED})",
                lambda: cluster.sql(unfinished) == [(0,)],
                seconds=PATIENCE_SECONDS,
            )
            lost = assert_books_are_right(cluster, set(ids.values()))
            assert lost > 0
            assert_traces_fit(cluster, file, set(ids.values()))
            # The last victims may have held nothing that waited for them: they are declared lost all the same.
            alive = "select count(*) from executor where ended_at is null"
            cluster.wait_until("the dead are declared lost", lambda: cluster.sql(alive) == [(len(executors),)])
            print(f"\nkilled: {Counter(reaper.killed)}; attempts lost: {lost}")  # noqa: T201 - how hard it was
            cluster.stop_all()
            assert_nothing_runs(cluster)
        finally:
            cluster.stop_all()
            reaper.stopped.set()


def assert_books_are_right(cluster: Cluster, ids: set[str]) -> int:
    """Each job is there once, succeeded at its first attempt that counts, and all other attempts are accounted for."""
    assert {str(job_id) for (job_id,) in cluster.sql("select id from job")} == ids
    assert len(ids) == JOBS
    assert cluster.sql("select state::text, attempts_used, count(*) from job group by 1, 2") == [("succeeded", 1, JOBS)]
    assert cluster.sql("select count(*), count(distinct job_id) from job_key") == [(JOBS, JOBS)]
    # All earlier epochs were lost or handed back, each has its row; that of the newest may do without.
    wrong = """
    select j.id, j.claim_epoch, j.losses, a.*
    from job j
    cross join lateral (
        select
            count(*) filter (where a.epoch < j.claim_epoch) as earlier,
            count(*) filter (where a.outcome = 'lost') as lost,
            count(*) filter (where a.outcome = 'handed_back') as handed_back,
            bool_and(a.outcome = 'succeeded') filter (where a.epoch = j.claim_epoch) as newest_succeeded,
            count(*) filter (where a.ended_at is null) as open
        from attempt a where a.job_id = j.id
    ) a
    where a.earlier <> j.claim_epoch - 1
        or a.lost + a.handed_back <> a.earlier
        or a.lost <> j.losses
        or not coalesce(a.newest_succeeded, true)
        or a.open <> 0
    """
    assert cluster.sql(wrong) == []
    assert cluster.sql(
        """
        select state::text, sum(jobs)::integer
        from (select state, jobs from job_count union all select state, jobs from job_count_change) c
        group by state having sum(jobs) <> 0
        """
    ) == [("succeeded", JOBS)]
    ((lost,),) = cluster.sql("select count(*) from attempt where outcome = 'lost'")
    return int(lost)


def assert_traces_fit(cluster: Cluster, file: Path, ids: set[str]) -> None:
    """Whatever ended in the books was done; no call was made twice; no call went on beside a later one of its job."""
    newest = {str(job_id): epoch for job_id, epoch in cluster.sql("select id, claim_epoch from job")}
    begun: Counter[tuple[str, int]] = Counter()
    ended: Counter[tuple[str, int]] = Counter()
    latest: dict[str, int] = {}
    for line in file.read_text().splitlines():
        what, job_id, number = line.split()
        epoch = int(number)
        (begun if what == "begin" else ended)[job_id, epoch] += 1
        assert epoch >= latest.get(job_id, 0), f"{job_id}: epoch {epoch} did something after {latest[job_id]} had begun"
        latest[job_id] = epoch
    assert set(latest) == ids
    assert latest == newest
    assert all((job_id, epoch) in ended for job_id, epoch in newest.items())
    assert set(begun.values()) | set(ended.values()) == {1}


def assert_nothing_runs(cluster: Cluster) -> None:
    """No executor is left in the books as alive, no process of theirs, no lock."""
    assert cluster.sql("select count(*) from executor where ended_at is null") == [(0,)]
    assert cluster.sql("select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]
    marks = tuple(machine_mark(state) for state in cluster.folder.glob("executor-*"))
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    assert [pid for pid in pids if (read_mark(pid) or "").startswith(marks)] == []
