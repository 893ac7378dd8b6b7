"""Fixtures of the notifier's tests: an outbox, and a pool under the notifier's role."""

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.db import Pool, open_pool
from tests.database import TestDatabase
from tests.service.notifier.outbox import Outbox


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that services run on: what a hostile target provokes may differ from loop to loop."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def outbox(database: TestDatabase) -> Iterator[Outbox]:
    opened = Outbox(database)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
async def pool(outbox: Outbox) -> AsyncIterator[Pool]:
    async with open_pool(outbox.database.dsn("notifier"), name="howdah-notifier", max_size=2) as opened:
        yield opened
