"""Commands about jobs on their own: carried out once, told truly, whatever happens at the same time."""

from functools import partial

import anyio
import psycopg
import pytest

from services.executor.queries.beat_executor import beat_executor
from services.scheduler.apply_commands import apply_commands
from shared.db import query
from shared.ids import CommandId, ExecutorId, JobId
from shared.queries.models import ExecutorState
from tests.contract.own_jobs import DEAD, FAILED, claim, end, enqueue, fail, give, outcome, states
from tests.engine import Engine


async def apply(engine: Engine, command_id: CommandId, *, max_redrives: int = 5) -> str | None:
    while await apply_commands(engine.scheduler, 60, max_redrives) == 0:
        pass
    return outcome(engine, command_id)


async def beat(engine: Engine, executor_id: ExecutorId, state: ExecutorState) -> list[JobId]:
    canceled = await query(engine.executor, partial(beat_executor, executor_id=executor_id, state=state))
    return canceled or []


async def test_a_waiting_job_is_canceled_at_once(engine: Engine) -> None:
    ids = enqueue(engine, {}, {"delay_seconds": 60}, {"concurrency_key": "k"})
    assert states(engine, ids) == ["ready", "scheduled", "blocked"]
    for job_id in ids:
        assert await apply(engine, give(engine, "cancel_job", job_id=job_id)) == "canceled 1 waiting job"
    assert states(engine, ids) == ["canceled"] * 3
    assert engine.sql("select count(*) from audit_event where name = 'job.canceled'") == [(3,)]


@pytest.mark.parametrize("state", [ExecutorState.ACTIVE, ExecutorState.DRAINING])
async def test_a_cancel_reaches_a_running_job_also_while_its_executor_drains(
    engine: Engine, state: ExecutorState
) -> None:
    (job_id,) = enqueue(engine, {})
    executor_id = await engine.add_executor()
    (job,) = await claim(engine, executor_id)
    await beat(engine, executor_id, state)
    assert await apply(engine, give(engine, "cancel_job", job_id=job_id)) == "asked 1 running job to end"
    assert await beat(engine, executor_id, state) == [job_id]
    # However it ends now, but for a success, it is not tried again.
    assert await end(engine, executor_id, job, DEAD) == "canceled"


@pytest.mark.parametrize("is_of_a_run", [True, False])
async def test_a_cancel_that_waits_for_a_claim_is_not_lost(engine: Engine, is_of_a_run: bool) -> None:
    if is_of_a_run:
        _, ids = await engine.start_run({"a": []})
        job_id = ids["a"]
    else:
        (job_id,) = enqueue(engine, {})
    executor_id = await engine.add_executor()
    command_id = give(engine, "cancel_job", job_id=job_id)
    with psycopg.connect(engine.database.dsn()) as claiming:
        claiming.execute(
            "update job set state = 'running', executor_id = %s, claim_epoch = 1, claimed_at = now() where id = %s",
            [executor_id, job_id],
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(apply, engine, command_id)
            while not engine.sql("select 1 from pg_stat_activity where wait_event_type = 'Lock'"):
                await anyio.lowlevel.checkpoint()
            await anyio.to_thread.run_sync(claiming.commit)
    row = engine.job(job_id)
    assert (row.state, row.is_cancel_requested) == ("running", True)
    assert "asked 1 running job" in (outcome(engine, command_id) or "")


async def test_a_command_without_object_says_why(engine: Engine) -> None:
    done, dead, ready = [*await fail(engine, {}, how=FAILED), *await fail(engine, {}), *enqueue(engine, {})]
    _, ids = await engine.start_run({"a": []})
    assert [
        await apply(engine, give(engine, kind, job_id=job_id))
        for kind, job_id in [
            ("cancel_job", done),
            ("discard_jobs", done),
            ("redrive_jobs", ready),
            ("redrive_jobs", ids["a"]),
            ("cancel_jobs", dead),
        ]
    ] == [
        "nothing to cancel: the job has ended as failed",
        "nothing to discard: the job has ended as failed",
        "nothing to redrive: the job is ready",
        "nothing to redrive: the job belongs to a run; run that again instead",
        "nothing to cancel: the job has ended as dead",
    ]
    assert states(engine, [done, dead, ready, ids["a"]]) == ["failed", "dead", "ready", "ready"]


@pytest.mark.parametrize("state", ["dead", "failed", "canceled"])
async def test_a_redriven_job_begins_anew(engine: Engine, state: str) -> None:
    ids = await fail(engine, {}, {"concurrency_key": "k"})
    (job_id, _) = ids
    engine.sql(
        "update job set state = %s::job_state, losses = 2, cancel_requested_at = now(), finished_at = now()", state
    )
    for ended in ids:
        assert await apply(engine, give(engine, "redrive_jobs", job_id=ended)) == "redrove 1 job"
    rows = [engine.job(ended) for ended in ids]
    assert [(row.state, row.reason) for row in rows] == [("ready", None), ("blocked", "limit")]
    for row in rows:
        assert (row.attempts_used, row.losses, row.is_finished, row.is_cancel_requested) == (0, 0, False, False)
    executor_id = await engine.add_executor()
    (again,) = await claim(engine, executor_id)
    # The claim epoch never resets: it numbers the attempts and fences what they write.
    assert (again.job_id, again.epoch) == (job_id, 2)
    assert await end(engine, executor_id, again, DEAD) == "dead"


async def test_a_job_is_redriven_so_often_and_no_more(engine: Engine) -> None:
    (job_id,) = await fail(engine, {})
    executor_id = await engine.add_executor()
    for _ in range(2):
        assert await apply(engine, give(engine, "redrive_jobs", job_id=job_id), max_redrives=2) == "redrove 1 job"
        (job,) = await claim(engine, executor_id)
        await end(engine, executor_id, job, DEAD)
    said = await apply(engine, give(engine, "redrive_jobs", job_id=job_id), max_redrives=2)
    assert said == "left 1 job that had been redriven 2 times already"
    assert engine.job(job_id).state == "dead"


async def test_a_discarded_job_has_failed(engine: Engine) -> None:
    (job_id,) = await fail(engine, {})
    assert await apply(engine, give(engine, "discard_jobs", job_id=job_id)) == "discarded 1 dead job"
    row = engine.job(job_id)
    assert (row.state, row.reason) == ("failed", "discarded")


async def test_nothing_of_a_paused_queue_is_claimed_until_it_is_resumed(engine: Engine) -> None:
    enqueue(engine, {"queue": "slow"}, {})
    executor_id = await engine.add_executor()
    assert await apply(engine, give(engine, "pause_queue", queue="slow")) == "paused the queue slow"
    again = await apply(engine, give(engine, "pause_queue", queue="slow"))
    assert again == "nothing to pause: the queue slow is paused already"
    assert engine.sql("select paused_by, why from queue where paused_at is not null") == [("me", "because")]
    assert await claim(engine, executor_id, queue="slow") == []
    assert len(await claim(engine, executor_id)) == 1
    with psycopg.connect(engine.database.dsn(), autocommit=True) as ears:
        ears.execute("listen job_ready")
        assert await apply(engine, give(engine, "resume_queue", queue="slow")) == "resumed the queue slow"
        assert [notice.channel for notice in ears.notifies(timeout=10, stop_after=1)] == ["job_ready"]
    assert len(await claim(engine, executor_id, queue="slow")) == 1
    again = await apply(engine, give(engine, "resume_queue", queue="slow"))
    assert again == "nothing to resume: the queue slow is not paused"


async def test_commands_are_applied_once_and_in_order_however_many_schedulers_there_are(engine: Engine) -> None:
    given = [give(engine, "pause_queue" if number % 2 else "resume_queue", queue="q") for number in range(1, 41)]

    async def apply_all() -> None:
        while engine.sql("select 1 from command where applied_at is null"):
            await apply_commands(engine.scheduler, 60)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(apply_all)
    said = [outcome(engine, command_id) for command_id in given]
    assert said == ["paused the queue q", "resumed the queue q"] * 20
    assert engine.sql("select count(*) from audit_event where name = 'command.applied'") == [(40,)]
