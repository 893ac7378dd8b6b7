"""An idempotency key leads to one job of its type, whoever asks for it again, at whatever moment."""

from collections.abc import Iterator

import pytest

from tests.database import TestDatabase
from tests.engine import Engine
from tests.producer import Producer, open_producer, refused

KEYED = {"type": "a", "payload": {"n": 1}, "idempotency_key": "k"}


@pytest.fixture
def producer(database: TestDatabase) -> Iterator[Producer]:
    with open_producer(database) as opened:
        yield opened


async def test_the_same_key_leads_to_the_earlier_job(engine: Engine, producer: Producer) -> None:
    (first,) = producer.enqueue_jobs(KEYED)
    (again,) = producer.enqueue_jobs(KEYED)
    assert (first.is_created, again.is_created) == (True, False)
    assert first.job_id == again.job_id == producer.enqueue("a", payload={"n": 1}, idempotency_key="k")
    assert engine.sql("select count(*) from job") == [(1,)]


async def test_what_else_is_said_of_the_job_does_not_matter(producer: Producer) -> None:
    (first,) = producer.enqueue_jobs(KEYED)
    (again,) = producer.enqueue_jobs(
        KEYED | {"queue": "default", "priority": 5, "delay_seconds": 60, "metadata": {"a": 1}, "labels": ["x"]}
    )
    assert (again.job_id, again.is_created) == (first.job_id, False)


async def test_each_type_has_keys_of_its_own(producer: Producer) -> None:
    (first,) = producer.enqueue_jobs(KEYED)
    (other,) = producer.enqueue_jobs(KEYED | {"type": "b"})
    assert other.is_created
    assert other.job_id != first.job_id


@pytest.mark.parametrize("change", [{"payload": {"n": 2}}, {"payload": None}, {"queue": "other"}], ids=str)
async def test_the_same_key_for_another_payload_or_queue_is_refused(
    engine: Engine, producer: Producer, change: dict[str, object]
) -> None:
    (first,) = producer.enqueue_jobs(KEYED)
    words = f"^job 1: the idempotency key 'k' of the type a was used .* by job {first.job_id}$"
    with refused("HD409", words):
        producer.enqueue_jobs({"type": "b"}, KEYED | change)
    # All or none.
    assert engine.sql("select count(*) from job") == [(1,)]


SAME_JSON = [
    ('{"a": 1, "b": {"c": 2, "d": 3}}', '{"b":{"d":3,"c":2},"a":1}'),
    ("100", "1e2"),
    ("1", "1.0"),
    ('{"n": [0.50, -0]}', '{"n": [5E-1, 0]}'),
    ('"é"', '"\\u00e9"'),
    ('{"a": 1, "a": 2}', '{"a": 2}'),
    ("null", "null"),
]
OTHER_JSON = [
    ("1", '"1"'),
    ("true", '"true"'),
    ("0", "null"),
    ("null", "{}"),
    ("{}", "[]"),
    ("[1, 2]", "[2, 1]"),
    ('{"a": null}', "{}"),
    ("1", "1.0000000000000000000000000000000001"),
    ('"a"', '"a "'),
]


def enqueue_spelled(producer: Producer, payload: str) -> bool:
    job = f'[{{"type": "a", "idempotency_key": "k", "payload": {payload}}}]'
    return producer.enqueue_all(job)[0].is_created


@pytest.mark.parametrize(("one", "other"), SAME_JSON)
async def test_the_spelling_of_a_payload_does_not_matter(producer: Producer, one: str, other: str) -> None:
    assert enqueue_spelled(producer, one)
    assert not enqueue_spelled(producer, other)


@pytest.mark.parametrize(("one", "other"), OTHER_JSON)
async def test_its_meaning_does(producer: Producer, one: str, other: str) -> None:
    assert enqueue_spelled(producer, one)
    with refused("HD409", "another payload"):
        enqueue_spelled(producer, other)


async def test_a_payload_that_is_left_out_is_null(producer: Producer) -> None:
    assert producer.enqueue_jobs({"type": "a", "idempotency_key": "k"})[0].is_created
    assert not enqueue_spelled(producer, "null")


async def test_a_key_counts_for_as_long_as_was_said_and_then_it_is_free(engine: Engine, producer: Producer) -> None:
    lives = "select extract(epoch from k.expires_at - j.created_at) from job_key k join job j on j.id = k.job_id"
    (first,) = producer.enqueue_jobs(KEYED | {"idempotency_seconds": 90.5})
    assert engine.sql(lives) == [(90.5,)]
    # Asking again does not make it count for longer.
    producer.enqueue_jobs(KEYED | {"idempotency_seconds": 900})
    assert engine.sql(lives) == [(90.5,)]
    engine.sql("update job_key set expires_at = now()")
    other = KEYED | {"payload": "other", "queue": "other"}
    (second,) = producer.enqueue_jobs(other)
    assert (second.is_created, producer.enqueue_jobs(other)[0].job_id) == (True, second.job_id)
    assert second.job_id != first.job_id
    assert engine.sql(lives) == [(7 * 24 * 3600,)]


async def test_a_key_outlives_the_end_of_its_job_but_not_the_job(engine: Engine, producer: Producer) -> None:
    (first,) = producer.enqueue_jobs(KEYED)
    engine.sql("update job set state = 'canceled', finished_at = now()")
    assert producer.enqueue_jobs(KEYED)[0].job_id == first.job_id
    engine.sql("delete from job")
    (second,) = producer.enqueue_jobs(KEYED | {"payload": "other"})
    assert second.is_created


async def test_a_key_that_comes_twice_in_one_call_makes_one_job(engine: Engine, producer: Producer) -> None:
    rows = producer.enqueue_jobs(KEYED, {"type": "a"}, KEYED, KEYED | {"type": "b"}, KEYED)
    assert [row.is_created for row in rows] == [True, True, False, True, False]
    assert rows[0].job_id == rows[2].job_id == rows[4].job_id
    assert engine.sql("select count(*) from job") == [(3,)]
    with refused("HD409", "^job 2: "):
        producer.enqueue_jobs(KEYED | {"idempotency_key": "l"}, {"type": "c"}, {**KEYED, "payload": 2, "queue": "x"})
    with refused("HD409", "^job 1: the idempotency key 'm' "):
        producer.enqueue_jobs(
            KEYED | {"idempotency_key": "m"}, KEYED | {"idempotency_key": "m", "payload": {"n": "other"}}
        )
    assert engine.sql("select count(*) from job") == [(3,)]


async def test_a_refused_call_uses_up_no_key(producer: Producer) -> None:
    with refused("HD422", "job 1"):
        producer.enqueue_jobs(KEYED, {"type": "!"})
    with producer.connection.transaction(force_rollback=True):
        producer.enqueue_jobs(KEYED)
    assert producer.enqueue_jobs(KEYED | {"payload": "other"})[0].is_created
