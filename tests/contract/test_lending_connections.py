"""A pool's connections come back usable, whatever becomes of the statement that had one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, LiteralString

import anyio
import psycopg
import pytest

import shared.db
from shared.db import Connection, KeptConnection, Pool, in_transaction, open_pool, query
from shared.errors import DatabaseUnavailableError, DataRefusedError
from tests.database import TestDatabase


@pytest.fixture
async def pool(database: TestDatabase) -> AsyncIterator[Pool]:
    """Of one connection: one that is not given back is missed at once."""
    async with open_pool(database.dsn("owner"), name="lending", max_size=1) as opened:
        yield opened


def ask(statement: LiteralString) -> Callable[[Connection], Awaitable[Any]]:
    async def body(connection: Connection) -> Any:
        row = await (await connection.execute(statement)).fetchone()
        return None if row is None else row[0]

    return body


async def is_idle(pool: Pool) -> bool:
    with anyio.fail_after(60):
        return await query(pool, ask("select pg_current_xact_id_if_assigned() is null"))


async def test_after_a_statement_that_is_refused(pool: Pool) -> None:
    for _ in range(3):
        with pytest.raises(DataRefusedError):
            await query(pool, ask("select 'x'::text::integer"))
        assert await is_idle(pool)


async def test_after_a_transaction_that_is_given_up(pool: Pool) -> None:
    async def body(connection: Connection) -> None:
        await connection.execute("create table half_done ()")
        raise LookupError("a mistake of ours")

    for _ in range(3):
        with pytest.raises(LookupError):
            await in_transaction(pool, body)
        assert await is_idle(pool)
    assert await query(pool, ask("select to_regclass('half_done')")) is None


async def test_after_a_statement_that_takes_too_long(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await is_idle(pool)
    for _ in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(shared.db, "_STATEMENT_SECONDS", 0.2)
            with pytest.raises(DatabaseUnavailableError):
                await query(pool, ask("select pg_sleep(3600)::text"))
        assert await is_idle(pool)


async def test_after_a_session_that_has_been_ended(pool: Pool, database: TestDatabase) -> None:
    for _ in range(3):
        pid = await query(pool, ask("select pg_backend_pid()"))
        with psycopg.connect(database.dsn(), autocommit=True) as admin:
            admin.execute("select pg_terminate_backend(%s, 5000)", [pid])
        with pytest.raises(DatabaseUnavailableError):
            await query(pool, ask("select 1"))
        assert await is_idle(pool)


async def test_one_that_is_kept_stays_the_same_until_it_is_given_back(database: TestDatabase) -> None:
    async with open_pool(database.dsn("owner"), name="lending", max_size=2, min_size=2) as two:
        await two.wait()
        kept = KeptConnection(two)
        pids = {await kept.query(ask("select pg_backend_pid()")) for _ in range(5)}
        assert len(pids) == 1
        assert {await query(two, ask("select pg_backend_pid()")) for _ in range(5)}.isdisjoint(pids)
        await kept.give_back()
        assert {await query(two, ask("select pg_backend_pid()")) for _ in range(5)} > pids


async def test_one_that_is_kept_comes_back_whatever_happens_to_it(
    pool: Pool, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptConnection(pool)
    with pytest.raises(DataRefusedError):
        await kept.query(ask("select 'x'::text::integer"))
    assert await is_idle(pool)
    pid = await kept.query(ask("select pg_backend_pid()"))
    with psycopg.connect(database.dsn(), autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(DatabaseUnavailableError):
        await kept.query(ask("select 1"))
    assert await is_idle(pool)
    with monkeypatch.context() as patched:
        patched.setattr(shared.db, "_STATEMENT_SECONDS", 0.2)
        with pytest.raises(DatabaseUnavailableError):
            await kept.query(ask("select pg_sleep(3600)::text"))
    assert await is_idle(pool)


async def test_one_that_has_been_kept_for_long_goes_back_so_that_the_pool_can_end_it(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.db, "_KEPT_SECONDS", 0.0)
    async with open_pool(database.dsn("owner"), name="lending", max_size=2, min_size=2) as two:
        await two.wait()
        kept = KeptConnection(two)
        # The pool lends the one that it has had back for longest.
        assert len({await kept.query(ask("select pg_backend_pid()")) for _ in range(4)}) == 2
