"""PostgreSQL: pools, single statements, transactions. The one hand-written module that knows psycopg.

Connections are in autocommit: a single statement is its own transaction, in one round trip.
"""

import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Any, Final, TypeVar

import anyio
import msgspec
import psycopg
from psycopg import AsyncConnection, errors, sql
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from shared.errors import DatabaseUnavailableError, DataRefusedError, RefusedError
from shared.queries.models import ENUMS

logger = logging.getLogger(__name__)

Connection = AsyncConnection[Any]
BlockingConnection = psycopg.Connection[Any]
Pool = AsyncConnectionPool[Connection]
T = TypeVar("T")

# Notice a dead peer within about 25 s, also when no packet comes back at all.
TCP_OPTIONS: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

_ACQUIRE_SECONDS: Final = 10.0
_STATEMENT_SECONDS: Final = 35.0  # just above the roles' statement_timeout, which answers first
_TRIES_AFTER_CONFLICT: Final = 5
# The pool ends connections that have grown old, but not before it has them back.
_KEPT_SECONDS: Final = 600.0
_QUIET_SECONDS: Final = 20.0
_SIGN_OF_LIFE_SECONDS: Final = 5.0

_encode_json = msgspec.json.Encoder().encode


def _register_json(connection: Connection) -> None:
    set_json_dumps(_encode_json, connection)
    set_json_loads(msgspec.json.decode, connection)


class EnumCatalog:
    """The enums' type ids, read from the database once and then registered on every connection."""

    def __init__(self) -> None:
        self._known: list[tuple[EnumInfo, type[StrEnum]]] | None = None

    async def register(self, connection: Connection) -> None:
        """Make the connection read and write the schema's enums as their Python types."""
        if self._known is None:
            known: list[tuple[EnumInfo, type[StrEnum]]] = []
            for name, python_type in ENUMS:
                info = await EnumInfo.fetch(connection, name)
                if info is not None:  # else the schema is older than this code, which check_schema reports
                    known.append((info, python_type))
            self._known = known
        for info, python_type in self._known:
            register_enum(info, connection, python_type, mapping={member: member.value for member in python_type})


async def _configure(connection: Connection, enums: EnumCatalog) -> None:
    _register_json(connection)
    await enums.register(connection)


def _named(dsn: str, name: str) -> dict[str, Any]:
    return {} if "application_name=" in dsn else {"application_name": name}


@asynccontextmanager
async def open_pool(
    dsn: str, *, name: str, max_size: int, min_size: int = 1, prepare_statements: bool = True
) -> AsyncIterator[Pool]:
    """Open a pool of autocommit connections that is usable even while the database is away.

    `name` is shown as application_name in pg_stat_activity, unless the URI names another.
    """
    enums = EnumCatalog()

    async def configure(connection: Connection) -> None:
        await _configure(connection, enums)

    options: dict[str, Any] = {"autocommit": True, **_named(dsn, name), **TCP_OPTIONS}
    if not prepare_statements:
        options["prepare_threshold"] = None
    pool: Pool = AsyncConnectionPool(
        dsn,
        kwargs=options,
        min_size=min_size,
        max_size=max_size,
        configure=configure,
        open=False,
        timeout=_ACQUIRE_SECONDS,
        # As long as somebody waits. The pauses between its tries double: given more time, they would grow longer than
        # an executor's lease, and an outage would cost executors that are alive.
        reconnect_timeout=_ACQUIRE_SECONDS,
        max_idle=60,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        with anyio.CancelScope(shield=True):
            await pool.close(timeout=5)


@asynccontextmanager
async def open_connection(dsn: str, *, name: str) -> AsyncIterator[Connection]:
    """Open one autocommit connection of one's own, outside any pool.

    Raises `DatabaseUnavailableError`.
    """
    try:
        connection: Connection = await AsyncConnection.connect(dsn, autocommit=True, **_named(dsn, name), **TCP_OPTIONS)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(str(error)) from error
    try:
        try:
            await _configure(connection, EnumCatalog())
        except _UNAVAILABLE as error:  # it may be cut off already
            raise DatabaseUnavailableError(f"{type(error).__name__}: {error}".strip()) from error
        yield connection
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


_UNAVAILABLE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
    TimeoutError,
)
# The SQLSTATEs of the schema's function `refuse`.
_REFUSALS: Final = ("HD422", "HD409", "HD413")
# Also what is too large or too deeply nested for one value.
_UNSTORABLE: Final = (psycopg.DataError, errors.ProgramLimitExceeded, errors.StatementTooComplex)
_CONFLICTS: Final = (errors.DeadlockDetected, errors.SerializationFailure)


async def query(pool: Pool, body: Callable[[Connection], Awaitable[T]]) -> T:
    """Run one statement on a pooled connection, as its own transaction.

    It is shielded from cancellation, so that its answer is never thrown away; a deadline ends it instead.
    Raises `DatabaseUnavailableError`: whether the statement took effect is then unknown. Raises `DataRefusedError`,
    and `RefusedError` for what a function of the schema refuses.
    """
    return await _attempt(lambda: _lend(pool, body))


async def in_transaction(pool: Pool, body: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `body` in one transaction; all of it is done, or nothing. `body` may run again after a conflict.

    Raises `DatabaseUnavailableError`, `DataRefusedError`, `RefusedError`.
    """

    async def in_block(connection: Connection) -> T:
        async with connection.transaction():
            return await body(connection)

    return await _attempt(lambda: _lend(pool, in_block))


class KeptConnection:
    """A connection of the pool's that is kept between statements, for one loop whose statements follow each other.

    What the pool does each time takes as long as psycopg takes for a short statement; and another connection each
    time finds nothing of its plans in the caches of the processor.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self._taken_at = 0.0

    async def query(self, body: Callable[[Connection], Awaitable[T]]) -> T:
        """Run one statement, as `query` does and with its errors. One at a time."""
        return await _attempt(lambda: self._lend(body))

    async def give_back(self) -> None:
        """Give the connection back, until the next statement."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # One that is missing in the pool would be missing for ever.
            with anyio.CancelScope(shield=True):
                await self._pool.putconn(connection)

    async def _lend(self, body: Callable[[Connection], Awaitable[T]]) -> T:
        if time.monotonic() > self._taken_at + _KEPT_SECONDS:
            await self.give_back()
        if self._connection is None:
            self._connection = await self._pool.getconn()
            self._taken_at = time.monotonic()
        try:
            with refusals():
                return await body(self._connection)
        except BaseException:
            await self.give_back()
            raise


async def _attempt(lend: Callable[[], Awaitable[T]]) -> T:
    for tries_left in reversed(range(_TRIES_AFTER_CONFLICT)):
        try:
            with anyio.fail_after(_STATEMENT_SECONDS, shield=True):
                return await lend()
        except _CONFLICTS as error:
            if not tries_left:
                raise DatabaseUnavailableError(f"still in conflict after several tries: {error}") from error
            await anyio.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - not for secrets
        except _UNAVAILABLE as error:
            raise DatabaseUnavailableError(f"{type(error).__name__}: {error}".strip()) from error
    raise AssertionError("unreachable")


async def _lend(pool: Pool, body: Callable[[Connection], Awaitable[T]]) -> T:
    """Call `body` with a connection of the pool's.

    Not by `pool.connection()`, which ends a transaction afterwards, and takes a tenth of the time of a short statement
    for that: there is none left, since connections are in autocommit.
    """
    connection = await pool.getconn()
    try:
        with refusals():
            return await body(connection)
    finally:
        # The deadline may have passed: a connection that nobody gives back would be missing for ever.
        with anyio.CancelScope(shield=True):
            await pool.putconn(connection)


@contextmanager
def refusals() -> Iterator[None]:
    """Raise what the database refuses as `RefusedError` or `DataRefusedError`; all other errors pass as they are."""
    try:
        yield
    # Also OperationalErrors: psycopg takes every SQLSTATE that it does not know for trouble with the server.
    except psycopg.Error as error:
        if error.sqlstate in _REFUSALS:
            message, hint = error.diag.message_primary or "", error.diag.message_hint or ""
            raise RefusedError(error.sqlstate, message, hint) from error
        if isinstance(error, _UNSTORABLE):
            raise DataRefusedError(str(error)) from error
        raise


async def answers(pool: Pool, *, seconds: float) -> bool:
    """Whether the database answers within so many seconds. Unlike `query`, it can be canceled at any point."""
    try:
        with anyio.fail_after(seconds):
            async with pool.connection(timeout=seconds) as connection:
                await connection.execute("select")
    except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests, TimeoutError):
        return False
    return True


async def listen(connection: Connection, channels: Iterable[str]) -> AsyncIterator[psycopg.Notify | None]:
    """Yield each notification, for ever; None once the subscriptions stand.

    Asks the server for a sign of life when it has been quiet: a half-open connection would be waited on for ever.
    Raises `DatabaseUnavailableError`.
    """
    try:
        for channel in channels:
            await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        yield None
        while True:
            async for notification in connection.notifies(timeout=_QUIET_SECONDS):
                yield notification
            with anyio.fail_after(_SIGN_OF_LIFE_SECONDS):
                await connection.execute("select")
    except _UNAVAILABLE as error:
        raise DatabaseUnavailableError(f"{type(error).__name__}: {error}".strip()) from error
