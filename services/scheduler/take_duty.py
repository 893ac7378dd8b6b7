"""The locks of duties that must not overlap: whichever scheduler comes first does what there is to do."""

from enum import IntEnum

from services.scheduler.queries.take_duty import take_duty as take_lock
from shared.db import Connection


class Duty(IntEnum):
    """The number of each duty's lock."""

    RESCUE = 1
    APPLY = 2
    FOLD = 3
    REMOVE = 4


async def take_duty(connection: Connection, duty: Duty) -> bool:
    """Take a duty until the transaction ends. False: another scheduler is at it."""
    return await take_lock(connection, duty=duty)
