"""The duty that removes what nobody reads any more of logs: chunks that are in blocks, and logs of deleted jobs."""

import logging
from datetime import datetime
from functools import partial
from typing import Final

from services.scheduler.queries.remove_chunks import remove_chunks as remove_packed
from services.scheduler.queries.remove_chunks import remove_logs
from services.scheduler.queries.remove_expired import limit_lock_waits
from shared.db import Connection, Pool, in_transaction
from shared.loop import jittered

logger = logging.getLogger(__name__)

_BATCH: Final = 1000
_PAUSE_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 10.0


async def remove_chunks(pool: Pool, keep_seconds: float, *, now: datetime | None = None, batch: int = _BATCH) -> float:
    """Remove a batch; returns the seconds until the next look.

    Chunks stay for `keep_seconds` after they were packed: streams over all jobs resume from them. `now` is for tests.
    """
    has_more = await in_transaction(pool, partial(_remove_packed, keep_seconds=keep_seconds, now=now, batch=batch))
    has_more |= await in_transaction(pool, partial(_remove_deleted, batch=batch))
    return jittered(_PAUSE_SECONDS if has_more else _LOOK_SECONDS)


async def _remove_packed(connection: Connection, keep_seconds: float, now: datetime | None, batch: int) -> bool:
    await limit_lock_waits(connection)
    done = await remove_packed(
        connection, keep_seconds=keep_seconds, now=now, max_attempts=_attempts(batch), max_chunks=batch
    )
    return done.due == _attempts(batch) or done.compacted < done.due


async def _remove_deleted(connection: Connection, batch: int) -> bool:
    await limit_lock_waits(connection)
    done = await remove_logs(connection, max_attempts=_attempts(batch), max_chunks=batch, max_blocks=_attempts(batch))
    if done.forgotten:
        logger.info("removed the logs of %d deleted attempts", done.forgotten)
    return done.due == _attempts(batch) or done.forgotten < done.due


def _attempts(batch: int) -> int:
    """Most attempts have few chunks, and a block is as large as many chunks."""
    return max(1, batch // 10)
