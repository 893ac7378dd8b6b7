"""A real executor, real handler processes, a real database: jobs of handlers from the enqueueing to the end."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from deploy.embedded.repository import git
from deploy.embedded.stack import ServiceProcess
from tests.cluster import FAST_LEASE, Cluster, executor_child, run_cluster
from tests.database import TestDatabase

DEEDS = "tests.service.executor.handler_deeds"


@pytest.fixture
def cluster(database: TestDatabase) -> Iterator[Cluster]:
    with run_cluster(database, {**FAST_LEASE, "HOWDAH_GRACE_SECONDS": "1"}) as running:
        yield running


@pytest.fixture
def record(cluster: Cluster) -> Path:
    """The file in which handlers sign, beside the fifo that some wait for."""
    path = cluster.folder / "record"
    path.touch()
    return path


def start_executor(cluster: Cluster, **settings: str) -> ServiceProcess:
    process = cluster.start("executor", handler_modules=DEEDS, **settings)
    cluster.wait_until(
        "it has registered", lambda: bool(cluster.sql("select 1 from executor where 'echo' = any(job_types)"))
    )
    return process


def enqueue(cluster: Cluster, job_type: str, payload: object, **fields: object) -> UUID:
    """Enqueue as any program would: through the function, under the producer's role."""
    names = "".join(f", {name} => %({name})s" for name in fields)
    dsn = cluster.database.dsn("producer")
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            f"select enqueue(%(type)s, %(payload)s{names})".encode(),
            {"type": job_type, "payload": Jsonb(payload), **fields},
        ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def read(cluster: Cluster, job_id: UUID) -> dict[str, Any]:
    rows = cluster.sql(
        """
        select j.state::text, j.reason, j.attempts_used, j.claim_epoch, a.error, a.result, a.outcome::text
        from job j left join attempt a on a.job_id = j.id and a.epoch = j.claim_epoch where j.id = %s
        """,
        job_id,
    )
    names = ("state", "reason", "used", "epoch", "error", "result", "outcome")
    return dict(zip(names, rows[0], strict=True))


def await_state(cluster: Cluster, job_id: UUID, *states: str) -> dict[str, Any]:
    cluster.wait_until(f"the job is {' or '.join(states)}", lambda: read(cluster, job_id)["state"] in states)
    return read(cluster, job_id)


def await_signature(cluster: Cluster, record: Path, name: str) -> None:
    cluster.wait_until(f"{name} has signed", lambda: name in record.read_text().split())


def test_a_result_is_kept_and_a_success_without_one_has_no_attempt_row(cluster: Cluster, record: Path) -> None:
    start_executor(cluster)
    answered = enqueue(cluster, "echo", {"a": [1, "ü", None]})
    silent = enqueue(cluster, "echo", None)
    assert await_state(cluster, answered, "succeeded")["result"] == {"a": [1, "ü", None]}
    done = await_state(cluster, silent, "succeeded")
    assert (done["used"], done["epoch"], done["outcome"]) == (1, 1, None)


def test_a_handler_learns_what_its_job_is(cluster: Cluster) -> None:
    start_executor(cluster)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    job_id = enqueue(
        cluster, "describe", None, queue="default", metadata=Jsonb({"user": 7}), traceparent=trace, max_attempts=3,
        timeout_seconds=60,
    )  # fmt: skip
    told = await_state(cluster, job_id, "succeeded")["result"]
    assert told == {
        "job_id": str(job_id), "job_type": "describe", "queue": "default", "epoch": 1, "attempt": 1, "max_attempts": 3,
        "metadata": {"user": 7}, "traceparent": trace, "has_time": True, "is_canceled": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "state", "reason", "used"),
    [
        ("permanent", "failed", "unknown_user", 1),
        ("retryable", "scheduled", "retry", 1),
        ("unexpected", "scheduled", "retry", 1),
        ("snooze", "scheduled", "snooze", 0),
        ("nul", "failed", "invalid_result", 1),
    ],
)
def test_errors_lead_where_they_should(cluster: Cluster, kind: str, state: str, reason: str, used: int) -> None:
    start_executor(cluster)
    job_id = enqueue(cluster, "odd", {"kind": kind, "seconds": 3600.0}, max_attempts=3)
    job = await_state(cluster, job_id, "failed", "scheduled", "succeeded")
    assert (job["state"], job["reason"], job["used"]) == (state, reason, used)


def test_a_retry_runs_again_and_the_last_one_ends_dead(cluster: Cluster) -> None:
    start_executor(cluster)
    cluster.start("scheduler")
    policy = Jsonb({"first_seconds": 0.01, "factor": 1.0, "most_seconds": 0.01})
    job_id = enqueue(cluster, "odd", {"kind": "retryable_by_policy"}, max_attempts=3, retry=policy)
    job = await_state(cluster, job_id, "dead")
    assert (job["used"], job["epoch"], job["error"]) == (3, 3, "the server is busy")
    assert cluster.sql("select epoch, outcome::text from attempt where job_id = %s order by epoch", job_id) == [
        (1, "errored"), (2, "errored"), (3, "errored"),
    ]  # fmt: skip


def test_a_payload_that_does_not_fit_fails_for_good(cluster: Cluster) -> None:
    start_executor(cluster)
    job_id = enqueue(cluster, "sign", {"log": 7})
    job = await_state(cluster, job_id, "failed")
    assert job["reason"] == "invalid_payload"
    assert "$.log" in job["error"]


def test_a_job_that_takes_too_long_is_ended(cluster: Cluster, record: Path) -> None:
    start_executor(cluster)
    job_id = enqueue(cluster, "wait", {"log": str(record), "name": "w"}, timeout_seconds=1, max_attempts=1)
    assert await_state(cluster, job_id, "dead")["outcome"] == "timed_out"


@pytest.mark.parametrize("job_type", ["wait", "wait_sync", "stubborn", "stubborn_sync"])
def test_a_running_job_is_canceled_however_stubborn(cluster: Cluster, record: Path, job_type: str) -> None:
    start_executor(cluster)
    job_id = enqueue(cluster, job_type, {"log": str(record), "name": "w"})
    await_signature(cluster, record, "w")
    cancel(cluster, job_id)
    job = await_state(cluster, job_id, "canceled")
    assert (job["used"], job["outcome"]) == (0, "canceled")


def cancel(cluster: Cluster, job_id: UUID) -> None:
    """Set the flag, and ring, as the scheduler does."""
    cluster.sql("update job set cancel_requested_at = now() where id = %s", job_id)
    cluster.sql("select ring('job_cancel')")


def test_a_success_that_was_first_stands_though_the_row_has_moved(cluster: Cluster, record: Path) -> None:
    start_executor(cluster)
    job_id = enqueue(cluster, "finish_late", {"log": str(record), "name": "f"})
    cluster.wait_until("it runs", lambda: bool(cluster.sql("select 1 from job_progress where job_id = %s", job_id)))
    cancel(cluster, job_id)
    job = await_state(cluster, job_id, "succeeded", "canceled")
    assert (job["state"], job["result"]) == ("succeeded", "done all the same")


def test_progress_is_written_under_its_epoch(cluster: Cluster, record: Path) -> None:
    start_executor(cluster)
    job_id = enqueue(cluster, "wait", {"log": str(record), "name": "half"})
    cluster.wait_until("it is half done", lambda: bool(cluster.sql("select 1 from job_progress")))
    assert cluster.sql("select job_id, epoch, fraction, message from job_progress") == [(job_id, 1, 0.5, "half")]
    cancel(cluster, job_id)  # it would wait for as long as draining may take


def test_a_first_signal_lets_handlers_finish(cluster: Cluster, record: Path) -> None:
    executor = start_executor(cluster)
    job_id = enqueue(cluster, "finish_late", {"log": str(record), "name": "f"})
    cluster.wait_until("it runs", lambda: bool(cluster.sql("select 1 from job_progress")))
    assert executor.process is not None
    executor.process.send_signal(signal.SIGTERM)
    cluster.wait_until("it drains", lambda: cluster.sql("select state::text from executor") == [("draining",)])
    left = enqueue(cluster, "echo", 1)
    assert executor.process.poll() is None
    cancel(cluster, job_id)  # lets the handler go on; a cancel is heard while it drains, too
    assert executor.process.wait(30) == 0
    assert read(cluster, job_id)["state"] == "succeeded"
    assert read(cluster, left)["state"] == "ready"


def test_a_second_signal_hands_back_free_of_charge(cluster: Cluster, record: Path) -> None:
    executor = start_executor(cluster)
    jobs = [enqueue(cluster, kind, {"log": str(record), "name": kind}) for kind in ("wait", "stubborn_sync")]
    for kind in ("wait", "stubborn_sync"):
        await_signature(cluster, record, kind)
    assert executor.process is not None
    executor.process.send_signal(signal.SIGTERM)
    cluster.wait_until("it drains", lambda: cluster.sql("select state::text from executor") == [("draining",)])
    executor.process.send_signal(signal.SIGTERM)
    assert executor.process.wait(30) == 0
    for job_id in jobs:
        job = read(cluster, job_id)
        assert (job["state"], job["used"], job["outcome"]) == ("ready", 0, "handed_back")


def test_an_executor_that_was_declared_lost_lets_go_and_comes_back(cluster: Cluster, record: Path) -> None:
    start_executor(cluster)
    job_id = enqueue(cluster, "wait", {"log": str(record), "name": "w"})
    await_signature(cluster, record, "w")
    cluster.sql("update executor set state = 'lost', ended_at = now()")
    cluster.start("scheduler")
    cluster.wait_until("it runs again", lambda: record.read_text().split().count("w") == 2)
    ((epoch, losses, used),) = cluster.sql("select claim_epoch, losses, attempts_used from job where id = %s", job_id)
    assert (epoch, losses, used) == (2, 1, 0)
    assert cluster.sql("select outcome::text from attempt where job_id = %s and epoch = 1", job_id) == [("lost",)]
    cancel(cluster, job_id)


def test_a_dead_handler_process_takes_no_other_job_with_it(cluster: Cluster, record: Path) -> None:
    executor = start_executor(cluster)
    bystanders = [enqueue(cluster, "wait_sync", {"log": str(record), "name": f"b{n}"}) for n in range(5)]
    for number in range(5):
        await_signature(cluster, record, f"b{number}")
    culprit = enqueue(cluster, "fail", {"kind": "exit"}, max_attempts=1)
    assert await_state(cluster, culprit, "dead")["reason"] == "crashed"
    for job_id in bystanders:
        cancel(cluster, job_id)
    assert {await_state(cluster, job_id, "canceled")["used"] for job_id in bystanders} == {0}
    assert executor.ended() is None
    assert cluster.sql("select count(*) from executor where state = 'lost'") == [(0,)]


def test_nothing_of_handlers_outlives_a_killed_executor(cluster: Cluster, record: Path) -> None:
    executor = start_executor(cluster)
    job_id = enqueue(cluster, "sign", {"log": str(record), "name": "s"})
    pid = await_state(cluster, job_id, "succeeded")["result"]
    child = executor_child(executor)
    Path(f"/proc/{pid}").stat()
    os.kill(child, signal.SIGKILL)
    assert executor.process is not None
    executor.process.wait(30)
    assert not Path(f"/proc/{pid}").exists()


PIPELINE = """\
on: push
jobs:
  build: {run: 'true'}
  tell:
    needs: [build]
    task: {type: describe}
  shout:
    needs: [tell]
    task: {type: transform, payload: {expression: 'join(`-`, parts)', data: {parts: [a, "1.0", true]}}}
  after:
    needs: [shout]
    run: echo reached
"""


def test_a_pipeline_calls_handlers_which_learn_of_their_run(cluster: Cluster) -> None:
    cluster.start("scheduler")
    start_executor(cluster)
    pipeline = cluster.add_pipeline({".howdah.yml": PIPELINE})
    run_id = pipeline.request_run()
    assert pipeline.await_end(run_id) == "failed"
    told = read(cluster, pipeline.job(run_id, "tell")["id"])
    assert (told["state"], told["outcome"]) == ("succeeded", "succeeded")
    metadata = told["result"]["metadata"]
    assert (metadata["pipeline"], metadata["run_number"], metadata["branch"]) == ("app", 1, "main")
    assert metadata["commit"] == git("rev-parse", "HEAD", cwd=pipeline.clone).strip()
    # A boolean cannot be joined: an error in the payload is for good, and what needs the job is skipped.
    shout = read(cluster, pipeline.job(run_id, "shout")["id"])
    assert (shout["state"], shout["outcome"], shout["used"]) == ("failed", "failed", 1)
    assert pipeline.job(run_id, "after")["state"] == "skipped"
    assert cluster.sql("select count(*) from job where state not in ('succeeded', 'failed', 'skipped')") == [(0,)]
