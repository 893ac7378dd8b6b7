"""Lost executors: their jobs run again, a bounded number of times; what they write late is refused."""

from functools import partial

import pytest

from services.executor.finish_jobs import AttemptEnd
from services.executor.queries.beat_executor import beat_executor
from services.scheduler.queries.rescue_jobs import declare_lost, rescue_jobs, watch_executors
from services.scheduler.rescue_jobs import BeatWatch
from services.scheduler.rescue_jobs import rescue_jobs as rescue_duty
from shared.db import in_transaction, query
from shared.ids import ExecutorId
from shared.queries.models import AttemptOutcome, ExecutorState
from tests.engine import SUCCEEDED, Engine


async def lose(engine: Engine, executor: ExecutorId) -> None:
    (beat_seq,) = [
        row.beat_seq for row in await query(engine.scheduler, watch_executors) if row.executor_id == executor
    ]
    lost = await query(engine.scheduler, partial(declare_lost, executor_ids=[executor], beat_seqs=[beat_seq]))
    assert [row.executor_id for row in lost] == [executor]


async def rescue(engine: Engine) -> list[str]:
    return [
        str(row.state)
        for row in await in_transaction(engine.scheduler, partial(rescue_jobs, max_jobs=100, ended_within_seconds=60))
    ]


async def beat(engine: Engine, executor: ExecutorId) -> bool:
    answer = await query(engine.executor, partial(beat_executor, executor_id=executor, state=ExecutorState.ACTIVE))
    return answer is not None


async def test_a_lost_executors_job_runs_again_and_its_late_finish_is_refused(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []})
    lost, other = await engine.add_executor(), await engine.add_executor()
    (first,) = await engine.claim(lost)
    await lose(engine, lost)
    assert await rescue(engine) == ["ready"]
    assert await engine.finish(lost, first, SUCCEEDED) is None
    (second,) = await engine.claim(other)
    assert second.epoch == first.epoch + 1
    assert await engine.finish(lost, first, SUCCEEDED) is None
    assert not await beat(engine, lost)
    assert await engine.finish(other, second, SUCCEEDED) == "succeeded"
    row = engine.job(ids["a"])
    assert (row.losses, row.attempts_used) == (1, 1)


async def test_a_job_that_kills_its_executors_ends(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []})
    states = []
    for _ in range(3):
        executor = await engine.add_executor()
        assert len(await engine.claim(executor)) == 1
        await lose(engine, executor)
        states += await rescue(engine)
    assert states == ["ready", "ready", "failed"]
    row = engine.job(ids["a"])
    assert (row.losses, row.reason, row.is_finished) == (3, "lost", True)
    assert engine.sql("select outcome::text from attempt where job_id = %s", ids["a"]) == [("lost",)] * 3


async def test_a_cancel_survives_the_loss_of_the_executor(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    await engine.claim(executor)
    engine.sql("update job set cancel_requested_at = now() where id = %s", ids["a"])
    await lose(engine, executor)
    assert await rescue(engine) == ["canceled"]


async def test_a_claim_that_commits_after_the_declaration_is_rescued_by_the_next_pass(engine: Engine) -> None:
    _, ids = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    async with engine.executor.connection() as connection, connection.transaction():
        # The claim reads that the executor is active, and commits only after it has been declared lost.
        await connection.execute(
            """
            update job set state = 'running', executor_id = %s, claim_epoch = 1, claimed_at = now() where id = %s
            """,
            [executor, ids["a"]],
        )
        await lose(engine, executor)
        assert await rescue(engine) == []
    assert await rescue(engine) == ["ready"]


async def test_running_jobs_of_an_executor_that_ended_long_ago_are_found_at_the_start_and_once_an_hour(
    engine: Engine,
) -> None:
    _, ids = await engine.start_run({"a": []})
    executor = await engine.add_executor()
    clock = Clock()
    watch = BeatWatch(10.0, clock)

    async def restore() -> None:
        """As an older backup has it."""
        await engine.claim(executor)
        engine.sql("update executor set state = 'lost', ended_at = now() - interval '40 days'")

    await restore()
    await rescue_duty(engine.scheduler, watch)
    assert engine.job(ids["a"]).state == "ready"
    engine.sql("update executor set state = 'active', ended_at = null")
    await restore()
    for state, seconds in (("running", 60), ("ready", 3600)):
        clock.now += seconds
        await rescue_duty(engine.scheduler, watch)
        assert engine.job(ids["a"]).state == state


async def test_an_executor_that_beats_is_not_declared_lost(engine: Engine) -> None:
    executor = await engine.add_executor()
    (seen,) = await query(engine.scheduler, watch_executors)
    assert await beat(engine, executor)
    assert (
        await query(
            engine.scheduler,
            partial(declare_lost, executor_ids=[executor], beat_seqs=[seen.beat_seq]),
        )
        == []
    )


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_an_executor_is_lost_only_after_a_whole_lease_of_silence(engine: Engine) -> None:
    executor = await engine.add_executor()
    clock = Clock()
    watch = BeatWatch(10.0, clock)
    silent_after = []
    for _ in range(13):
        silent = watch.look(await query(engine.scheduler, watch_executors))
        silent_after.append(executor in silent)
        clock.now += 1
    assert silent_after == [False] * 10 + [True] * 3


async def test_an_outage_of_the_database_loses_nobody(engine: Engine) -> None:
    executor = await engine.add_executor()
    clock = Clock()
    watch = BeatWatch(10.0, clock)
    assert watch.look(await query(engine.scheduler, watch_executors)) == {}
    clock.now += 60  # away, without an error of its own: a scheduler that was stopped itself
    assert watch.look(await query(engine.scheduler, watch_executors)) == {}
    clock.now += 5
    watch.forget()  # away, and told so by an error
    clock.now += 5
    assert executor not in watch.look(await query(engine.scheduler, watch_executors))


async def test_two_schedulers_declare_one_loss(engine: Engine) -> None:
    executor = await engine.add_executor()
    _, ids = await engine.start_run({"a": []})
    await engine.claim(executor)
    clock = Clock()
    watches = [BeatWatch(10.0, clock), BeatWatch(10.0, clock)]
    for _ in range(12):
        for watch in watches:
            await rescue_duty(engine.scheduler, watch)
        clock.now += 1
    row = engine.job(ids["a"])
    assert (row.state, row.losses) == ("ready", 1)
    assert engine.sql("select count(*) from audit_event where name = 'executor.lost'") == [(1,)]


@pytest.mark.parametrize("outcome", list(AttemptOutcome))
async def test_whatever_a_lost_executor_says_of_its_job_is_refused(engine: Engine, outcome: AttemptOutcome) -> None:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await lose(engine, executor)
    await rescue(engine)
    assert await engine.finish(executor, job, AttemptEnd(outcome, retry_in_seconds=1)) is None
