"""The connection that LISTENs, and rings the bells of the loops that wait.

It rings every bell after every connection, since what was notified in between is lost, and asks the server for a sign of life when it
has been quiet: a half-open connection would otherwise be waited on for ever.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import anyio
import psycopg

from shared.db import Connection, listen, open_connection
from shared.errors import DatabaseUnavailableError
from shared.loop import Bell, backoff_seconds

logger = logging.getLogger(__name__)

_QUIET_SECONDS: Final = 20.0
_ANSWER_SECONDS: Final = 5.0


async def run_listener(dsn: str, *, name: str, bells: Mapping[str, Sequence[Bell]]) -> None:
    """Ring `bells[channel]` for every notification, until canceled; reconnects by itself.

    `dsn` must not lead through a pooler in transaction mode.
    """
    failures = 0
    while True:
        try:
            async with open_connection(dsn, name=name) as connection:
                await listen(connection, bells)
                if failures:
                    logger.info("listening again")
                failures = 0
                for channel in bells:
                    _ring(bells[channel])
                await _pass_on(connection, bells)
        except (DatabaseUnavailableError, psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as error:
            failures += 1
            seconds = backoff_seconds(failures)
            logger.warning("listening was cut off; next try in %.1f s: %s", seconds, error)
            await anyio.sleep(seconds)


async def _pass_on(connection: Connection, bells: Mapping[str, Sequence[Bell]]) -> None:
    while True:
        async for notification in connection.notifies(timeout=_QUIET_SECONDS):
            _ring(bells.get(notification.channel, ()))
        with anyio.fail_after(_ANSWER_SECONDS):
            await connection.execute("select")


def _ring(bells: Sequence[Bell]) -> None:
    for bell in bells:
        bell.ring()
