"""The duty that removes chunks that are in blocks, some time after they were packed."""

from datetime import datetime
from functools import partial
from typing import Final

from services.scheduler.queries.remove_chunks import FindLogsToCompactRow, RemoveChunksRow, find_logs_to_compact
from services.scheduler.queries.remove_chunks import remove_chunks as remove_batch
from services.scheduler.queries.remove_expired import limit_lock_waits
from services.scheduler.removal_place import RemovalPlace
from shared.db import Connection, Pool, in_transaction, query
from shared.loop import jittered

_BATCH: Final = 1000
_LOGS: Final = 20
_PAUSE_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 10.0


async def remove_chunks(
    pool: Pool, keep_seconds: float, place: RemovalPlace, *, now: datetime | None = None, batch: int = _BATCH
) -> float:
    """Remove a batch of each of some logs; returns the seconds until the next look.

    Chunks stay for `keep_seconds` after they were packed: streams over all jobs resume from them. `now` is for tests.
    """
    found = await query(pool, partial(find_logs_to_compact, keep_seconds=keep_seconds, now=now, max_logs=_LOGS))
    moved = [await _remove(pool, log, place, batch) for log in found]
    return _PAUSE_SECONDS if any(moved) else jittered(_LOOK_SECONDS)


async def _remove(pool: Pool, log: FindLogsToCompactRow, place: RemovalPlace, batch: int) -> bool:
    """Remove one batch; False: another scheduler is at that log."""

    async def remove(connection: Connection) -> RemoveChunksRow | None:
        await limit_lock_waits(connection)
        return await remove_batch(
            connection,
            job_id=log.job_id,
            epoch=log.epoch,
            log_day=log.log_day,
            after_seq=place.after(log.job_id, log.epoch),
            max_chunks=batch,
        )

    done = await in_transaction(pool, remove)
    if done is None:
        return False
    # Only what is committed is passed over the next time.
    place.went(log.job_id, log.epoch, None if done.is_compact else done.last_seq)
    return True
