"""Handlers that leave a trace under the epoch of their call, and neighbours for those that misbehave."""

import asyncio
import os
import random
from pathlib import Path

from msgspec import Struct

from shared.jobs import JobContext, handler

_MOST_SECONDS = 0.6


class Trace(Struct):
    """A file to which everybody appends."""

    file: str


def _append(payload: Trace, context: JobContext, what: str) -> None:
    # One write of less than a block: appended whole, whoever else appends.
    descriptor = os.open(payload.file, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, f"{what} {context.job_id} {context.epoch}\n".encode())
    finally:
        os.close(descriptor)


@handler("trace")
async def trace(payload: Trace, context: JobContext) -> None:
    """Say that it begins, take a while, say that it has ended."""
    _append(payload, context, "begin")
    await asyncio.sleep(random.uniform(0, _MOST_SECONDS))
    _append(payload, context, "end")


@handler("neighbour")
async def neighbour(payload: Trace, context: JobContext) -> None:
    """Begin, and end as soon as the culprit has signed in the same file."""
    _append(payload, context, "begin")
    while "culprit" not in Path(payload.file).read_text():  # noqa: ASYNC110, ASYNC240 - nothing announces it
        await asyncio.sleep(0.01)
