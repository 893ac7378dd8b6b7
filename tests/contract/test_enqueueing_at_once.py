"""Producers that enqueue at the same moment: each key makes one job, nobody deadlocks, nobody is left waiting."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import pytest
from psycopg import IsolationLevel
from psycopg.errors import SerializationFailure

from tests.database import TestDatabase
from tests.engine import Engine
from tests.producer import Producer, open_producer

KEYED: dict[str, object] = {"type": "a", "payload": {"n": 1}, "idempotency_key": "k"}
PRODUCERS = 8
T = TypeVar("T")


@pytest.fixture
def producer(database: TestDatabase) -> Iterator[Producer]:
    with open_producer(database) as opened:
        yield opened


def await_waiters(engine: Engine, count: int) -> None:
    """Return when so many sessions wait for a lock; the server announces it to nobody, so it is asked."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    deadline = time.monotonic() + 30
    while engine.sql(waiting) != [(count,)]:
        assert time.monotonic() < deadline, f"{count} sessions never waited for a lock"


@contextmanager
def threads(*calls: Callable[[], T]) -> Iterator[list[Future[T]]]:
    """Run each call in a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        yield [pool.submit(call) for call in calls]


async def test_a_call_waits_for_a_key_and_gets_the_other_ones_job_if_that_commits(
    database: TestDatabase, engine: Engine, producer: Producer
) -> None:
    producer.connection.autocommit = False
    (first,) = producer.enqueue_jobs(KEYED)
    with open_producer(database) as other, threads(lambda: other.enqueue_jobs(KEYED)) as (waiting,):
        await_waiters(engine, 1)
        producer.connection.commit()
        assert waiting.result() == [(0, first.job_id, False)]


async def test_a_call_waits_for_a_key_and_makes_its_own_job_if_the_other_one_rolls_back(
    database: TestDatabase, engine: Engine, producer: Producer
) -> None:
    producer.connection.autocommit = False
    (first,) = producer.enqueue_jobs(KEYED)
    other_payload = KEYED | {"payload": "other"}
    with open_producer(database) as other, threads(lambda: other.enqueue_jobs(other_payload)) as (waiting,):
        await_waiters(engine, 1)
        producer.connection.rollback()
        (second,) = waiting.result()
    assert second.is_created
    assert second.job_id != first.job_id
    assert engine.sql("select id from job") == [(second.job_id,)]


async def test_a_key_that_has_expired_is_taken_by_one_of_two(
    database: TestDatabase, engine: Engine, producer: Producer
) -> None:
    producer.enqueue_jobs(KEYED)
    engine.sql("update job_key set expires_at = now()")
    producer.connection.autocommit = False
    (taken,) = producer.enqueue_jobs(KEYED)
    assert taken.is_created
    with open_producer(database) as other, threads(lambda: other.enqueue_jobs(KEYED)) as (waiting,):
        await_waiters(engine, 1)
        producer.connection.commit()
        assert waiting.result() == [(0, taken.job_id, False)]


# What one call holds when it begins to wait, the other one asks for next: unless both lock in one order.
CROSSED: dict[str, tuple[list[object], list[object], list[object]]] = {
    "idempotency_key": (["a", "m", "z"], ["z", "m", "a"], ["m"]),
    "concurrency_key": (["a", "m", "z"], ["z", "m", "a"], ["m"]),
    "queue": (["a", "m", "z"], ["z", "m", "a"], ["m"]),
    "type": (["a", "m", "z"], ["z", "m", "a"], ["m"]),
    # The same labels, spelled in other orders.
    "labels": ([["a", "c"], ["a", "d"], ["b"]], [["b"], ["b", "z"], ["c", "a"]], [["a", "d"], ["b", "z"]]),
}


@pytest.mark.parametrize("field", CROSSED)
async def test_calls_that_name_the_same_in_opposite_orders_do_not_deadlock(
    database: TestDatabase, engine: Engine, producer: Producer, field: str
) -> None:
    one, other, gate = ([{"type": "a", field: value} for value in values] for values in CROSSED[field])
    producer.connection.autocommit = False
    producer.enqueue_all(gate)
    with open_producer(database) as first, open_producer(database) as second:
        calls = (lambda: first.enqueue_all(one), lambda: second.enqueue_all(other))
        with threads(*calls) as running:
            await_waiters(engine, 2)
            producer.connection.commit()
            assert [len(call.result()) for call in running] == [3, 3]


async def test_many_bulk_calls_with_overlapping_keys_make_each_job_once(
    database: TestDatabase, engine: Engine, producer: Producer
) -> None:
    luck = random.Random(20261125)
    jobs = [KEYED | {"idempotency_key": f"k{number:03}", "payload": number} for number in range(300)]
    producer.connection.autocommit = False
    producer.enqueue_jobs(jobs[150])
    with ExitStack() as stack:
        calls = []
        for number in range(PRODUCERS):
            many = stack.enter_context(open_producer(database))
            # Every other one backwards, every one with some of the jobs twice.
            order = sorted([*luck.sample(jobs, 250), jobs[150]], key=str, reverse=number % 2 == 0)
            order += luck.sample(jobs, 20)
            calls.append(lambda many=many, order=order: (order, many.enqueue_all(order)))
        with threads(*calls) as running:
            await_waiters(engine, PRODUCERS)
            producer.connection.commit()
            answers = [call.result() for call in running]
    made: list[object] = []
    led_to: dict[object, set[object]] = {}
    for order, rows in answers:
        for job, row in zip(order, rows, strict=True):
            led_to.setdefault(job["payload"], set()).add(row.job_id)
            if row.is_created:
                made.append(job["payload"])
    assert len(made) == len(set(made)) == len(led_to) - 1
    assert all(len(ids) == 1 for ids in led_to.values())
    assert engine.sql("select count(*), count(distinct s.payload) from job join job_spec s on s.job_id = job.id") == [
        (len(led_to), len(led_to))
    ]


@pytest.mark.parametrize("field", ["idempotency_key", "concurrency_key", "queue"])
async def test_a_snapshot_that_is_too_old_for_a_name_is_a_conflict_that_may_be_tried_again(
    database: TestDatabase, producer: Producer, field: str
) -> None:
    job = {"type": "a", field: "k"}
    with open_producer(database) as other:
        other.connection.isolation_level = IsolationLevel.REPEATABLE_READ
        other.connection.autocommit = False
        other.connection.execute("select 1")
        producer.enqueue_jobs(job)
        with pytest.raises(SerializationFailure):
            other.enqueue_jobs(job)
        other.connection.rollback()
        assert len(other.enqueue_jobs(job)) == 1


async def test_a_producers_open_transaction_keeps_nobody_from_what_it_has_not_named(
    database: TestDatabase, engine: Engine, producer: Producer
) -> None:
    producer.connection.autocommit = False
    producer.enqueue_jobs(KEYED | {"concurrency_key": "c"})
    with open_producer(database) as other:
        other.connection.execute("set lock_timeout = '100ms'")
        other.enqueue_jobs({"type": "b", "idempotency_key": "k", "concurrency_key": "d"})
        other.enqueue_jobs({"type": "b", "idempotency_key": "l"})
    assert engine.sql("select count(*) from job") == [(2,)]
    producer.connection.rollback()
