"""The duty that removes the logs of deleted jobs: deleting a run only notes them, since its logs may be gigabytes."""

import logging
from functools import partial
from typing import Final

from services.scheduler.queries.remove_expired import limit_lock_waits
from services.scheduler.queries.remove_logs import remove_logs as remove_batch
from shared.db import Connection, Pool, in_transaction
from shared.loop import jittered

logger = logging.getLogger(__name__)

_BATCH: Final = 1000
_BATCH_OF_LOGS: Final = 100
_PAUSE_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 10.0
# A block is as large as many chunks.
_CHUNKS_A_BLOCK: Final = 10


async def remove_logs(pool: Pool, *, batch: int = _BATCH) -> float:
    """Remove a batch of their chunks, and of their blocks; returns the seconds until the next look."""
    has_more = await in_transaction(pool, partial(_remove, batch=batch))
    return jittered(_PAUSE_SECONDS if has_more else _LOOK_SECONDS)


async def _remove(connection: Connection, batch: int) -> bool:
    await limit_lock_waits(connection)
    done = await remove_batch(
        connection, max_attempts=_BATCH_OF_LOGS, max_chunks=batch, max_blocks=max(1, batch // _CHUNKS_A_BLOCK)
    )
    if done.forgotten:
        logger.info("removed the logs of %d deleted attempts", done.forgotten)
    return done.due == _BATCH_OF_LOGS or done.forgotten < done.due
