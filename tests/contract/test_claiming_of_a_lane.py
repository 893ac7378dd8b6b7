"""A claim from one lane that is known: what it takes and leaves, and that it tells the same as one from anywhere."""

from functools import partial

import msgspec

from services.executor.finish_and_claim import Found, Lane, claim_of
from services.executor.queries.beat_executor import beat_executor
from shared.db import query
from shared.ids import ExecutorId, JobId
from shared.queries.models import ExecutorState
from tests.engine import Engine
from tests.turnover import HANDED_BACK, JOB_TYPE, add_jobs, assert_counts_hold, end_job, turn_over


def lane_of(engine: Engine, queue: str = "default") -> Lane:
    ((lane_id,),) = engine.sql("select id from lane where job_type = %s and queue = %s", JOB_TYPE, queue)
    return Lane(lane_id, JOB_TYPE, queue)


async def claim(engine: Engine, executor: ExecutorId, *, queue: str = "default", slots: int = 100) -> Found:
    lane = lane_of(engine, queue)
    return await query(engine.executor, partial(claim_of, lane=lane, executor_id=executor, slots=slots))


def ids_of(found: Found) -> list[JobId]:
    return [held.job_id for held in found.claimed]


async def test_it_takes_the_oldest_of_that_lane_and_tells_the_same(engine: Engine) -> None:
    add_jobs(engine, {"queue": "q"})
    details = {"payload": {"n": 1}, "metadata": {"m": 2}, "retry": {"factor": 3}, "traceparent": 'a"b'}
    ids = [job_id for _ in range(4) for job_id in add_jobs(engine, details, {"payload": "x" * 20_000})]
    executor = await engine.add_executor()
    found = await claim(engine, executor, slots=4)
    assert ids_of(found) == ids[:4]
    assert engine.sql("select max(claim_order) from job where state = 'running'") == [(found.last_order,)]
    assert ids_of(await claim(engine, executor)) == ids[4:]
    assert_counts_hold(engine)
    for held in found.claimed:
        assert await end_job(engine, executor, held, HANDED_BACK) == "ready"
    again = (await turn_over(engine, executor, slots=4)).claimed
    told = [(held.id_text, held.epoch, *msgspec.structs.astuple(held)[3:10]) for held in again]
    assert told == [(held.id_text, held.epoch + 1, *msgspec.structs.astuple(held)[3:10]) for held in found.claimed]


async def test_what_another_executor_has_just_taken_is_looked_for_again(engine: Engine) -> None:
    add_jobs(engine, {})
    executor, other = await engine.add_executor(), await engine.add_executor()
    async with engine.executor.connection() as connection, connection.transaction():
        assert len((await turn_over(engine, other, connection=connection)).claimed) == 1
        found = await claim(engine, executor)
        assert (found.claimed, found.is_kept_back) == ([], True)


async def test_a_queue_that_is_paused_and_an_executor_that_leaves_keep_it_from_everything(engine: Engine) -> None:
    (job_id,) = add_jobs(engine, {})
    executor = await engine.add_executor()
    engine.sql("insert into queue (name, paused_at, paused_by) values ('default', now(), 'me')")
    assert ids_of(await claim(engine, executor)) == []
    engine.sql("update queue set paused_at = null, paused_by = null")
    await query(engine.executor, partial(beat_executor, executor_id=executor, state=ExecutorState.DRAINING))
    assert ids_of(await claim(engine, executor)) == []
    assert engine.job(job_id).state == "ready"
    assert ids_of(await claim(engine, await engine.add_executor())) == [job_id]


async def test_jobs_of_runs_are_left_to_a_claim_that_writes_down_what_runs_tell(engine: Engine) -> None:
    _, ids = await engine.start_run({"one": []})
    engine.sql(
        "update job set kind = 'handler', lane_id = lane_of('handler', 'default', %s, '{}') where kind = 'shell'",
        JOB_TYPE,
    )
    executor = await engine.add_executor()
    assert ids_of(await claim(engine, executor)) == []
    (own,) = add_jobs(engine, {})
    assert ids_of(await claim(engine, executor)) == [own]
    assert (await turn_over(engine, executor)).job_ids == [ids["one"]]
