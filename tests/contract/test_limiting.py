"""Limits of concurrency keys: never exceeded in number nor in rate, used to the full, and nobody starves."""

import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import psycopg
import pytest

from services.executor.hold_calls import HeldCall
from services.scheduler.promote_jobs import promote_jobs
from services.scheduler.queries.promote_jobs import promote_jobs as promote_due_jobs
from services.scheduler.queries.release_limited_jobs import (
    ReleaseLimitedJobsRow,
    list_limited_keys,
    lock_limit_keys,
    release_limited_jobs,
)
from services.scheduler.queries.rescue_jobs import declare_lost, rescue_jobs, watch_executors
from services.scheduler.release_limited_jobs import release_limited_jobs as release_duty
from shared.db import Connection, in_transaction, query
from shared.ids import ExecutorId
from tests.contract.own_jobs import DEAD, claim, end, enqueue, states
from tests.engine import Engine

START = datetime(2030, 1, 1, tzinfo=UTC)


def set_limit(
    engine: Engine, name: str, max_running: int, rate_count: int | None = None, rate_seconds: float | None = None
) -> None:
    engine.sql(
        """
        insert into limit_key (name, max_running, rate_count, rate_seconds) values (%s, %s, %s, %s)
        on conflict (name) do update
        set max_running = excluded.max_running, rate_count = excluded.rate_count, rate_seconds = excluded.rate_seconds
        """,
        name,
        max_running,
        rate_count,
        rate_seconds,
    )


async def release_at(engine: Engine, now: datetime, max_jobs: int = 100) -> list[ReleaseLimitedJobsRow]:
    """One look at all keys, as at that time."""

    async def release(connection: Connection) -> list[ReleaseLimitedJobsRow]:
        found = await list_limited_keys(connection, after_key=-1, max_keys=100)
        locked = await lock_limit_keys(connection, limit_key_ids=[row.limit_key_id for row in found])
        return await release_limited_jobs(connection, now=now, limit_key_ids=locked, max_jobs=max_jobs)

    return await in_transaction(engine.scheduler, release)


async def test_a_key_lets_its_oldest_jobs_through_as_its_limit_allows(engine: Engine) -> None:
    set_limit(engine, "k", 2)
    ids = enqueue(engine, *[{"concurrency_key": "k"}] * 4, {"concurrency_key": "other"})
    # Among jobs of one call the order is by priority alone.
    urgent = enqueue(engine, {"concurrency_key": "k", "priority": 10})
    await release_duty(engine.scheduler)
    assert states(engine, urgent) == ["ready"]
    assert sorted(states(engine, ids[:4])) == ["blocked"] * 3 + ["ready"]
    assert states(engine, ids[4:]) == ["ready"]
    executor_id = await engine.add_executor()
    assert len(await claim(engine, executor_id)) == 3
    await release_duty(engine.scheduler)
    assert await claim(engine, executor_id) == []


async def test_what_ends_makes_room_at_once_and_rings_for_it(engine: Engine) -> None:
    set_limit(engine, "k", 1)
    enqueue(engine, *[{"concurrency_key": "k", "max_attempts": 2}] * 3)
    executor_id = await engine.add_executor()
    with psycopg.connect(engine.database.dsn(), autocommit=True) as ears:
        ears.execute("listen job_finished")
        await release_duty(engine.scheduler)
        (first,) = await claim(engine, executor_id)
        assert await claim(engine, executor_id, done=[first]) == []
        assert [notice.channel for notice in ears.notifies(timeout=10, stop_after=1)] == ["job_finished"]
        await release_duty(engine.scheduler)
        (second,) = await claim(engine, executor_id)
        # One that waits for its next try gives its place up, too.
        assert await end(engine, executor_id, second, DEAD) == "scheduled"
        assert [notice.channel for notice in ears.notifies(timeout=10, stop_after=1)] == ["job_finished"]
    await release_duty(engine.scheduler)
    (third,) = await claim(engine, executor_id)
    assert third.job_id != second.job_id


@pytest.mark.parametrize("given", [{"concurrency_key": "k"}, {"concurrency_key": "k", "delay_seconds": 0.001}])
async def test_a_limited_job_that_is_due_rings_for_its_release(engine: Engine, given: dict[str, Any]) -> None:
    with psycopg.connect(engine.database.dsn(), autocommit=True) as ears:
        ears.execute("listen job_waiting")
        (job_id,) = enqueue(engine, given)
        assert [notice.channel for notice in ears.notifies(timeout=10, stop_after=1)] == ["job_waiting"]
        if "delay_seconds" in given:
            far = datetime(2100, 1, 1, tzinfo=UTC)
            await query(engine.scheduler, partial(promote_due_jobs, now=far, max_jobs=10))
            assert [notice.channel for notice in ears.notifies(timeout=10, stop_after=1)] == ["job_waiting"]
    row = engine.job(job_id)
    assert (row.state, row.reason) == ("blocked", "limit")


async def test_a_limit_that_is_lowered_holds_for_what_comes_and_nothing_passes_a_limit_of_none(engine: Engine) -> None:
    set_limit(engine, "k", 3)
    enqueue(engine, *[{"concurrency_key": "k"}] * 6)
    executor_id = await engine.add_executor()
    await release_duty(engine.scheduler)
    running = await claim(engine, executor_id)
    assert len(running) == 3
    set_limit(engine, "k", 1)
    for left in (2, 1):
        await claim(engine, executor_id, slots=0, done=[running.pop()])
        await release_duty(engine.scheduler)
        assert len(await claim(engine, executor_id)) == 0, f"{left} of them run still"
    await claim(engine, executor_id, slots=0, done=[running.pop()])
    set_limit(engine, "k", 0)
    await release_duty(engine.scheduler)
    assert await claim(engine, executor_id) == []
    set_limit(engine, "k", 2)
    await release_duty(engine.scheduler)
    assert len(await claim(engine, executor_id)) == 2


async def test_a_producer_that_does_not_commit_holds_nobody_up(engine: Engine) -> None:
    set_limit(engine, "k", 1)
    (job_id,) = enqueue(engine, {"concurrency_key": "k"})
    with psycopg.connect(engine.database.dsn("producer")) as producer:
        producer.execute("select enqueue('email', concurrency_key => 'k')")
        await release_duty(engine.scheduler)
        assert engine.job(job_id).state == "ready"
    async with engine.scheduler.connection() as connection, connection.transaction():
        # Nor is a producer held up by a scheduler that does not commit.
        await lock_limit_keys(connection, limit_key_ids=[1])
        await anyio.to_thread.run_sync(lambda: enqueue(engine, {"concurrency_key": "k"}))
    assert engine.sql("select count(*) from job") == [(3,)]


async def test_no_key_starves_behind_others_however_much_waits(engine: Engine) -> None:
    keys = [f"k{number}" for number in range(7)]
    for key in keys:
        set_limit(engine, key, 2)
    enqueue(engine, *[{"concurrency_key": key} for key in keys for _ in range(20)])
    executor_id = await engine.add_executor()
    worked: dict[str, int] = dict.fromkeys(keys, 0)
    running: list[HeldCall] = []
    for _ in range(20):
        await release_duty(engine.scheduler, page=2, batch=1)
        await release_duty(engine.scheduler, page=2, batch=1)
        running = await claim(engine, executor_id, done=running)
        for job in running:
            ((name,),) = engine.sql(
                "select k.name from job j join limit_key k on k.id = j.limit_key_id where j.id = %s", job.job_id
            )
            worked[name] += 1
    assert set(worked.values()) == {20}


async def test_the_look_costs_the_same_however_many_jobs_wait(engine: Engine) -> None:
    enqueue(engine, *[{"concurrency_key": key} for key in "abc" for _ in range(3000)])
    engine.sql("vacuum analyze job")

    async with engine.scheduler.connection() as connection, connection.transaction():
        # The table is small for a planner, who might read all of it.
        await connection.execute("set local enable_seqscan = off")
        found = await list_limited_keys(connection, after_key=-1, max_keys=100)
        read = await connection.execute("select pg_stat_get_xact_tuples_returned('job_limited'::regclass)")
        entries = await read.fetchone()
    assert [row.is_waiting for row in found] == [True] * 3
    assert entries is not None
    assert entries[0] < 20


class Race:
    """Schedulers and executors at work, of which some die, and somebody who counts all the while."""

    def __init__(self, engine: Engine, limits: dict[str, int], jobs_of_each: int) -> None:
        self.engine = engine
        self.total = jobs_of_each * len(limits)
        # What was ready or running of each key, in any snapshot.
        self.seen: set[tuple[str, int]] = set()
        for name, limit in limits.items():
            set_limit(engine, name, limit)
        enqueue(
            engine, *[{"concurrency_key": name, "max_attempts": 50} for name in limits for _ in range(jobs_of_each)]
        )
        engine.sql("update job set max_losses = 100")

    def is_over(self) -> bool:
        return self.engine.sql("select count(*) from job where state = 'succeeded'") == [(self.total,)]

    async def count(self) -> None:
        while not self.is_over():
            rows = await anyio.to_thread.run_sync(
                self.engine.sql,
                """
                select k.name, count(*) from job j join limit_key k on k.id = j.limit_key_id
                where j.state in ('ready', 'running') group by 1
                """,
            )
            self.seen.update((name, count) for name, count in rows)

    async def schedule(self) -> None:
        while not self.is_over():
            await release_duty(self.engine.scheduler, batch=2)
            await promote_jobs(self.engine.scheduler)
            await query(self.engine.scheduler, partial(rescue_jobs, max_jobs=10, ended_within_seconds=60))

    async def work(self, seed: int) -> None:
        chance = random.Random(seed)
        executor_id = await self.engine.add_executor()
        while not self.is_over():
            jobs = await claim(self.engine, executor_id, chance.randint(1, 4))
            match chance.randrange(4):
                case 0:
                    await lose(self.engine, executor_id)
                    executor_id = await self.engine.add_executor()
                case 1:
                    for job in jobs:
                        await end(self.engine, executor_id, job, DEAD)
                    self.engine.sql("update job set run_at = now() where state = 'scheduled'")
                case _:
                    await claim(self.engine, executor_id, 0, done=jobs)


async def test_never_more_than_the_limit_run_whoever_races_and_dies(engine: Engine) -> None:
    limits = {"one": 1, "three": 3}
    race = Race(engine, limits, 30)
    with anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(race.count)
            for seed in range(3):
                tasks.start_soon(race.schedule)
                tasks.start_soon(race.work, seed)
    assert {name for name, _ in race.seen} == set(limits)
    assert [(name, count) for name, count in race.seen if count > limits[name]] == []


async def lose(engine: Engine, executor_id: ExecutorId) -> None:
    """A scheduler declares an executor lost."""
    for row in await query(engine.scheduler, watch_executors):
        if row.executor_id == executor_id:
            await query(engine.scheduler, partial(declare_lost, executor_ids=[executor_id], beat_seqs=[row.beat_seq]))


@pytest.mark.parametrize("seed", range(4))
async def test_no_stretch_of_time_sees_more_than_the_rate(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    rate_count, rate_seconds = chance.randint(1, 20), chance.choice([0.5, 10.0, 3600.0])
    set_limit(engine, "k", 1000, rate_count, rate_seconds)
    enqueue(engine, *[{"concurrency_key": "k"}] * 300)
    stretch = timedelta(seconds=rate_seconds)
    now, released = START, list[datetime]()
    while len(released) < 120:
        (row,) = await release_at(engine, now, max_jobs=chance.choice([1, 3, 100]))
        released += [now] * row.released
        assert sum(now - stretch < at <= now for at in released) <= rate_count
        # A rate that holds jobs up says for how long; it is never wrong by more than a slice.
        if row.next_in_seconds is not None:
            assert 0 < row.next_in_seconds <= rate_seconds * 1.02 + 0.001
            if chance.random() < 0.5:
                now += timedelta(seconds=row.next_in_seconds + 0.000_002)
                (again,) = await release_at(engine, now)
                assert again.released >= 1
                released += [now] * again.released
                assert sum(now - stretch < at <= now for at in released) <= rate_count
        now += stretch * chance.choice([0, 0.01, 0.3, 0.99, 1.0, 3.0])
    ((slices,),) = engine.sql("select cardinality(slices_end_at) from limit_window")
    assert slices <= 52


async def test_a_rate_that_was_not_used_up_does_not_add_up(engine: Engine) -> None:
    set_limit(engine, "k", 1000, 5, 60)
    enqueue(engine, *[{"concurrency_key": "k"}] * 20)
    assert [row.released for row in await release_at(engine, START)] == [5]
    assert [row.released for row in await release_at(engine, START + timedelta(hours=10))] == [5]
    assert [row.released for row in await release_at(engine, START + timedelta(hours=10, seconds=59))] == [0]


async def test_a_rate_holds_whoever_releases(engine: Engine) -> None:
    set_limit(engine, "k", 1000, 7, 3600)
    ids = enqueue(engine, *[{"concurrency_key": "k"}] * 30)

    async def release() -> None:
        for _ in range(5):
            await release_duty(engine.scheduler, batch=2)

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(release)
    assert sorted(states(engine, ids)) == ["blocked"] * 23 + ["ready"] * 7
