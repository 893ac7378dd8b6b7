"""The duty that makes the log partitions of the coming days."""

import logging
from typing import Final

from services.scheduler.queries.keep_partitions import make_log_partitions
from shared.db import Pool, query
from shared.loop import jittered

logger = logging.getLogger(__name__)

_DAYS_AHEAD: Final = 7
_LOOK_SECONDS: Final = 3600.0


async def keep_partitions(pool: Pool) -> float:
    """Make what is lacking; returns the seconds until the next look."""
    made = await query(pool, lambda connection: make_log_partitions(connection, days_ahead=_DAYS_AHEAD))
    if made:
        logger.info("made %d log partitions", made)
    return jittered(_LOOK_SECONDS)
