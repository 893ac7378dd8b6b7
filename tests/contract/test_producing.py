"""A program enqueues from Python as it does in SQL: the same jobs, its own transaction, errors that say which job."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from psycopg import AsyncClientCursor, AsyncConnection, sql
from psycopg.errors import InFailedSqlTransaction, InsufficientPrivilege
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool

from shared.jobs import RetryPolicy
from shared.producer import (
    EnqueuedJob,
    IdempotencyConflictError,
    InvalidJobError,
    NewJob,
    PayloadTooLargeError,
    enqueue,
    enqueue_blocking,
    enqueue_many,
    enqueue_many_blocking,
)
from tests.contract.test_enqueueing import AS_STORED, EVERYTHING, STORED, STORED_BY_DEFAULT
from tests.database import TestDatabase
from tests.engine import Engine


class AsyncWay:
    """Enqueues as async programs do."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def enqueue(self, job: NewJob) -> EnqueuedJob:
        return await enqueue(self._connection, job)

    async def enqueue_many(self, jobs: Sequence[NewJob]) -> list[EnqueuedJob]:
        return await enqueue_many(self._connection, jobs)


class BlockingWay:
    """Enqueues as other programs do."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    async def enqueue(self, job: NewJob) -> EnqueuedJob:
        return enqueue_blocking(self._connection, job)

    async def enqueue_many(self, jobs: Sequence[NewJob]) -> list[EnqueuedJob]:
        return enqueue_many_blocking(self._connection, jobs)


Way = AsyncWay | BlockingWay


@pytest.fixture(params=["async", "blocking"])
async def way(request: pytest.FixtureRequest, database: TestDatabase) -> AsyncIterator[Way]:
    if request.param == "async":
        async with await AsyncConnection.connect(database.dsn("producer"), autocommit=True) as connection:
            yield AsyncWay(connection)
    else:
        with psycopg.connect(database.dsn("producer"), autocommit=True) as blocking:
            yield BlockingWay(blocking)


def everything(**changes: Any) -> NewJob:
    fields = {name: value for name, value in EVERYTHING.items() if name != "timeout_seconds"}
    fields |= {"timeout": EVERYTHING["timeout_seconds"], "retry": RetryPolicy(**EVERYTHING["retry"])}
    return NewJob(**fields | changes)


async def test_a_job_is_stored_as_it_was_made(engine: Engine, way: Way) -> None:
    one = await way.enqueue(everything())
    assert engine.sql(AS_STORED, one.job_id) == [(STORED,)]
    [other] = await way.enqueue_many([everything(idempotency_key="order-2")])
    assert engine.sql(AS_STORED, other.job_id) == [(STORED,)]
    bare = await way.enqueue(NewJob(type="send_email"))
    assert engine.sql(AS_STORED, bare.job_id) == [(STORED_BY_DEFAULT,)]


async def test_jobs_come_back_in_their_order_and_say_whether_they_are_new(engine: Engine, way: Way) -> None:
    keyed = NewJob(type="note", idempotency_key="k")
    first = await way.enqueue(keyed)
    jobs = await way.enqueue_many([NewJob(type="note", payload=0), keyed, NewJob(type="note", payload=2)])
    assert [job.created for job in jobs] == [True, False, True]
    assert jobs[1] == EnqueuedJob(first.job_id, created=False)
    stored = dict(engine.sql("select job_id, payload from job_spec"))
    assert [stored[job.job_id] for job in jobs] == [0, None, 2]


async def test_no_jobs_are_no_error(engine: Engine, way: Way) -> None:
    assert await way.enqueue_many([]) == []
    assert engine.sql("select count(*) from job") == [(0,)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"priority": 500}, r"^job 1: the priority 500 is out of range\. It is a whole number between -100 and 100"),
        ({"type": "No Type"}, r"^job 1: 'No Type' is no job type\. A type is "),
        ({"timeout": 1.5}, r"^job 1: timeout_seconds 1\.5 is out of range"),
        ({"labels": "gpu"}, r"^job 1: the labels are no array"),
    ],
)
async def test_a_malformed_job_is_refused_by_its_place(
    engine: Engine, way: Way, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidJobError, match=message) as caught:
        await way.enqueue_many([NewJob(type="note"), NewJob(**{"type": "note", **wrong})])
    assert (caught.value.place, caught.value.code) == (1, "HD422")
    assert caught.value.hint
    assert engine.sql("select count(*) from job") == [(0,)]


async def test_a_conflict_names_the_earlier_job(engine: Engine, way: Way) -> None:
    first = await way.enqueue(NewJob(type="note", payload=1, idempotency_key="k"))
    other = NewJob(type="note", payload=2, idempotency_key="k")
    with pytest.raises(IdempotencyConflictError, match=r"Use a new key for a new job") as caught:
        await way.enqueue_many([NewJob(type="note"), other])
    assert (caught.value.place, caught.value.earlier_job_id) == (1, first.job_id)
    assert engine.sql("select count(*) from job") == [(1,)]


@pytest.mark.parametrize("field", ["payload", "metadata"])
async def test_what_is_too_large_is_refused_by_its_place(way: Way, field: str) -> None:
    large = NewJob(type="note", **{field: {"text": "x" * 1024 * 1024}})  # type: ignore[arg-type]
    with pytest.raises(PayloadTooLargeError, match=rf"^job 1: the {field} has more than") as caught:
        await way.enqueue_many([NewJob(type="note"), large])
    assert caught.value.place == 1


async def test_too_many_jobs_are_refused_as_a_whole(way: Way) -> None:
    with pytest.raises(InvalidJobError, match=r"^10001 jobs in one call\. Pass at most 10000") as caught:
        await way.enqueue_many([NewJob(type="note")] * 10_001)
    assert caught.value.place is None


async def test_what_only_postgresql_cannot_store_is_an_invalid_job(way: Way) -> None:
    with pytest.raises(InvalidJobError, match="PostgreSQL cannot store a job"):
        await way.enqueue(NewJob(type="note", payload=[msgspec.Raw(b"1e200000")]))


async def test_errors_that_are_no_refusals_pass_as_they_are(database: TestDatabase) -> None:
    async with await AsyncConnection.connect(database.dsn("notifier"), autocommit=True) as connection:
        with pytest.raises(InsufficientPrivilege):
            await enqueue(connection, NewJob(type="note"))


async def test_jobs_are_there_exactly_if_the_callers_transaction_commits(
    engine: Engine, database: TestDatabase
) -> None:
    async with await AsyncConnection.connect(database.dsn("producer")) as connection:
        await enqueue(connection, NewJob(type="note"))
        assert engine.sql("select count(*) from job") == [(0,)]
        await connection.rollback()
        await enqueue(connection, NewJob(type="note"))
        await connection.commit()
    assert engine.sql("select count(*) from job") == [(1,)]


async def test_a_refusal_ends_the_transaction_unless_it_has_a_savepoint(engine: Engine, database: TestDatabase) -> None:
    async with await AsyncConnection.connect(database.dsn("producer")) as connection:
        with pytest.raises(InvalidJobError):
            await enqueue(connection, NewJob(type="No Type"))
        with pytest.raises(InFailedSqlTransaction):
            await enqueue(connection, NewJob(type="note"))
        await connection.rollback()
        with pytest.raises(InvalidJobError):
            async with connection.transaction():
                await enqueue(connection, NewJob(type="No Type"))
        await enqueue(connection, NewJob(type="note"))
        await connection.commit()
    assert engine.sql("select count(*) from job") == [(1,)]


@pytest.mark.parametrize(
    "settings",
    [
        {"row_factory": dict_row},
        {"cursor_factory": AsyncClientCursor},
        {"prepare_threshold": None},
        {"prepare_threshold": 0},
        {"client_encoding": "latin1"},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_any_connection_will_do(engine: Engine, database: TestDatabase, settings: dict[str, Any]) -> None:
    async with await AsyncConnection.connect(database.dsn("producer"), autocommit=True, **settings) as connection:
        set_json_loads(lambda _: "not what it was", connection)
        jobs = await enqueue_many(connection, [NewJob(type="note", payload="café"), NewJob(type="note")])
        async with connection.pipeline() as pipeline:
            jobs.append(await enqueue(connection, NewJob(type="note")))
            await pipeline.sync()
            with pytest.raises(InvalidJobError):
                await enqueue(connection, NewJob(type="No Type"))
    assert engine.sql("select payload from job_spec where payload <> 'null'") == [("café",)]
    assert {(job.job_id,) for job in jobs} == set(engine.sql("select id from job"))


async def test_text_that_a_connection_cannot_encode_is_an_invalid_job(engine: Engine, database: TestDatabase) -> None:
    async with await AsyncConnection.connect(
        database.dsn("producer"), autocommit=True, client_encoding="latin1"
    ) as connection:
        with pytest.raises(InvalidJobError, match="Set client_encoding to utf8"):
            await enqueue(connection, NewJob(type="note", payload="\U0001f418"))
    assert engine.sql("select count(*) from job") == [(0,)]


async def test_a_pool_will_do(engine: Engine, database: TestDatabase) -> None:
    async with (
        AsyncConnectionPool(database.dsn("producer"), min_size=1, max_size=1, open=False) as pool,
        pool.connection() as connection,
    ):
        await enqueue(connection, NewJob(type="note"))
    assert engine.sql("select count(*) from job") == [(1,)]


@contextmanager
def role_of_a_program(database: TestDatabase) -> Iterator[str]:
    """Make a role that was granted howdah_producer; yields its name, which is its password, too."""
    name = f"shop_{uuid4().hex[:12]}"
    role = sql.Identifier(name)
    with ExitStack() as stack:
        admin = stack.enter_context(psycopg.connect(database.dsn(), autocommit=True))
        admin.execute(sql.SQL("create role {} login password {}").format(role, sql.Literal(name)))
        stack.callback(admin.execute, sql.SQL("drop role {}").format(role))
        database_name = sql.Identifier(database.name)
        admin.execute(sql.SQL("create schema shop; create table shop.purchase (id integer)"))
        stack.callback(admin.execute, sql.SQL("drop owned by {}").format(role))
        admin.execute(
            sql.SQL(
                "grant howdah_producer to {role}; grant connect on database {database} to {role};"
                " grant usage on schema shop to {role}; grant all on shop.purchase to {role}"
            ).format(role=role, database=database_name)
        )
        yield name


async def test_a_programs_own_role_may_enqueue_beside_its_own_rows(engine: Engine, database: TestDatabase) -> None:
    with role_of_a_program(database) as role:
        dsn = database.server.postgres.dsn(database.name, user=role, password=role)
        async with await AsyncConnection.connect(dsn) as connection:
            await connection.execute("insert into shop.purchase values (7)")
            job = await enqueue(connection, NewJob(type="note"))
            with pytest.raises(InsufficientPrivilege):
                await connection.execute("select 1 from job")
            await connection.rollback()
            await connection.execute("insert into shop.purchase values (8)")
            job = await enqueue(connection, NewJob(type="note"))
            await connection.commit()
    assert engine.sql("select id from shop.purchase") == [(8,)]
    assert engine.sql("select job_id, enqueued_by from job_spec") == [(job.job_id, role)]
