"""The handler `sleep`: wait, and do nothing else."""

import asyncio
from typing import Annotated, Final

from msgspec import Meta, Struct

from shared.jobs import JobContext, handler

_MOST_SECONDS: Final = 24 * 3600


class Sleep(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long."""

    seconds: Annotated[float, Meta(ge=0, le=_MOST_SECONDS)]


@handler("sleep", timeout=_MOST_SECONDS + 60)
async def sleep(payload: Sleep, context: JobContext) -> None:  # noqa: ARG001 - every handler has one
    """Wait for so many seconds. A canceled job stops waiting at once."""
    await asyncio.sleep(payload.seconds)
