"""Counts of jobs: totals and changes together are exact in every snapshot, whoever folds and whoever dies."""

import random

import anyio
import psycopg

from services.scheduler.fold_job_counts import FoldWalk, fold_job_counts
from tests.contract.own_jobs import DEAD, claim, end, enqueue
from tests.engine import Engine

# One statement: one snapshot.
DIFFERENCES = """
with told as (
    select c.lane_id, c.state, sum(c.jobs) as jobs
    from (select * from job_count union all select * from job_count_change) c
    group by c.lane_id, c.state
),
counted as (
    select j.lane_id, j.state, count(*) as jobs from job j group by j.lane_id, j.state
)
select coalesce(t.lane_id, c.lane_id), coalesce(t.state, c.state)::text, t.jobs, c.jobs
from told t
full join counted c on c.lane_id = t.lane_id and c.state = t.state
where coalesce(t.jobs, 0) <> coalesce(c.jobs, 0)
"""


class Traffic:
    """Jobs that come, run, end and are deleted, while schedulers fold and somebody reads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.differences: list[object] = []
        self._left = 0

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            for seed in range(2):
                self._left += 1
                tasks.start_soon(self._work, random.Random(seed))
                tasks.start_soon(self._fold)
            tasks.start_soon(self._read)

    async def _work(self, chance: random.Random) -> None:
        executor_id = await self.engine.add_executor()
        for _ in range(12):
            given = [{"type": chance.choice(["email", "report"])} for _ in range(7)]
            await anyio.to_thread.run_sync(enqueue, self.engine, *given)
            jobs = await claim(self.engine, executor_id, chance.randint(1, 8), job_type=str(given[0]["type"]))
            for job in jobs[:2]:
                await end(self.engine, executor_id, job, DEAD)
            await claim(self.engine, executor_id, 0, done=jobs[2:])
            await anyio.to_thread.run_sync(self.engine.sql, "delete from job where state = 'dead'")
        self._left -= 1

    async def _fold(self) -> None:
        walk = FoldWalk()
        while self._left:
            await fold_job_counts(self.engine.scheduler, walk, batch=5)

    async def _read(self) -> None:
        while self._left:
            self.differences.extend(await anyio.to_thread.run_sync(self.engine.sql, DIFFERENCES))


async def test_totals_are_exact_in_every_snapshot_while_jobs_move_and_counts_are_folded(engine: Engine) -> None:
    traffic = Traffic(engine)
    await traffic.run()
    assert traffic.differences == []
    while await fold_job_counts(engine.scheduler, FoldWalk()) == 0:
        pass
    assert engine.sql("select count(*) from job_count_change") == [(0,)]
    assert engine.sql(DIFFERENCES) == []


async def test_a_batch_is_bounded_and_the_next_goes_on(engine: Engine) -> None:
    for _ in range(7):
        enqueue(engine, {})
    walk = FoldWalk()
    left = []
    while await fold_job_counts(engine.scheduler, walk, batch=3) == 0:
        left += engine.sql("select count(*) from job_count_change")
    assert left == [(4,), (1,)]
    assert engine.sql("select state::text, jobs from job_count") == [("ready", 7)]


async def test_what_lies_in_front_of_the_walk_is_found_when_that_is_due(engine: Engine) -> None:
    now = [0.0]
    walk = FoldWalk(lambda: now[0])
    enqueue(engine, {})
    await fold_job_counts(engine.scheduler, walk)
    walk.went("(7,1)", seconds=3.0)  # as if all that was folded so far were still in the way
    enqueue(engine, {})
    await fold_job_counts(engine.scheduler, walk)
    assert engine.sql("select count(*) from job_count_change") == [(1,)]
    now[0] += 61
    await fold_job_counts(engine.scheduler, walk)
    assert engine.sql("select count(*) from job_count_change") == [(0,)]


async def test_two_schedulers_fold_every_change_once(engine: Engine) -> None:
    for _ in range(30):
        enqueue(engine, {})

    async def fold() -> None:
        for _ in range(30):
            await fold_job_counts(engine.scheduler, FoldWalk(), batch=1)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(fold)
    while await fold_job_counts(engine.scheduler, FoldWalk()) == 0:
        pass
    assert engine.sql("select jobs from job_count") == [(30,)]


async def test_folding_waits_for_no_open_transaction_and_holds_none_up(engine: Engine) -> None:
    enqueue(engine, {})  # else the first job of a lane would wait for the other one's
    with psycopg.connect(engine.database.dsn()) as other:
        other.execute("select * from job_count_change")
        other.execute("""select * from insert_jobs('[{"type": "email"}]', 'test')""")
        enqueue(engine, {})
        await fold_job_counts(engine.scheduler, FoldWalk())
        assert engine.sql("select jobs from job_count") == [(2,)]
        other.commit()
    assert engine.sql(DIFFERENCES) == []
