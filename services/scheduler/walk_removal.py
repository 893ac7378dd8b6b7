"""Searching for what has expired along a primary key, from where the search was left."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from services.scheduler.queries.remove_expired import read_removal_walk, record_removal_walk
from shared.db import Connection

_BEFORE_ALL: Final = UUID(int=0)
# What was too young when the search came by is found by the next pass.
_PASS_SECONDS: Final = 6 * 3600.0


class Looked(Protocol):
    """What one stretch of the search found."""

    @property
    def looked_at(self) -> int:
        """How many rows it looked at."""

    @property
    def removed(self) -> int:
        """How many of them it removed."""

    @property
    def last_id(self) -> UUID | None:
        """The last of them."""


async def walk_removal(
    connection: Connection,
    subject: str,
    remove: Callable[[UUID], Awaitable[Looked]],
    *,
    now: datetime | None,
    max_rows: int,
) -> tuple[int, bool]:
    """Search one stretch; returns how many rows were removed, and whether there is more to search at once."""
    walk = await read_removal_walk(connection, subject=subject, now=now)
    after_id = _BEFORE_ALL if walk is None else walk.last_id
    found = await remove(after_id)
    at_the_end = found.looked_at < max_rows
    begins_anew = at_the_end and walk is not None and walk.pass_seconds >= _PASS_SECONDS
    await record_removal_walk(
        connection,
        subject=subject,
        last_id=_BEFORE_ALL if begins_anew else found.last_id or after_id,
        is_new_pass=begins_anew,
        now=now,
    )
    return found.removed, begins_anew or not at_the_end
