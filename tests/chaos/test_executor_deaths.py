"""An executor may die at any moment: its commands die with it, its jobs run again, its late writes are refused."""

import os
import signal
from pathlib import Path

from shared.ids import RunId
from tests.cluster import Cluster, PushedPipeline, executor_child

WAIT_FOR_ANOTHER = """
on: push
jobs:
  long:
    run: |
      echo "pid $$ attempt $HOWDAH_ATTEMPT"
      if [ "$HOWDAH_ATTEMPT" = 1 ]; then sleep 1000; fi
      echo done
"""


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def command_pid(pipeline: PushedPipeline, run_id: RunId) -> int:
    return int(pipeline.log(run_id, "long").split()[1])


def begin(cluster: Cluster, pipeline: PushedPipeline) -> tuple[RunId, int]:
    """Request a run and wait until its command runs; returns the run and the command's process id."""
    run_id = pipeline.request_run()
    cluster.wait_until("the command has spoken", lambda: "pid" in pipeline.log(run_id, "long"))
    return run_id, command_pid(pipeline, run_id)


def test_a_killed_executors_command_dies_and_its_job_runs_again(cluster: Cluster) -> None:
    pipeline = cluster.add_pipeline({".howdah.yml": WAIT_FOR_ANOTHER})
    cluster.start("scheduler")
    victim = cluster.start("executor")
    run_id, pid = begin(cluster, pipeline)
    cluster.start("executor")
    os.kill(executor_child(victim), signal.SIGKILL)
    assert victim.process is not None
    victim.process.wait(10)
    assert not is_alive(pid)
    assert pipeline.await_end(run_id, seconds=20) == "succeeded"
    job = pipeline.job(run_id, "long")
    assert (job["claim_epoch"], job["losses"], job["attempts_used"]) == (2, 1, 1)


def test_a_killed_reapers_executor_leaves_and_its_command_dies(cluster: Cluster) -> None:
    pipeline = cluster.add_pipeline({".howdah.yml": WAIT_FOR_ANOTHER})
    cluster.start("scheduler")
    victim = cluster.start("executor")
    run_id, pid = begin(cluster, pipeline)
    child = executor_child(victim)
    assert victim.process is not None
    victim.process.kill()
    cluster.wait_until("executor and command are gone", lambda: not is_alive(child) and not is_alive(pid))
    cluster.start("executor")
    assert pipeline.await_end(run_id) == "succeeded"


def test_late_writes_of_an_executor_that_was_stopped_are_refused(cluster: Cluster) -> None:
    pipeline = cluster.add_pipeline(
        {
            ".howdah.yml": """
on: push
jobs:
  long:
    run: |
      echo "pid $$ attempt $HOWDAH_ATTEMPT"
      if [ "$HOWDAH_ATTEMPT" = 1 ]; then while true; do echo late; sleep 0.05; done; fi
"""
        }
    )
    cluster.start("scheduler")
    stopped = cluster.start("executor")
    run_id, pid = begin(cluster, pipeline)
    child = executor_child(stopped)
    os.kill(child, signal.SIGSTOP)
    cluster.start("executor")
    assert pipeline.await_end(run_id) == "succeeded"
    job_id = pipeline.job(run_id, "long")["id"]
    books = (
        "select epoch, outcome::text, ended_at, last_seq from attempt where job_id = %s order by epoch",
        "select epoch, count(*), max(seq) from log_chunk where job_id = %s group by epoch order by epoch",
        "select state::text, finished_at, claim_epoch from job where id = %s",
    )
    before = [cluster.sql(statement, job_id) for statement in books]
    os.kill(child, signal.SIGCONT)
    cluster.wait_until("the old command is gone", lambda: not is_alive(pid))
    cluster.wait_until(
        "it has registered under a new id",
        lambda: cluster.sql("select count(*) from executor where state = 'active'") == [(2,)],
    )
    assert [cluster.sql(statement, job_id) for statement in books] == before
    assert cluster.sql("select count(*) from executor where state = 'lost'") == [(1,)]


def test_a_first_signal_lets_what_runs_finish(cluster: Cluster) -> None:
    gate = cluster.folder / "gate"
    pipeline = cluster.add_pipeline(
        {".howdah.yml": f"on: push\njobs:\n  long:\n    run: 'echo pid $$; until [ -e {gate} ]; do sleep 0.05; done'\n"}
    )
    cluster.start("scheduler")
    leaving = cluster.start("executor")
    run_id, _ = begin(cluster, pipeline)
    assert leaving.process is not None
    leaving.process.send_signal(signal.SIGTERM)
    cluster.wait_until("it drains", lambda: cluster.sql("select state::text from executor") == [("draining",)])
    gate.touch()
    assert leaving.process.wait(20) == 0
    assert pipeline.await_end(run_id) == "succeeded"
    assert pipeline.job(run_id, "long")["claim_epoch"] == 1
    assert cluster.sql("select state::text from executor") == [("left",)]


def test_a_second_signal_hands_back_what_runs_free_of_charge(cluster: Cluster) -> None:
    pipeline = cluster.add_pipeline({".howdah.yml": WAIT_FOR_ANOTHER})
    cluster.start("scheduler")
    leaving = cluster.start("executor", grace_seconds="0.2")
    run_id, pid = begin(cluster, pipeline)
    assert leaving.process is not None
    leaving.process.send_signal(signal.SIGTERM)
    cluster.wait_until("it drains", lambda: cluster.sql("select state::text from executor") == [("draining",)])
    leaving.process.send_signal(signal.SIGTERM)
    assert leaving.process.wait(20) == 0
    assert not is_alive(pid)
    assert pipeline.job(run_id, "long")["state"] == "ready"
    cluster.start("executor")
    assert pipeline.await_end(run_id) == "succeeded"
    job = pipeline.job(run_id, "long")
    assert (job["losses"], job["attempts_used"]) == (0, 1)
