"""The duty that removes the logs of deleted jobs: deleting a run only notes them, since its logs may be gigabytes."""

from functools import partial
from typing import Final

from services.scheduler.queries.remove_expired import limit_lock_waits
from services.scheduler.queries.remove_logs import FindLogsToRemoveRow, RemoveLogRow, find_logs_to_remove, remove_log
from services.scheduler.removal_place import RemovalPlace
from shared.db import Connection, Pool, in_transaction, query
from shared.loop import jittered

_BATCH: Final = 1000
_LOGS: Final = 20
_PAUSE_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 10.0
# A block is as large as many chunks.
_CHUNKS_A_BLOCK: Final = 10


async def remove_logs(pool: Pool, place: RemovalPlace, *, batch: int = _BATCH) -> float:
    """Remove a batch of each of some of them; returns the seconds until the next look."""
    found = await query(pool, partial(find_logs_to_remove, max_logs=_LOGS))
    moved = [await _remove(pool, log, place, batch) for log in found]
    return _PAUSE_SECONDS if any(moved) else jittered(_LOOK_SECONDS)


async def _remove(pool: Pool, log: FindLogsToRemoveRow, place: RemovalPlace, batch: int) -> bool:
    """Remove one batch; False: another scheduler is at that log."""

    async def remove(connection: Connection) -> RemoveLogRow | None:
        await limit_lock_waits(connection)
        return await remove_log(
            connection,
            job_id=log.job_id,
            epoch=log.epoch,
            log_day=log.day,
            retention=log.retention,
            after_seq=place.after(log.job_id, log.epoch),
            max_chunks=batch,
            max_blocks=max(1, batch // _CHUNKS_A_BLOCK),
        )

    done = await in_transaction(pool, remove)
    if done is None:
        return False
    # Only what is committed is passed over the next time.
    place.went(log.job_id, log.epoch, None if done.is_forgotten else done.last_seq)
    return True
