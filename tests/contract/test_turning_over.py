"""Turning over: what is done is recorded, what is next is claimed, in one statement; each exactly, and nothing else."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import anyio
import pytest
from msgspec.structs import replace

from services.executor.finish_jobs import AttemptEnd
from services.executor.queries.finish_jobs import read_job_ends
from shared.db import query
from shared.queries.models import AttemptOutcome
from tests.contract.test_enqueueing_at_once import await_waiters
from tests.contract.test_ringing import Ears
from tests.engine import SUCCEEDED, Engine
from tests.turnover import HANDED_BACK, add_jobs, all_attempts, assert_counts_hold, end_job, turn_over


@pytest.fixture
def counted(engine: Engine) -> Iterator[None]:
    """Hold the counters against the rows when the test is over."""
    yield
    assert_counts_hold(engine)


pytestmark = pytest.mark.usefixtures("counted")


async def test_done_is_exactly_what_was_recorded(engine: Engine) -> None:
    ids = add_jobs(engine, {}, {}, {})
    executor = await engine.add_executor()
    first = await turn_over(engine, executor)
    assert (first.done, first.job_ids) == (0, ids)
    assert {job.epoch for job in first.claimed} == {1}
    second = await turn_over(engine, executor, first.claimed)
    assert (second.done, second.claimed) == (3, [])
    for job_id in ids:
        row = engine.job(job_id)
        assert (row.state, row.reason, row.attempts_used, row.losses) == ("succeeded", None, 1, 0)
        assert (row.is_finished, row.executor_id) == (True, executor)


async def test_an_end_that_comes_again_is_not_recorded_again(engine: Engine) -> None:
    add_jobs(engine, {})
    executor = await engine.add_executor()
    (job,) = (await turn_over(engine, executor)).claimed
    assert (await turn_over(engine, executor, [job, job])).done == 1
    assert (await turn_over(engine, executor, [job])).done == 0
    assert engine.job(job.job_id).attempts_used == 1
    (known,) = await query(engine.executor, partial(read_job_ends, job_ids=[job.job_id], epochs=[job.epoch]))
    assert (known.state, known.outcome) == ("succeeded", "succeeded")


async def test_a_stale_epoch_finishes_nothing(engine: Engine) -> None:
    add_jobs(engine, {})
    executor = await engine.add_executor()
    (first,) = (await turn_over(engine, executor)).claimed
    assert await end_job(engine, executor, first, HANDED_BACK) == "ready"
    (second,) = (await turn_over(engine, executor)).claimed
    assert second.epoch == 2
    assert (await turn_over(engine, executor, [first])).done == 0
    # Not even where the row is now.
    assert (await turn_over(engine, executor, [replace(first, row_at=second.row_at)])).done == 0
    assert engine.job(first.job_id).state == "running"
    assert (await turn_over(engine, executor, [second])).done == 1


async def test_a_row_that_is_elsewhere_is_not_finished(engine: Engine) -> None:
    add_jobs(engine, {}, {}, {})
    executor = await engine.add_executor()
    one, two, three = (await turn_over(engine, executor)).claimed
    astray = [replace(one, row_at=three.row_at), replace(two, row_at="(4000000,1)")]
    assert (await turn_over(engine, executor, astray)).done == 0
    assert {engine.job(job.job_id).state for job in (one, two, three)} == {"running"}


async def test_a_job_whose_cancel_was_asked_for_meanwhile_is_left_to_a_finish_by_itself(engine: Engine) -> None:
    add_jobs(engine, {}, {})
    executor = await engine.add_executor()
    moved, stays = (await turn_over(engine, executor)).claimed
    engine.sql("update job set cancel_requested_at = now() where id = %s", moved.job_id)
    assert (await turn_over(engine, executor, [moved, stays])).done == 1
    assert [engine.job(job.job_id).state for job in (moved, stays)] == ["running", "succeeded"]
    # It had succeeded before anybody could have stopped it.
    assert await end_job(engine, executor, moved, SUCCEEDED) == "succeeded"


async def test_a_cancel_that_commits_in_the_very_moment_leaves_the_job_ended_or_flagged(engine: Engine) -> None:
    add_jobs(engine, {})
    executor = await engine.add_executor()
    (job,) = (await turn_over(engine, executor)).claimed
    done: list[int] = []

    async def finish() -> None:
        done.append((await turn_over(engine, executor, [job])).done)

    flag = "update job set cancel_requested_at = now() where id = %s"
    async with (
        anyio.create_task_group() as tasks,
        engine.scheduler.connection() as canceling,
        canceling.transaction(),
    ):
        await canceling.execute(flag, [job.job_id])
        tasks.start_soon(finish)
        await anyio.to_thread.run_sync(await_waiters, engine, 1)
    row = engine.job(job.job_id)
    assert (row.state, row.is_cancel_requested) == ("succeeded" if done == [1] else "running", True)


async def test_what_is_done_is_recorded_before_anything_is_claimed(engine: Engine) -> None:
    first, *rest = add_jobs(engine, {}, {}, {})
    executor = await engine.add_executor()
    claimed = (await turn_over(engine, executor, slots=1)).claimed

    async def finish() -> None:
        assert (await turn_over(engine, executor, claimed)).done == 1

    async with (
        anyio.create_task_group() as tasks,
        engine.scheduler.connection() as holding,
        holding.transaction(),
    ):
        await holding.execute("select from job where id = %s for update", [first])
        tasks.start_soon(finish)
        await anyio.to_thread.run_sync(await_waiters, engine, 1)
        # It waits with no other row in its hands.
        free = await holding.execute("select id from job where state = 'ready' order by id for update skip locked")
        assert [row[0] for row in await free.fetchall()] == rest


async def test_no_slots_finish_and_claim_nothing(engine: Engine) -> None:
    add_jobs(engine, {}, {})
    executor = await engine.add_executor()
    claimed = (await turn_over(engine, executor, slots=1)).claimed
    turned = await turn_over(engine, executor, claimed, slots=0)
    assert (turned.done, turned.lane, turned.claimed) == (1, None, [])


async def test_a_plain_success_needs_no_row_and_every_other_end_has_one(engine: Engine) -> None:
    plain, told, tried = add_jobs(engine, {}, {}, {"max_attempts": 9})
    executor = await engine.add_executor()
    first = {job.job_id: job for job in (await turn_over(engine, executor)).claimed}
    assert [all_attempts(engine, job_id) for job_id in first] == [[(1, None)]] * 3
    assert await end_job(engine, executor, first[tried], HANDED_BACK) == "ready"
    (second,) = (await turn_over(engine, executor, [first[plain], first[told]], results=[None, {"sent": 2}])).claimed
    assert (
        await end_job(engine, executor, second, AttemptEnd(AttemptOutcome.ERRORED, retry_in_seconds=0)) == "scheduled"
    )
    engine.sql("update job set state = 'ready', reason = null where id = %s", tried)
    (third,) = (await turn_over(engine, executor)).claimed
    assert (await turn_over(engine, executor, [third])).done == 1
    assert all_attempts(engine, plain) == all_attempts(engine, told) == [(1, "succeeded")]
    assert all_attempts(engine, tried) == [(1, "handed_back"), (2, "errored"), (3, "succeeded")]
    assert engine.sql("select job_id, epoch from attempt order by epoch, job_id") == [(told, 1), (tried, 1), (tried, 2)]
    assert engine.sql(
        """
        select a.result, a.executor_id, a.started_at = j.claimed_at, a.ended_at = j.finished_at, a.error
        from attempt a join job j on j.id = a.job_id where j.id = %s
        """,
        told,
    ) == [({"sent": 2}, executor, True, True, None)]


async def test_results_stay_with_their_jobs(engine: Engine) -> None:
    results: list[object] = [0, None, "", False, [], {}, [1, None], ']\\"[', {"a": "\u20ac,"}, 1.5]
    ids = add_jobs(engine, *({} for _ in results))
    executor = await engine.add_executor()
    claimed = (await turn_over(engine, executor)).claimed
    assert (await turn_over(engine, executor, claimed, results=results)).done == len(results)
    stored = dict(engine.sql("select job_id, result from attempt"))
    assert [stored.get(job_id) for job_id in ids] == results
    assert ids[1] not in stored


async def test_a_result_that_cannot_be_stored_leaves_everything_as_it_was(engine: Engine) -> None:
    add_jobs(engine, {}, {}, {})
    executor = await engine.add_executor()
    claimed = (await turn_over(engine, executor, slots=2)).claimed
    with pytest.raises(Exception, match="Unicode"):
        await turn_over(engine, executor, claimed, results=["fine", "\0"])
    assert [engine.job(job.job_id).state for job in claimed] == ["running"] * 2
    assert (await turn_over(engine, executor, claimed)).done == 2


async def test_jobs_of_runs_are_recorded_and_rung_for_and_jobs_on_their_own_are_not(engine: Engine) -> None:
    run_id, ids = await engine.start_run({"one": [], "two": []})
    engine.sql(
        "update job set kind = 'handler', lane_id = lane_of('handler', 'default', 'a', '{}') where kind = 'shell'"
    )
    executor = await engine.add_executor()
    engine.sql("delete from audit_event")
    with closing(Ears(engine)) as ears:
        in_run = await turn_over(engine, executor)
        assert (sorted(in_run.job_ids), ears.heard()) == (sorted(ids.values()), ["event_recorded"])
        assert engine.sql("select distinct run_id from job where state = 'running'") == [(run_id,)]
        assert (await turn_over(engine, executor, in_run.claimed)).done == 2
        assert ears.heard() == ["event_recorded", "job_finished"]
        assert engine.sql("select name, job_id, detail ->> 'state' from audit_event order by name, job_id") == [
            (name, job_id, state)
            for name, state in (("job.claimed", "running"), ("job.finished", "succeeded"))
            for job_id in sorted(ids.values())
        ]
        # The scheduler reads how each attempt ended.
        assert engine.sql("select job_id, epoch, outcome::text from attempt order by job_id") == [
            (job_id, 1, "succeeded") for job_id in sorted(ids.values())
        ]
        assert not engine.job(ids["one"]).is_settled

        engine.sql("delete from audit_event")
        add_jobs(engine, {}, {})
        ears.heard()
        alone = await turn_over(engine, executor)
        assert (await turn_over(engine, executor, alone.claimed)).done == 2
        assert ears.heard() == []
        assert engine.sql("select count(*) from audit_event") == [(0,)]


async def test_the_end_of_a_limited_job_is_rung_for(engine: Engine) -> None:
    add_jobs(engine, {"concurrency_key": "k"}, {"concurrency_key": "k"})
    executor = await engine.add_executor()
    assert (await turn_over(engine, executor)).claimed == []
    engine.sql("update job set state = 'ready', reason = null")
    limited = (await turn_over(engine, executor)).claimed
    with closing(Ears(engine)) as ears:
        assert (await turn_over(engine, executor, limited)).done == 2
        assert ears.heard() == ["job_finished"]


async def test_counts_hold_whatever_statement_moves_jobs(engine: Engine) -> None:
    add_jobs(engine, *({"type": "ab"[number % 2], "queue": f"q{number % 3}"} for number in range(12)))
    add_jobs(engine, {"delay_seconds": 60}, {"concurrency_key": "k"})
    assert_counts_hold(engine)
    executor = await engine.add_executor()
    claimed = (await turn_over(engine, executor, queues=["q0", "q1", "q2", "default"])).claimed
    assert_counts_hold(engine)
    async with engine.executor.connection() as connection, connection.transaction(force_rollback=True):
        await turn_over(engine, executor, claimed, connection=connection, queues=["q1"])
    assert_counts_hold(engine)
    await turn_over(engine, executor, claimed[:1], queues=["q1", "q2"], job_types=["b"])
    assert_counts_hold(engine)
    for statement in (
        # Nothing, several lanes and states at once, a change of lane alone, a change of neither.
        "update job set state = 'ready' where false",
        "update job set state = 'canceled', finished_at = now() where state in ('ready', 'blocked', 'scheduled')",
        "update job set lane_id = lane_of('handler', 'moved', 'a', '{}') where state = 'running'",
        "update job set priority = 1",
        "delete from job where state = 'canceled'",
        "delete from job where false",
    ):
        engine.sql(statement)
        assert_counts_hold(engine)
    # A statement that changed nothing for the counts leaves no row behind.
    before = engine.sql("select count(*) from job_count_change")
    engine.sql("update job set priority = 2")
    assert engine.sql("select count(*) from job_count_change") == before
    engine.sql("delete from job")
