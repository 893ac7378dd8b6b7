"""Jobs on their own enter by two functions: complete, in order, in the producer's own transaction, and no other way."""

import operator
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests.contract.test_ringing import Ears
from tests.database import TestDatabase
from tests.engine import Engine
from tests.producer import Producer, open_producer, refused

EVERYTHING: dict[str, Any] = {
    "type": "send_email",
    "payload": {"to": ["a@example.org"], "n": 1},
    "queue": "mail-1",
    "labels": ["gpu", "eu"],
    "priority": -7,
    "max_attempts": 4,
    "timeout_seconds": 90,
    "idempotency_key": "order-1",
    "idempotency_seconds": 60,
    "concurrency_key": "smtp",
    "retry": {"first_seconds": 1, "factor": 3, "most_seconds": 60},
    "metadata": {"tenant": "a"},
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
AS_STORED = """
select to_jsonb(stored) from (
    select
        l.kind, l.queue, l.job_type, l.labels, j.state, j.reason, j.priority, j.max_attempts, j.run_id, j.settled,
        j.claim_epoch, j.attempts_used, j.losses, limit_key.name as limit_key, s.key, s.timeout_seconds, s.spec,
        s.payload, s.metadata, s.retry, s.traceparent, s.enqueued_by, j.run_at = j.created_at as is_due_at_once,
        j.claim_order = claim_order_of(j.run_at, j.priority) as is_ordered
    from job j
    join job_spec s on s.job_id = j.id
    join lane l on l.id = j.lane_id
    left join limit_key on limit_key.id = j.limit_key_id
    where j.id = %s
) stored
"""
STORED_BY_DEFAULT: dict[str, Any] = {
    "kind": "handler",
    "queue": "default",
    "job_type": "send_email",
    "labels": [],
    "state": "ready",
    "reason": None,
    "priority": 0,
    "max_attempts": 10,
    "run_id": None,
    "settled": True,
    "claim_epoch": 0,
    "attempts_used": 0,
    "losses": 0,
    "limit_key": None,
    "key": "send_email",
    "timeout_seconds": 300,
    "spec": {"type": "handler"},
    "payload": None,
    "metadata": None,
    "retry": None,
    "traceparent": None,
    "enqueued_by": "howdah_producer",
    "is_due_at_once": True,
    "is_ordered": True,
}
STORED: dict[str, Any] = STORED_BY_DEFAULT | {
    "queue": "mail-1",
    "labels": ["eu", "gpu"],
    "state": "blocked",
    "reason": "limit",
    "priority": -7,
    "max_attempts": 4,
    "limit_key": "smtp",
    "timeout_seconds": 90,
    "payload": {"to": ["a@example.org"], "n": 1},
    "metadata": {"tenant": "a"},
    "retry": {"first_seconds": 1, "factor": 3, "most_seconds": 60},
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
LEFT_BEHIND = """
select (select count(*) from job) + (select count(*) from job_spec) + (select count(*) from job_key)
    + (select count(*) from limit_key) + (select count(*) from lane) + (select count(*) from job_count_change)
"""


@pytest.fixture
def producer(database: TestDatabase) -> Iterator[Producer]:
    with open_producer(database) as opened:
        yield opened


def publish(engine: Engine) -> None:
    """Have the type known, as an executor does."""
    engine.sql(
        """
        insert into job_type (name, description, payload_schema, result_schema, max_attempts, timeout_seconds, retry)
        values ('send_email', '', '{}', '{}', 5, 30, '{}')
        """
    )


async def test_a_job_is_stored_as_it_was_described(engine: Engine, producer: Producer) -> None:
    (by_many,) = producer.enqueue_jobs(EVERYTHING)
    assert by_many.is_created
    assert engine.sql(AS_STORED, by_many.job_id) == [(STORED,)]
    arguments = EVERYTHING | {"idempotency_key": "order-2"}
    by_one = producer.enqueue(arguments.pop("type"), **arguments)
    assert engine.sql(AS_STORED, by_one) == [(STORED,)]


async def test_what_is_left_out_or_null_is_as_howdah_has_it(engine: Engine, producer: Producer) -> None:
    (bare,) = producer.enqueue_jobs({"type": "send_email"})
    nothing: dict[str, object] = dict.fromkeys([*EVERYTHING, "run_at", "delay_seconds"])
    (nulls,) = producer.enqueue_jobs(nothing | {"type": "send_email"})
    for job_id in (bare.job_id, nulls.job_id, producer.enqueue("send_email")):
        assert engine.sql(AS_STORED, job_id) == [(STORED_BY_DEFAULT,)]


async def test_what_the_handler_says_holds_unless_the_job_says_otherwise(engine: Engine, producer: Producer) -> None:
    publish(engine)
    assert engine.sql(AS_STORED, producer.enqueue("send_email")) == [
        (STORED_BY_DEFAULT | {"max_attempts": 5, "timeout_seconds": 30},)
    ]
    (said,) = producer.enqueue_jobs({"type": "send_email", "max_attempts": 1, "timeout_seconds": 2})
    assert engine.sql(AS_STORED, said.job_id) == [(STORED_BY_DEFAULT | {"max_attempts": 1, "timeout_seconds": 2},)]


async def test_a_job_is_scheduled_if_it_is_due_later_and_ready_if_not(engine: Engine, producer: Producer) -> None:
    due: dict[str, dict[str, object]] = {
        "before": {"run_at": "2020-01-01T00:00:00Z"},
        "at_once": {"delay_seconds": 0},
        "by_delay": {"delay_seconds": 0.25},
        "by_time": {"run_at": "9999-12-31T23:59:59.5+14:00"},
        # The time counts, not the delay.
        "both": {"run_at": "2020-01-01T00:00:00Z", "delay_seconds": 60},
    }
    rows = producer.enqueue_all([{"type": "a", **when} for when in due.values()])
    found = engine.sql(
        """
        select state::text, reason, run_at, extract(epoch from run_at - created_at)::float8 from job order by id
        """
    )
    stands = dict(zip(due, found, strict=True))
    assert len(rows) == len(due)
    assert stands["before"][:3] == stands["both"][:3] == ("ready", None, datetime(2020, 1, 1, tzinfo=UTC))
    assert (stands["at_once"][:2], stands["at_once"][3]) == (("ready", None), 0)
    assert (stands["by_delay"][:2], stands["by_delay"][3]) == (("scheduled", "asked"), 0.25)
    assert stands["by_time"][:3] == ("scheduled", "asked", datetime(9999, 12, 31, 9, 59, 59, 500000, tzinfo=UTC))


async def test_a_limited_job_waits_for_the_scheduler_whether_it_is_due_or_not(
    engine: Engine, producer: Producer
) -> None:
    engine.sql("insert into limit_key (name, max_running) values ('known', 7)")
    limited = {"type": "a", "concurrency_key": "known"}
    producer.enqueue_jobs(limited, {**limited, "delay_seconds": 60}, {"type": "a", "concurrency_key": "new"}, limited)
    assert engine.sql(
        "select j.state::text, j.reason, k.name from job j join limit_key k on k.id = j.limit_key_id order by j.id"
    ) == [
        ("blocked", "limit", "known"),
        ("scheduled", "asked", "known"),
        ("blocked", "limit", "new"),
        ("blocked", "limit", "known"),
    ]
    limits = "select name, max_running, rate_count from limit_key order by name"
    assert engine.sql(limits) == [("known", 7, None), ("new", 1, None)]


async def test_ten_thousand_jobs_enter_in_one_call_and_their_ids_sort_as_they_were_given(
    engine: Engine, producer: Producer
) -> None:
    rows = producer.enqueue_all([{"type": "a", "payload": {"n": number}} for number in range(10_000)])
    assert [row[0] for row in rows] == list(range(10_000))
    assert all(row.is_created for row in rows)
    ids = [row.job_id for row in rows]
    assert all(map(operator.lt, ids, ids[1:]))
    assert {(job_id.version, job_id.variant) for job_id in ids} == {(7, "specified in RFC 4122")}
    assert engine.sql("select array_agg((payload ->> 'n')::integer order by job_id) from job_spec") == [
        (list(range(10_000)),)
    ]
    with refused("HD422", "10001 jobs in one call"):
        producer.enqueue_all([{"type": "a"}] * 10_001)


async def test_no_jobs_are_enqueued_as_no_jobs(engine: Engine, producer: Producer) -> None:
    assert producer.enqueue_all([]) == []
    assert engine.sql(LEFT_BEHIND) == [(0,)]


async def test_jobs_are_there_when_the_producer_commits_and_leave_nothing_if_it_does_not(
    engine: Engine, producer: Producer
) -> None:
    with producer.connection.transaction(force_rollback=True):
        producer.enqueue_jobs(EVERYTHING, {"type": "other"})
    assert engine.sql(LEFT_BEHIND) == [(0,)]
    with producer.connection.transaction():
        (first,) = producer.enqueue_jobs(EVERYTHING)
        assert engine.sql(LEFT_BEHIND) == [(0,)]
    assert engine.sql(AS_STORED, first.job_id) == [(STORED,)]


async def test_one_job_that_is_refused_takes_all_others_of_its_call_with_it(engine: Engine, producer: Producer) -> None:
    with refused("HD422", "job 1: '!' is no job type"):
        producer.enqueue_jobs(EVERYTHING, {"type": "!"})
    assert engine.sql(LEFT_BEHIND) == [(0,)]
    # Nor does the key count that came with them.
    assert producer.enqueue_jobs(EVERYTHING)[0].is_created


async def test_labels_are_a_set(engine: Engine, producer: Producer) -> None:
    producer.enqueue_jobs(
        {"type": "a", "labels": ["b", "a"]}, {"type": "a", "labels": ["a", "b", "a"]}, {"type": "a", "labels": []}
    )
    assert engine.sql("select labels, count(*) from lane l join job j on j.lane_id = l.id group by 1 order by 1") == [
        ([], 1),
        (["a", "b"], 2),
    ]


async def test_a_call_rings_once_for_what_is_ready_and_once_for_what_soon_will_be(
    engine: Engine, producer: Producer
) -> None:
    ready: dict[str, object]
    ready, keyed = {"type": "a"}, {"type": "a", "idempotency_key": "k"}
    soon, late = ({"type": "a", "delay_seconds": delay} for delay in (5, 7))
    limited = {"type": "a", "concurrency_key": "k"}
    with closing(Ears(engine)) as ears:
        for jobs, heard in (
            ([ready, ready], ["handler_job_ready"]),
            ([keyed], ["handler_job_ready"]),
            ([keyed], []),
            ([late], []),
            ([soon, soon], ["job_waiting"]),
            ([limited, limited], ["job_waiting"]),
            ([late, limited, ready, soon], ["handler_job_ready", "job_waiting"]),
        ):
            producer.enqueue_all(jobs)
            assert ears.heard() == heard, jobs


NASTY = "'); drop table job; --\\\"$1 %s {a,b} \u202e\t€"


async def test_no_name_is_ever_read_as_sql(engine: Engine, producer: Producer) -> None:
    for field in ("type", "queue"):
        with refused("HD422", "drop table"):
            producer.enqueue_jobs({"type": "a", field: NASTY})
        with refused("HD422", "drop table"):
            producer.enqueue(**{"job_type": "a", {"type": "job_type"}.get(field, field): NASTY})
    with refused("HD422", "job 0: unknown field .*drop table"):
        producer.enqueue_jobs({"type": "a", NASTY: 1})
    label = NASTY.replace("\t", "")
    (job,) = producer.enqueue_jobs(
        {
            "type": "a",
            "payload": {NASTY: NASTY},
            "metadata": {NASTY: NASTY},
            "labels": [label],
            "idempotency_key": NASTY,
            "concurrency_key": NASTY,
            "traceparent": NASTY,
        }
    )
    assert engine.sql(
        """
        select s.payload, s.metadata, l.labels, k.key, c.name, s.traceparent
        from job j
        join job_spec s on s.job_id = j.id
        join lane l on l.id = j.lane_id
        join job_key k on k.job_id = j.id
        join limit_key c on c.id = j.limit_key_id
        where j.id = %s
        """,
        job.job_id,
    ) == [({NASTY: NASTY}, {NASTY: NASTY}, [label], NASTY, NASTY, NASTY)]


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 from job",
        "select 1 from job_spec",
        "select 1 from job_key",
        "select 1 from limit_key",
        "select 1 from job_type",
        "select 1 from job_count",
        "insert into job_key (key) values ('')",
        "update job set priority = 100",
        "delete from job",
        "truncate job_spec",
        "select insert_jobs('[]', 'somebody else')",
        "select lane_of('handler', 'default', 'a', '{}')",
        "select ring('job_ready')",
        "select refuse('HD422', '', '')",
        "select is_time('')",
        "select new_id()",
        "create table mine ()",
        "create function mine() returns void language sql as ''",
        "set role howdah_owner",
        "set session authorization howdah_ingest",
    ],
)
def test_a_producer_may_do_nothing_but_enqueue(statement: str, server_producer: Producer) -> None:
    with pytest.raises(InsufficientPrivilege), server_producer.connection.transaction(force_rollback=True):
        server_producer.connection.execute(statement.encode())


async def test_a_producers_own_tables_are_never_taken_for_the_engines(engine: Engine, producer: Producer) -> None:
    # A template's clones let everybody make temporary tables; in production nobody may.
    tables = ("job", "job_spec", "job_key", "job_type", "limit_key", "lane", "job_count_change")
    for name in tables:
        producer.connection.execute(f"create temporary table {name} (trap integer)".encode())
    (job,) = producer.enqueue_jobs(EVERYTHING)
    assert engine.sql(AS_STORED, job.job_id) == [(STORED,)]
    for name in tables:
        assert producer.connection.execute(f"select * from pg_temp.{name}".encode()).fetchall() == []


@pytest.fixture(scope="module")
def server_producer(server: Any) -> Iterator[Producer]:
    """A producer whose database is shared by tests that leave nothing in it."""
    with server.create_database() as database, open_producer(database) as opened:
        yield opened


async def test_whoever_calls_is_on_record_and_cannot_pass_for_another(engine: Engine, producer: Producer) -> None:
    engine.sql("create role another_program login password 'p' in role howdah_producer")
    try:
        engine.sql(f"grant connect on database {engine.database.name} to another_program")
        with psycopg.connect(
            engine.database.dsn(), user="another_program", password="p", autocommit=True
        ) as connection:
            job_id = Producer(connection).enqueue("a")
            connection.execute("set role howdah_producer")
            other_id = Producer(connection).enqueue("a")
    finally:
        engine.sql("drop owned by another_program")
        engine.sql("drop role another_program")
    assert engine.sql(
        "select enqueued_by, count(*) from job_spec where job_id = any(%s) group by 1", [job_id, other_id]
    ) == [("another_program", 2)]
