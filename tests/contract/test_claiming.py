"""Claims: in order, of the executor's lanes only, never one job twice."""

import anyio

from services.executor.queries.beat_executor import beat_executor, leave_executor
from shared.db import query
from shared.queries.models import ExecutorState
from tests.engine import SUCCEEDED, Engine


async def test_nothing_ready_claims_nothing(engine: Engine) -> None:
    executor = await engine.add_executor()
    assert await engine.claim(executor) == []


async def test_a_claim_brings_all_that_the_job_needs_to_know(engine: Engine) -> None:
    run_id, ids = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    assert (job.job_id, job.run_id, job.epoch, job.key) == (ids["a"], run_id, 1, "a")
    assert job.repository_url == "https://example.org/app.git"
    row = engine.job(ids["a"])
    assert (row.state, row.executor_id, row.claim_epoch) == ("running", executor, 1)


async def test_a_claim_takes_no_more_than_its_slots(engine: Engine) -> None:
    await engine.start_run({key: [] for key in "abcde"})
    executor = await engine.add_executor()
    assert len(await engine.claim(executor, 2)) == 2
    assert len(await engine.claim(executor, 10)) == 3


async def test_jobs_are_claimed_in_the_order_of_the_file(engine: Engine) -> None:
    await engine.start_run({key: [] for key in "zyxw"})
    executor = await engine.add_executor()
    assert [(await engine.claim(executor, 1))[0].key for _ in range(4)] == list("zyxw")


async def test_priority_counts_and_old_jobs_are_not_starved(engine: Engine) -> None:
    _, ids = await engine.start_run({"old": [], "urgent": [], "new": []})
    for key, minutes, priority in (("old", 30, 0), ("urgent", 0, 10), ("new", 0, 0)):
        engine.sql(
            """
            update job set priority = %s,
                claim_order = claim_order_of(now() - make_interval(mins => %s), %s::smallint)
            where id = %s
            """,
            priority,
            minutes,
            priority,
            ids[key],
        )
    executor = await engine.add_executor()
    claimed = [(await engine.claim(executor, 1))[0].key for _ in range(3)]
    assert claimed == ["old", "urgent", "new"]


async def test_an_executor_gets_only_jobs_of_its_queues_and_labels(engine: Engine) -> None:
    _, ids = await engine.start_run({"plain": [], "gpu": [], "other": []})
    for key, queue, labels in (("gpu", "default", ["gpu"]), ("other", "slow", [])):
        engine.sql("update job set lane_id = lane_of('shell', %s, '', %s) where id = %s", queue, labels, ids[key])
    plain = await engine.add_executor()
    assert [job.key for job in await engine.claim(plain)] == ["plain"]
    with_gpu = await engine.add_executor(labels=["gpu", "linux"])
    assert [job.key for job in await engine.claim(with_gpu, labels=["gpu", "linux"])] == ["gpu"]
    assert [job.key for job in await engine.claim(plain, queue="slow")] == ["other"]


async def test_concurrent_claims_never_share_a_job(engine: Engine) -> None:
    _, ids = await engine.start_run({f"j{number}": [] for number in range(60)})
    claimed: list[str] = []

    async def claim_all() -> None:
        executor = await engine.add_executor()
        while jobs := await engine.claim(executor, 3):
            claimed.extend(job.key for job in jobs)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(claim_all)
    assert sorted(claimed) == sorted(ids)


async def test_an_executor_that_has_left_claims_nothing(engine: Engine) -> None:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    await query(engine.executor, lambda connection: leave_executor(connection, executor_id=executor))
    assert await engine.claim(executor) == []


async def test_a_draining_executor_claims_nothing(engine: Engine) -> None:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    await query(
        engine.executor,
        lambda connection: beat_executor(connection, executor_id=executor, state=ExecutorState.DRAINING),
    )
    assert await engine.claim(executor) == []


async def test_every_claim_opens_an_attempt_of_its_own_epoch(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await engine.finish(executor, job, SUCCEEDED)
    assert engine.sql("select epoch, outcome::text, exit_code from attempt where job_id = %s", ids["a"]) == [
        (1, "succeeded", 0)
    ]
