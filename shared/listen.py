"""The connection that LISTENs, and rings the bells of the loops that wait.

It rings every bell after every connection, since what was notified in between is lost.
"""

import logging
from collections.abc import Mapping, Sequence

import anyio

from shared.db import listen, open_connection
from shared.errors import DatabaseUnavailableError
from shared.loop import Ringable, backoff_seconds

logger = logging.getLogger(__name__)


async def run_listener(dsn: str, *, name: str, bells: Mapping[str, Sequence[Ringable]]) -> None:
    """Ring `bells[channel]` for every notification, until canceled; reconnects by itself.

    `dsn` must not lead through a pooler in transaction mode.
    """
    failures = 0
    while True:
        try:
            async with open_connection(dsn, name=name) as connection:
                async for notification in listen(connection, bells):
                    if notification is not None:
                        for bell in bells.get(notification.channel, ()):
                            bell.ring(notification.payload)
                        continue
                    if failures:
                        logger.info("listening again")
                    failures = 0
                    for waiting in bells.values():
                        for bell in waiting:
                            bell.ring()
        except DatabaseUnavailableError as error:
            failures += 1
            seconds = backoff_seconds(failures)
            logger.warning("listening was cut off; next try in %.1f s: %s", seconds, error)
            await anyio.sleep(seconds)
