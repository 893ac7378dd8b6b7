"""A claim from one lane that is known: what it takes and leaves, and that it tells the same as one from anywhere."""

import random
from functools import partial

import msgspec
import psycopg

from services.executor.finish_and_claim import Found, Lane, claim_of
from services.executor.hold_calls import HeldCall
from services.executor.queries.beat_executor import beat_executor
from shared.db import query
from shared.ids import ExecutorId, JobId
from shared.queries.models import ExecutorState
from tests.engine import Engine
from tests.turnover import HANDED_BACK, JOB_TYPE, add_jobs, assert_counts_hold, end_job, turn_over

# So that it stays large when it is compressed.
LARGE = random.Random(1).randbytes(20_000).hex()


def lane_of(engine: Engine, queue: str = "default") -> Lane:
    ((lane_id,),) = engine.sql("select id from lane where job_type = %s and queue = %s", JOB_TYPE, queue)
    return Lane(lane_id, JOB_TYPE, queue)


async def claim(engine: Engine, executor: ExecutorId, *, queue: str = "default", slots: int = 100) -> Found:
    lane = lane_of(engine, queue)
    return await query(engine.executor, partial(claim_of, lane=lane, executor_id=executor, slots=slots))


def ids_of(found: Found) -> list[JobId]:
    return [held.job_id for held in found.claimed]


def details_of(held: HeldCall) -> tuple[object, ...]:
    """All that a handler is told."""
    details = msgspec.structs.replace(held, row_at="", epoch=0, key=0)
    return tuple(bytes(part) if isinstance(part, msgspec.Raw) else part for part in msgspec.structs.astuple(details))


async def test_it_takes_the_oldest_of_that_lane_and_tells_the_same(engine: Engine) -> None:
    add_jobs(engine, {"queue": "q"})
    details = {"payload": {"n": 1}, "metadata": {"m": 2}, "retry": {"factor": 3}, "traceparent": 'a"b'}
    ids = [job_id for _ in range(4) for job_id in add_jobs(engine, details, {"payload": LARGE})]
    executor = await engine.add_executor()
    found = await claim(engine, executor, slots=4)
    assert sorted(ids_of(found)) == sorted(ids[:4])
    assert sum(len(held.payload) > len(LARGE) for held in found.claimed) == 2
    assert sorted(ids_of(await claim(engine, executor))) == sorted(ids[4:])
    assert_counts_hold(engine)
    for held in found.claimed:
        assert await end_job(engine, executor, held, HANDED_BACK) == "ready"
    again = {held.job_id: held for held in (await turn_over(engine, executor, slots=4)).claimed}
    for held in found.claimed:
        assert again[held.job_id].epoch == held.epoch + 1
        assert details_of(again[held.job_id]) == details_of(held)


async def test_what_another_executor_has_just_taken_is_looked_for_again(engine: Engine) -> None:
    add_jobs(engine, {})
    executor, other = await engine.add_executor(), await engine.add_executor()
    async with engine.executor.connection() as connection, connection.transaction():
        assert len((await turn_over(engine, other, connection=connection)).claimed) == 1
        found = await claim(engine, executor)
        assert (found.claimed, found.is_held) == ([], True)


async def test_what_of_a_lane_is_held_is_told_by_either_claim(engine: Engine) -> None:
    executor = await engine.add_executor()
    for one_lane in (True, False):
        ids = add_jobs(engine, {}, {}, {})
        with psycopg.connect(engine.database.dsn()) as holder:
            holder.execute("select from job where id = %s for update", [ids[1]])
            found = await (claim(engine, executor) if one_lane else turn_over(engine, executor))
        assert (ids_of(found), found.is_held) == ([ids[0], ids[2]], True)
        found = await (claim(engine, executor, slots=1) if one_lane else turn_over(engine, executor, slots=1))
        assert (ids_of(found), found.is_held) == ([ids[1]], False)


async def test_what_there_is_no_slot_for_is_not_held(engine: Engine) -> None:
    executor = await engine.add_executor()
    add_jobs(engine, *({} for _ in range(6)))
    assert not (await claim(engine, executor, slots=2)).is_held
    assert not (await turn_over(engine, executor, slots=2)).is_held
    assert not (await claim(engine, executor, slots=2)).is_held


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
