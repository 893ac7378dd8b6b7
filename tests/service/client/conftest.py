"""The client against a real ingest, over a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from shared.client import JobsClient
from tests.database import TestDatabase
from tests.engine import Engine, open_engine
from tests.service.ingest.door import Door, open_door
from tests.service.ingest.publishing import ANYTHING, EMAIL_SCHEMA, publish


@pytest.fixture
async def engine(database: TestDatabase) -> AsyncIterator[Engine]:
    async with open_engine(database) as opened:
        yield opened


@pytest.fixture
async def door(database: TestDatabase, engine: Engine) -> AsyncIterator[Door]:
    """An ingest that knows the types `send_email` and `note`."""
    async with open_door(database) as opened:
        await publish(engine, send_email=EMAIL_SCHEMA, note=ANYTHING)
        yield opened


@pytest.fixture
async def client(door: Door) -> AsyncIterator[JobsClient]:
    async with JobsClient(door.url, door.tokens["developer"]) as opened:
        yield opened
