"""A slow or busy database slows commands; it does not fill the executor's memory, nor hold its connections."""

import hashlib
from pathlib import Path

import psycopg

from tests.chaos.test_large_logs import DIGEST, FORMAT, write_lines
from tests.cluster import Cluster, executor_child

MIB = 1024 * 1024


def resident_bytes(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096


def test_a_slow_database_slows_the_command_and_not_our_memory(cluster: Cluster) -> None:
    # 60 MB of lines that tell their order.
    script = f"echo begin; sleep 0.3; seq -f '{FORMAT}' 1 600000"
    pipeline = cluster.add_pipeline({".howdah.yml": f'on: push\njobs:\n  loud: {{run: "{script}"}}\n'})
    cluster.start("scheduler")
    executor = cluster.start("executor", log_cap_bytes=str(200 * MIB))
    run_id = pipeline.request_run()
    cluster.wait_until("it has begun", lambda: pipeline.log(run_id, "loud") == "begin\n")
    child = executor_child(executor)
    before = resident_bytes(child)
    # Nothing can be stored while this lock is held: the pipe fills, and the command waits.
    with psycopg.connect(cluster.database.dsn()) as blocker:
        blocker.execute("lock table log_chunk in exclusive mode")
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'AppendLogs'"
        cluster.wait_until("an append waits", lambda: cluster.sql(waiting) == [(1,)])
        blocked = resident_bytes(child)
    assert blocked - before < 16 * MIB
    assert pipeline.await_end(run_id) == "succeeded"
    job_id = pipeline.job(run_id, "loud")["id"]
    ((digest, _, _),) = cluster.sql(DIGEST, job_id)
    assert digest == hashlib.sha256(b"begin\n" + write_lines(1, 600_000)).hexdigest()


def test_no_connection_is_held_while_a_job_works(cluster: Cluster) -> None:
    gate = cluster.folder / "gate"
    pipeline = cluster.add_pipeline(
        {".howdah.yml": f"on: push\njobs:\n  long: {{run: 'echo x; until [ -e {gate} ]; do sleep 0.05; done'}}\n"}
    )
    cluster.start("scheduler")
    cluster.start("executor", slots="8")
    runs = [pipeline.request_run() for _ in range(8)]
    cluster.wait_until("all of them work", lambda: all(pipeline.log(run_id, "long") == "x\n" for run_id in runs))
    rows = cluster.sql(
        "select state, count(*) from pg_stat_activity where application_name = 'howdah-executor' group by state"
    )
    connections = dict(rows)
    assert sum(connections.values()) <= 4
    assert "idle in transaction" not in connections
    gate.touch()
    assert {pipeline.await_end(run_id) for run_id in runs} == {"succeeded"}
