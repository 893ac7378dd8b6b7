"""Await two things at once, and both or neither."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

One = TypeVar("One")
Other = TypeVar("Other")


async def await_both(one: Callable[[], Awaitable[One]], other: Callable[[], Awaitable[Other]]) -> tuple[One, Other]:
    """Return what both return. What one of them raises cancels the other, and comes out as it is, in no group."""
    others: list[Other] = []

    async def await_other() -> None:
        others.append(await other())

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(await_other)
            first = await one()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return first, others[0]
