"""Ends: written once, under the claim epoch, exactly counted; a cancel is never lost."""

from functools import partial

import pytest

from services.executor.finish_jobs import AttemptEnd
from services.executor.queries.finish_jobs import read_job_ends
from services.executor.queries.reconcile_jobs import reconcile_jobs
from services.scheduler.queries.cancel_run import cancel_run_jobs
from services.scheduler.queries.promote_jobs import promote_jobs
from shared.db import in_transaction, query
from shared.ids import JobId, RunId
from shared.queries.models import AttemptOutcome
from tests.engine import FAILED, SUCCEEDED, Engine


async def cancel(engine: Engine, run_id: RunId, job_id: JobId | None = None) -> tuple[int, int]:
    done = await in_transaction(engine.scheduler, partial(cancel_run_jobs, run_id=run_id, job_id=job_id))
    return done.canceled, done.flagged


async def test_a_stale_epoch_cannot_finish(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (first,) = await engine.claim(executor)
    await engine.finish(executor, first, AttemptEnd(AttemptOutcome.HANDED_BACK))
    (second,) = await engine.claim(executor)
    assert second.epoch == 2
    assert await engine.finish(executor, first, SUCCEEDED) is None
    assert engine.job(ids["a"]).state == "running"
    assert await engine.finish(executor, second, FAILED) == "failed"


async def test_a_finish_whose_answer_was_lost_is_recognised(engine: Engine) -> None:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    assert await engine.finish(executor, job, SUCCEEDED) == "succeeded"
    assert await engine.finish(executor, job, SUCCEEDED) is None
    (end,) = await query(
        engine.executor,
        lambda connection: read_job_ends(connection, job_ids=[job.job_id], epochs=[job.epoch]),
    )
    assert (end.state, end.outcome) == ("succeeded", "succeeded")


async def test_a_job_that_is_handed_back_costs_no_attempt(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    assert await engine.finish(executor, job, AttemptEnd(AttemptOutcome.HANDED_BACK)) == "ready"
    row = engine.job(ids["a"])
    assert (row.attempts_used, row.losses, row.is_finished) == (0, 0, False)


@pytest.mark.parametrize("outcome", [AttemptOutcome.ERRORED, AttemptOutcome.FAILED, AttemptOutcome.HANDED_BACK])
async def test_a_failure_never_revives_a_canceled_job(engine: Engine, outcome: AttemptOutcome) -> None:
    run_id, ids = await engine.start_run({"a": []}, max_attempts=5)
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    assert await cancel(engine, run_id) == (0, 1)
    end = AttemptEnd(outcome, retry_in_seconds=0)
    expected = "canceled"
    assert await engine.finish(executor, job, end) == expected
    assert engine.job(ids["a"]).is_finished


async def test_a_success_that_was_first_is_not_overwritten_by_a_cancel(engine: Engine) -> None:
    run_id, ids = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await engine.finish(executor, job, SUCCEEDED)
    assert await cancel(engine, run_id) == (0, 0)
    assert engine.job(ids["a"]).state == "succeeded"


async def test_waiting_jobs_are_canceled_at_once(engine: Engine) -> None:
    run_id, ids = await engine.start_run({"a": [], "b": ["a"]})
    assert await cancel(engine, run_id) == (2, 0)
    assert {engine.job(job_id).state for job_id in ids.values()} == {"canceled"}
    assert await engine.claim(await engine.add_executor()) == []


async def test_attempts_are_counted_exactly_and_waiting_is_free(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []}, max_attempts=3)
    executor = await engine.add_executor()
    errored = AttemptEnd(AttemptOutcome.ERRORED, error="no network", retry_in_seconds=30)
    for used in (1, 2):
        (job,) = await engine.claim(executor)
        assert await engine.finish(executor, job, errored) == "scheduled"
        row = engine.job(ids["a"])
        assert (row.attempts_used, row.reason, row.is_finished) == (used, "retry", False)
        assert await engine.claim(executor) == []
        (due,) = engine.sql("select now() + interval '31 s'")
        promoted = await query(engine.scheduler, partial(promote_jobs, now=due[0], max_jobs=10))
        assert promoted.promoted == 1
    (job,) = await engine.claim(executor)
    assert await engine.finish(executor, job, errored) == "failed"
    assert engine.job(ids["a"]).attempts_used == 3
    assert len(engine.sql("select 1 from attempt where job_id = %s", ids["a"])) == 3


async def test_a_retry_is_not_due_before_its_delay(engine: Engine) -> None:
    await engine.start_run({"a": []}, max_attempts=2)
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await engine.finish(executor, job, AttemptEnd(AttemptOutcome.ERRORED, retry_in_seconds=60))
    found = await query(engine.scheduler, lambda connection: promote_jobs(connection, now=None, max_jobs=10))
    assert found.promoted == 0
    assert found.next_due_in_seconds is not None
    assert 50 < found.next_due_in_seconds <= 60


async def test_a_claim_that_was_never_answered_leaves_no_job_stuck(engine: Engine) -> None:
    _, ids = await engine.start_run({"held": [], "lost": []})
    executor = await engine.add_executor()
    held, _ = await engine.claim(executor)
    returned = await query(
        engine.executor,
        lambda connection: reconcile_jobs(
            connection, executor_id=executor, held_job_ids=[held.job_id], held_epochs=[held.epoch]
        ),
    )
    assert [job.job_id for job in returned] == [ids["lost"]]
    assert engine.job(ids["held"]).state == "running"
    row = engine.job(ids["lost"])
    assert (row.state, row.attempts_used, row.losses) == ("ready", 0, 0)


async def test_what_holds_for_a_state_is_checked_by_the_database(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []})
    for change in (
        "state = 'running'",
        "state = 'succeeded'",
        "state = 'dead', finished_at = now()",
        "settled = true",
    ):
        with pytest.raises(Exception, match="violates check constraint"):
            engine.sql(f"update job set {change} where id = %s", ids["a"])
