"""The duty that releases jobs with a concurrency key, as far as the key's limit and rate allow.

Each look goes through all keys for which jobs wait, a page of them in a transaction, and gives each the same chance.
"""

from functools import partial
from typing import Final

from services.scheduler.queries.release_limited_jobs import list_limited_keys, lock_limit_keys
from services.scheduler.queries.release_limited_jobs import release_limited_jobs as release_by_keys
from shared.db import Connection, Pool, in_transaction, query
from shared.loop import jittered

_LOOK_SECONDS: Final = 5.0
_PAGE: Final = 50
# Of one key, in one transaction.
_BATCH: Final = 100
# A place in a rate is free just after the moment that the query names.
_JUST_AFTER_SECONDS: Final = 0.002


async def release_limited_jobs(pool: Pool, *, page: int = _PAGE, batch: int = _BATCH) -> float:
    """Release what may be; returns the seconds until a rate allows the next, at most a few."""
    after_key = -1
    wait_seconds = jittered(_LOOK_SECONDS)
    while True:
        found = await query(pool, partial(list_limited_keys, max_keys=page, after_key=after_key))
        waiting = [row.limit_key_id for row in found if row.is_waiting]
        if waiting:
            page_seconds = await in_transaction(pool, partial(_release_page, limit_key_ids=waiting, batch=batch))
            wait_seconds = min(wait_seconds, page_seconds)
        if len(found) < page:
            return wait_seconds
        after_key = found[-1].limit_key_id


async def _release_page(connection: Connection, limit_key_ids: list[int], batch: int) -> float:
    """Release of some keys; returns the seconds until one of them may have more: infinite if only a job's end helps."""
    locked = await lock_limit_keys(connection, limit_key_ids=limit_key_ids)
    if not locked:
        return float("inf")
    rows = await release_by_keys(connection, now=None, limit_key_ids=locked, max_jobs=batch)
    if any(row.released == batch for row in rows):
        return 0
    next_in = [row.next_in_seconds for row in rows if row.next_in_seconds is not None]
    return min(next_in, default=float("inf")) + _JUST_AFTER_SECONDS
