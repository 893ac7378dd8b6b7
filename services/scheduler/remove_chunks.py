"""The duty that removes chunks that are in blocks, some time after they were packed."""

from datetime import datetime
from functools import partial
from typing import Final

from services.scheduler.queries.remove_chunks import remove_chunks as remove_batch
from services.scheduler.queries.remove_expired import limit_lock_waits
from shared.db import Connection, Pool, in_transaction
from shared.loop import jittered

_BATCH: Final = 1000
_BATCH_OF_LOGS: Final = 100
_PAUSE_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 10.0


async def remove_chunks(pool: Pool, keep_seconds: float, *, now: datetime | None = None, batch: int = _BATCH) -> float:
    """Remove a batch; returns the seconds until the next look.

    Chunks stay for `keep_seconds` after they were packed: streams over all jobs resume from them. `now` is for tests.
    """
    has_more = await in_transaction(pool, partial(_remove, keep_seconds=keep_seconds, now=now, batch=batch))
    return jittered(_PAUSE_SECONDS if has_more else _LOOK_SECONDS)


async def _remove(connection: Connection, keep_seconds: float, now: datetime | None, batch: int) -> bool:
    await limit_lock_waits(connection)
    done = await remove_batch(
        connection, keep_seconds=keep_seconds, now=now, max_attempts=_BATCH_OF_LOGS, max_chunks=batch
    )
    return done.due == _BATCH_OF_LOGS or done.compacted < done.due
